"""A person's data as one JSON document, written piece by piece (docs/spec/domain.md 8.2)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

FORMAT, FORMAT_VERSION = "cas-export", 1
OBJECTS = ("auth", "profile")
ACTIVITY = "activity"
LISTS = ("templates", "onboarding", "listings", "images", ACTIVITY)


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One JSON object of a section of the export."""

    section: str
    document: bytes


class _Entry(msgspec.Struct):
    at: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that is kept about one user, complete."""

    user_id: UUID
    generated_at: datetime
    sections: dict[str, list[bytes]]

    @classmethod
    def of(cls, user_id: UUID, items: Iterable[ExportItem], *, now: datetime) -> "Export":
        """Sort items into their sections; one that is not known here is one more list."""
        sections: dict[str, list[bytes]] = {name: [] for name in (*OBJECTS, *LISTS)}
        for item in items:
            sections.setdefault(item.section, []).append(item.document)
        sections[ACTIVITY].sort(key=_instant)
        return cls(user_id, now, sections)

    @property
    def file_name(self) -> str:
        """What a browser calls the file."""
        return f"{FORMAT}-{self.generated_at:%Y-%m-%d}.json"

    def pieces(self) -> Iterator[bytes]:
        """The document, one item a piece."""
        head = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "generated_at": self.generated_at,
            "user_id": self.user_id,
        }
        yield msgspec.json.encode(head).removesuffix(b"}")
        for name, documents in self.sections.items():
            yield b"," + msgspec.json.encode(name) + b":"
            if name in OBJECTS:
                yield documents[0] if documents else b"{}"
            else:
                yield from _list(documents)
        yield b"}"


def _instant(document: bytes) -> datetime:
    return msgspec.json.decode(document, type=_Entry).at


def _list(documents: Sequence[bytes]) -> Iterator[bytes]:
    yield b"["
    for number, document in enumerate(documents):
        yield b"," + document if number else document
    yield b"]"
