"""Where people may be sent after a link or a provider (docs/spec/auth-protocol.md 4)."""

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

# What browsers write of a host, which they spell in ASCII themselves (RFC 5890), and a port.
_AUTHORITY = re.compile(r"[A-Za-z0-9._:\[\]-]*")
# The separator of a glob: `*` stays between two of them, `**` goes across.
_WILDCARDS = re.compile(r"\*\*|\*|\?")


def allowed_redirect(wanted: str | None, *, site_url: str, patterns: Sequence[str]) -> str:
    """`wanted` where it lies on the site or matches a pattern, else the site itself.

    Scheme, host and port must be exactly those of the site, or of a pattern; a glob may stand in a pattern's path, or
    for a whole label of its host. What comes after `?` or `#` is not compared: clients add parameters of their own.
    What comes back fits into a header.
    """
    if wanted and _is_plain(wanted):
        address = _in_ascii(wanted)
        if _same_origin(address, site_url) or _matches(address, patterns):
            return address
    return site_url


def _in_ascii(url: str) -> str:
    """Every other character percent-encoded, as browsers write a path, a query and a fragment."""
    return "".join(character if character.isascii() else quote(character) for character in url)


def _is_plain(url: str) -> bool:
    """Whether browsers and we read the same origin in it."""
    if "\\" in url or any(character.isspace() or not character.isprintable() for character in url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.scheme) and bool(_AUTHORITY.fullmatch(parts.netloc)) and parts.port != 0
    except ValueError:
        return False


def _same_origin(url: str, site_url: str) -> bool:
    ours, theirs = urlsplit(site_url), urlsplit(url)
    return (theirs.scheme, theirs.netloc.lower()) == (ours.scheme, ours.netloc.lower()) and bool(
        theirs.netloc
    )


def _matches(url: str, patterns: Sequence[str]) -> bool:
    compared = re.split(r"[?#]", url, maxsplit=1)[0]
    return any(_as_regex(_in_ascii(pattern)).fullmatch(compared) for pattern in patterns)


def _as_regex(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression without backtracking across separators."""
    translated, at = "", 0
    for wildcard in _WILDCARDS.finditer(pattern):
        translated += re.escape(pattern[at : wildcard.start()])
        translated += {"**": ".*", "*": "[^./:]*", "?": "[^./:]"}[wildcard[0]]
        at = wildcard.end()
    return re.compile(translated + re.escape(pattern[at:]))
