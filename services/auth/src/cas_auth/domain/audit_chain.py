"""What is wrong with an audit log whose seals do not fit its entries (docs/adr/0018)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

HASH_BYTES = 32


class Flaw(StrEnum):
    """Something that no program of ours does to the log."""

    SEAL_MISSING = "seals are missing, or there are too many"
    SEAL_CHANGED = "the seal does not fit the entry and the seal before"
    ENTRY_MISSING = "the entry was deleted"
    ENTRY_ADDED = "the entry was added behind sealed ones"
    ENTRY_MOVED = "the entry stands before an older one"
    ORIGIN_CHANGED = "address or user agent were changed"
    ORIGIN_BLANKED = "address and user agent were blanked, but nobody erased the user"
    HEAD_MISSING = "the log ends before the seal that was kept elsewhere"
    HEAD_CHANGED = "the seal is not the one that was kept elsewhere"


@dataclass(frozen=True, slots=True)
class Finding:
    """A flaw, and where it is: at which seal, about which entry; None where there is none."""

    flaw: Flaw
    position: int | None = None
    entry_id: int | None = None

    def __str__(self) -> str:
        places = (("seal", self.position), ("entry", self.entry_id))
        return (
            ", ".join(f"{name} {number}" for name, number in places if number is not None) + f": {self.flaw}"
        )


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest seal. Whoever keeps it elsewhere notices when the log is cut off before it."""

    position: int
    hash: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """The head that `str(head)` wrote.

        :raises ValueError: it is not of that form.
        """
        position, _, digest = text.partition(":")
        head = cls(int(position), bytes.fromhex(digest))
        if len(head.hash) != HASH_BYTES:
            raise ValueError("the hash has another length")
        return head

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of holding the log against its seals.

    :param head: the newest seal; None while there is none.
    :param waiting: entries that are too young to be sealed.
    """

    head: ChainHead | None
    waiting: int
    findings: Sequence[Finding]
