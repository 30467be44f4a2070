"""What must hold between the entries of the data before anything is looked up in them."""

import re
from collections.abc import Collection, Iterable, Mapping

from cas_taxonomy.entry import Entry, Surface
from cas_taxonomy.errors import TaxonomyDataInvalid
from cas_taxonomy.hierarchy import ancestors_among
from cas_taxonomy.normalisation import normalise

_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check_kind(
    kind: str, by_id: Mapping[str, Entry], *, offered: Mapping[Surface, tuple[str, ...]], default: str | None
) -> None:
    """Check the entries of one kind, its offered sets and its default.

    :raises TaxonomyDataInvalid: at the first fault.
    """
    if default is not None:
        _require_known(f"{kind}: default", (default,), by_id)
    for surface, ids in offered.items():
        place = f"{kind}: offered.{surface}"
        _require_known(place, ids, by_id)
        _require(not any(by_id[entry_id].deprecated for entry_id in ids), place, "offers a deprecated entry")
    for entry in by_id.values():
        _check_entry(entry, by_id)
    for entry in by_id.values():
        _require(entry not in ancestors_among(by_id, entry), _place(entry), "is its own ancestor")


def check_related(tables: Mapping[str, Mapping[str, Entry]]) -> None:
    """Check that every link into another kind leads somewhere.

    :raises TaxonomyDataInvalid: at the first that does not.
    """
    for by_id in tables.values():
        for entry in by_id.values():
            for link in entry.related:
                kind, _, entry_id = link.partition("/")
                _require(entry_id in tables.get(kind, {}), _place(entry), f"related: {link!r} does not exist")


def index_by_text(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    """Every entry under its normalised id, labels and aliases.

    :raises TaxonomyDataInvalid: when a text belongs to two entries, or has neither letter nor digit.
    """
    index: dict[str, Entry] = {}
    for entry in entries:
        for text in (entry.id, entry.label, *entry.labels.values(), *entry.aliases):
            key = normalise(text)
            _require(key != "", _place(entry), f"{text!r} is empty")
            owner = index.setdefault(key, entry)
            _require(owner is entry, _place(entry), f"{text!r} already means {owner.id!r}")
    return index


def _check_entry(entry: Entry, by_id: Mapping[str, Entry]) -> None:
    place = _place(entry)
    _require(_KEBAB.fullmatch(entry.id) is not None, place, "the id is not kebab-case")
    _require_known(f"{place}: parents", entry.parents, by_id)
    _require_known(f"{place}: satisfies", entry.satisfies, by_id)
    _require(
        entry.max is None or (entry.min is not None and entry.min <= entry.max),
        place,
        "max without min <= max",
    )
    if entry.replaced_by is not None:
        _require_known(f"{place}: replaced_by", (entry.replaced_by,), by_id)
        _require(entry.deprecated, place, "is replaced but not deprecated")


def _require_known(place: str, ids: Collection[str], by_id: Mapping[str, Entry]) -> None:
    for entry_id in ids:
        _require(entry_id in by_id, place, f"{entry_id!r} does not exist")
    _require(len(set(ids)) == len(ids), place, "names an entry twice")


def _require(holds: bool, place: str, fault: str) -> None:  # noqa: FBT001  # reads like assert
    if not holds:
        raise TaxonomyDataInvalid(f"{place}: {fault}")


def _place(entry: Entry) -> str:
    return f"{entry.kind}/{entry.id}"
