"""Pages as the protocol numbers them, and as cursors tell where they go on."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from cas_auth.domain.refusals import InvalidRequest
from cas_auth.domain.user_list import UserCursor

DEFAULT_PER_PAGE = 50
MAX_PER_PAGE = 1000  # whoever asks for more gets these, and headers that lead to the rest
MAX_PAGE = 10**9
_cursors = TypeAdapter(tuple[AwareDatetime, UUID])


@dataclass(frozen=True, slots=True)
class Page:
    """Which page; numbers start at 1."""

    number: int
    per_page: int

    @classmethod
    def read(cls, page: str | None, per_page: str | None) -> Self:
        """The page of two parameters; clients send them empty when they do not care.

        :raises InvalidRequest: one is no number, or too large.
        """
        return cls(
            number=max(1, _number(page, default=1)),
            per_page=min(_number(per_page, default=DEFAULT_PER_PAGE, least=1), MAX_PER_PAGE),
        )

    @property
    def offset(self) -> int:
        """How many come before it."""
        return (self.number - 1) * self.per_page

    def headers(self, path: str, *, total: int, query: Mapping[str, str | None]) -> dict[str, str]:
        """`X-Total-Count`, and the `Link` to the next and the last page.

        Clients of the protocol take the number after the first `=` of an address, so `page` comes first.
        """
        last = -(-total // self.per_page)
        numbers = {"next": self.number + 1} if self.number < last else {}
        links = [
            f'<{path}?{_query({"page": str(number), "per_page": str(self.per_page), **query})}>; rel="{name}"'
            for name, number in {**numbers, "last": last}.items()
        ]
        return {"X-Total-Count": str(total), "Link": ", ".join(links)}


def write_cursor(cursor: UserCursor) -> str:
    """The cursor as clients get it, and bring it back unread."""
    return urlsafe_b64encode(_cursors.dump_json((cursor.created_at, cursor.id))).rstrip(b"=").decode()


def read_cursor(text: str) -> UserCursor | None:
    """The cursor that `write_cursor` wrote; None for an empty text: from the beginning.

    :raises InvalidRequest: it wrote none such.
    """
    if not text:
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return UserCursor(*_cursors.validate_json(raw))
    except (ValidationError, ValueError) as error:
        raise InvalidRequest("Bad Pagination Parameters: the cursor is not one of ours") from error


def cursor_headers(path: str, *, cursor: str | None, query: Mapping[str, str | None]) -> dict[str, str]:
    """The `Link` to the page that begins at `cursor`; nothing after the last one."""
    if cursor is None:
        return {}
    return {"Link": f'<{path}?{_query({"cursor": cursor, **query})}>; rel="next"'}


def _query(parameters: Mapping[str, Any]) -> str:
    return urlencode({name: value for name, value in parameters.items() if value})


def _number(text: str | None, *, default: int, least: int = 0) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= MAX_PAGE:
        raise InvalidRequest(f"Bad Pagination Parameters: {text[:20]!r} is not a number from {least} on")
    return int(text)
