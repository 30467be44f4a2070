"""The parts of a user's data, one for each service that keeps any (docs/adr/0023)."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from cas_account.domain.erasure import Receipt
from cas_account.domain.export import ExportItem


class Part(Protocol):
    """What one service keeps about users, this one included."""

    @property
    def name(self) -> str:
        """The service."""

    def export_user(self, user_id: UUID) -> Iterable[ExportItem]:
        """Everything it keeps about a user; nothing when it knows no such user.

        :raises Unavailable: it did not answer in time.
        """

    def erase_user(self, user_id: UUID) -> Receipt:
        """Remove everything it keeps about a user. Safe to repeat.

        :raises Unavailable: it did not answer in time.
        """
