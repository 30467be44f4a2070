"""Where a search goes on: the last result shown, bound to the filters and the order it was found with."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, TypeAlias

import msgspec

from cas_kit.errors import FieldProblem, ValidationFailed
from cas_listings.domain.search.request import Search

_CHECK = 8  # bytes; keeps accidents and other searches out, not attackers: a position is no secret
LONGEST = 512

# What a position may hold: whoever makes one up names nothing that the database cannot compare.
Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_encode = msgspec.json.Encoder(order="deterministic").encode


def write_cursor(search: Search, position: Sequence[Any]) -> str:
    """The opaque text for a position in this search.

    :param position: plain JSON values.
    """
    content = _encode(position)
    return urlsafe_b64encode(_check(search, content) + content).decode().rstrip("=")


def read_cursor(search: Search, position_type: type[Any]) -> Any:
    """The position that the search's own cursor names.

    :param position_type: what it has to be, as msgspec converts it.
    :raises ValidationFailed: it is not one of this search's.
    """
    text = search.cursor or ""
    try:
        if len(text) > LONGEST:
            raise ValueError
        whole = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        check, content = whole[:_CHECK], whole[_CHECK:]
        if check != _check(search, content):
            raise ValueError
        return msgspec.json.decode(content, type=position_type)
    except (ValueError, NotBase64, msgspec.MsgspecError):
        message = "is not a cursor of this search; begin again without it"
        raise ValidationFailed.of([FieldProblem("cursor", message)]) from None


def _check(search: Search, content: bytes) -> bytes:
    return blake2b(_encode(search.applied) + content, digest_size=_CHECK).digest()
