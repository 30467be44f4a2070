"""Questions the services ask of the lists. Every one with a kind raises :class:`UnknownKind` for a wrong name."""

from collections.abc import Iterable
from functools import cache

from cas_taxonomy.entry import Entry, Surface
from cas_taxonomy.errors import UnknownKind
from cas_taxonomy.hierarchy import ancestors_among, descendants_among
from cas_taxonomy.loading import KindTable, load
from cas_taxonomy.normalisation import normalise

tables = cache(load)  # at the first question: an import stays cheap

_FALLBACK = {Surface.AGENT: Surface.TEMPLATE}


def entries(kind: str) -> tuple[Entry, ...]:
    """Every entry of the kind in display order, retired ones included."""
    return tuple(_table(kind).by_id.values())


def resolve(kind: str, text: str) -> Entry | None:
    """The entry whose id, label or alias this text spells, in any case and spacing."""
    return _table(kind).by_text.get(normalise(text))


def label_for(entry: Entry, surface: Surface) -> str:
    """The label the surface shows, and the text to store when a value is copied to it."""
    own = surface if surface in entry.labels else _FALLBACK.get(surface, surface)
    return entry.labels.get(own, entry.label)


def offered(kind: str, surface: Surface) -> tuple[Entry, ...]:
    """What the surface lets people choose, in its order: its own set, or everything when it has none."""
    everything = entries(kind)
    for own in (surface, _FALLBACK.get(surface, surface)):
        chosen = [entry for entry in everything if own in entry.offered]
        if chosen:
            return tuple(sorted(chosen, key=lambda entry: entry.offered[own]))
    return tuple(entry for entry in everything if not entry.deprecated)


def ancestors(entry: Entry) -> tuple[Entry, ...]:
    """The entries above this one, nearest first."""
    return ancestors_among(_table(entry.kind).by_id, entry)


def descendants(entry: Entry) -> tuple[Entry, ...]:
    """The entries below this one at any depth, in display order."""
    return descendants_among(_table(entry.kind).by_id, entry)


def matching(entry: Entry) -> tuple[Entry, ...]:
    """The entries a filter on this one finds: itself, its descendants and those that satisfy it."""
    below = descendants(entry)
    return tuple(
        other
        for other in entries(entry.kind)
        if other == entry or other in below or entry.id in other.satisfies
    )


def related(entry: Entry) -> tuple[Entry, ...]:
    """The nearest entries of other kinds, such as the teaching method of a learning preference."""
    links = (link.split("/") for link in entry.related)
    return tuple(_table(kind).by_id[entry_id] for kind, entry_id in links)


def deduplicate(kind: str, texts: Iterable[str]) -> list[str]:
    """Keep the first spelling of each value: of one entry or, outside the list, of one normalised text."""
    first: dict[str, str] = {}
    for text in texts:
        entry = resolve(kind, text)
        # A normalised text that equals an id resolves to it, so ids and free texts cannot collide.
        first.setdefault(entry.id if entry else normalise(text), text)
    return list(first.values())


def _table(kind: str) -> KindTable:
    try:
        return tables()[kind]
    except KeyError:
        raise UnknownKind(kind) from None
