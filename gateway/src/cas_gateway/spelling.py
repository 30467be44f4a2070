"""How values of kong.yml are written, so that both gateways read them alike."""

import re
from collections import Counter

PATH = re.compile(r"~(?P<pattern>(/([\w-]|\\\.)+|/\[\^/\]\+)+|/)\$", re.ASCII)


def upstream_url(value: str) -> str:
    if not re.fullmatch(r"http://[\w.-]+:\d{1,5}", value, re.ASCII):
        raise ValueError("write http://host:port, the services are spoken to inside the network")
    return value


def host(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", value):
        raise ValueError("write a plain host name in lower case, without port or wildcard")
    return value


def origin(value: str) -> str:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", value):
        raise ValueError("write scheme://host[:port]; Kong reads anything else as a regular expression")
    return value


def path(value: str) -> str:
    if not PATH.fullmatch(value):
        raise ValueError(
            r"write the whole path as '~/like/this$', with [^/]+ for a variable segment and \. for a dot:"
            " a prefix would also match longer names"
        )
    return value


def prefix(value: str) -> str:
    if not re.fullmatch(r"/[a-z0-9/-]*", value):
        raise ValueError("write the beginning of a path, like /api/things: it is no pattern")
    return value


def distinct(values: list[str]) -> list[str]:
    if repeated := [value for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"repeats {', '.join(repeated)}")
    return values
