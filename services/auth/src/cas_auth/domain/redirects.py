"""Where people may be sent after a link or a provider (docs/spec/auth-protocol.md 4)."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

# The separator of a glob: `*` stays between two of them, `**` goes across.
_WILDCARDS = re.compile(r"\*\*|\*|\?")


def allowed_redirect(wanted: str | None, *, site_url: str, patterns: Sequence[str]) -> str:
    """`wanted` where it lies on the site or matches a pattern, else the site itself.

    Scheme, host and port must be exactly those of the site, or of a pattern; a glob may stand in a pattern's path, or
    for a whole label of its host. What comes after `?` or `#` is not compared: clients add parameters of their own.
    """
    if wanted and _is_plain(wanted) and (_same_origin(wanted, site_url) or _matches(wanted, patterns)):
        return wanted
    return site_url


def _is_plain(url: str) -> bool:
    """Whether browsers and we read the same origin in it."""
    if "\\" in url or any(character.isspace() or not character.isprintable() for character in url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.scheme) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _same_origin(url: str, site_url: str) -> bool:
    ours, theirs = urlsplit(site_url), urlsplit(url)
    return (theirs.scheme, theirs.netloc.lower()) == (ours.scheme, ours.netloc.lower()) and bool(
        theirs.netloc
    )


def _matches(url: str, patterns: Sequence[str]) -> bool:
    compared = re.split(r"[?#]", url, maxsplit=1)[0]
    return any(_as_regex(pattern).fullmatch(compared) for pattern in patterns)


def _as_regex(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression without backtracking across separators."""
    translated, at = "", 0
    for wildcard in _WILDCARDS.finditer(pattern):
        translated += re.escape(pattern[at : wildcard.start()])
        translated += {"**": ".*", "*": "[^./:]*", "?": "[^./:]"}[wildcard[0]]
        at = wildcard.end()
    return re.compile(translated + re.escape(pattern[at:]))
