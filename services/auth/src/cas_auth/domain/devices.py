"""What to call a device, by what its program says of itself."""

import re

# The first that is found names it: most browsers also claim to be those further down.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Vivaldi/": "Vivaldi",
    "YaBrowser/": "Yandex Browser",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "Linux": "Linux",
}
# The product an app or a library begins with (RFC 9110 10.1.5).
_PRODUCT = re.compile(r"(?!Mozilla/)([A-Za-z][A-Za-z0-9._-]{0,39})(?:[/ ]|$)")


def device_name(user_agent: str | None) -> str | None:
    """A name its owner recognises, such as "Firefox on Windows"; None when the user agent says nothing."""
    text = user_agent or ""
    browser, system = _first(_BROWSERS, text), _first(_SYSTEMS, text)
    if browser is None and (product := _PRODUCT.match(text)):
        browser = product[1]
    return " on ".join(filter(None, (browser, system))) or None


def _first(names: dict[str, str], text: str) -> str | None:
    return next((name for mark, name in names.items() if mark in text), None)
