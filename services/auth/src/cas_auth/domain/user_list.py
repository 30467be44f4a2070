"""Which users a list shows, and where it goes on."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UserCursor:
    """The user after whom a page begins, whether or not they are still there."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMatch:
    """Which users; both are indexed.

    :param email: the whole address.
    :param email_prefix: how the address begins.
    """

    email: str | None = None
    email_prefix: str | None = None
