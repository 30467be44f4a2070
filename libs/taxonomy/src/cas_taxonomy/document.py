"""The lists as the JSON document of GET /api/taxonomy."""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from typing import NotRequired, TypedDict

from cas_taxonomy.entry import Entry
from cas_taxonomy.loading import KINDS
from cas_taxonomy.lookup import entries


class WindowDocument(TypedDict):
    days: list[int]
    start: str
    end: str


class EntryDocument(TypedDict):
    kind: str
    id: str
    label: str
    labels: dict[str, str]
    aliases: list[str]
    parents: list[str]
    order: int
    offered: dict[str, int]
    default: NotRequired[bool]
    related: NotRequired[list[str]]
    satisfies: NotRequired[list[str]]
    min: NotRequired[int]
    max: NotRequired[int | None]  # beside `min`; null is open
    sends: NotRequired[dict[str, int]]
    window: NotRequired[WindowDocument]
    deprecated: NotRequired[bool]
    replaced_by: NotRequired[str | None]


class TaxonomyDocument(TypedDict):
    version: str
    kinds: dict[str, list[EntryDocument]]


def as_document(kinds: Iterable[str] | None = None) -> TaxonomyDocument:
    """The chosen lists, or all of them, with the version of the whole data; ready for ``json.dumps``.

    :raises UnknownKind: when one of the kinds does not exist.
    """
    chosen = KINDS if kinds is None else kinds
    return {
        "version": version(),
        "kinds": {kind: [_entry_document(entry) for entry in entries(kind)] for kind in chosen},
    }


@cache
def version() -> str:
    """A hash of what all lists say: it changes with them and with nothing else."""
    return fingerprint(entry for kind in KINDS for entry in entries(kind))


def fingerprint(listed: Iterable[Entry]) -> str:
    """Hash entries as the document shows them."""
    content = json.dumps([_entry_document(entry) for entry in listed], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _entry_document(entry: Entry) -> EntryDocument:
    document: EntryDocument = {
        "kind": entry.kind,
        "id": entry.id,
        "label": entry.label,
        "labels": {surface.value: label for surface, label in entry.labels.items()},
        "aliases": list(entry.aliases),
        "parents": list(entry.parents),
        "order": entry.order,
        "offered": {surface.value: place for surface, place in entry.offered.items()},
    }
    _add_links(document, entry)
    _add_ranges(document, entry)
    return document


def _add_links(document: EntryDocument, entry: Entry) -> None:
    if entry.default:
        document["default"] = True
    if entry.related:
        document["related"] = list(entry.related)
    if entry.satisfies:
        document["satisfies"] = list(entry.satisfies)
    if entry.deprecated:
        document["deprecated"] = True
        document["replaced_by"] = entry.replaced_by


def _add_ranges(document: EntryDocument, entry: Entry) -> None:
    if entry.min is not None:
        document["min"] = entry.min
        document["max"] = entry.max
    if entry.sends:
        document["sends"] = {surface.value: number for surface, number in entry.sends.items()}
    if entry.window:
        document["window"] = {
            "days": list(entry.window.days),
            "start": entry.window.start,
            "end": entry.window.end,
        }
