"""Above and below among the entries of one kind."""

from collections.abc import Mapping

from cas_taxonomy.entry import Entry


def ancestors_among(by_id: Mapping[str, Entry], entry: Entry) -> tuple[Entry, ...]:
    """The entries above this one, nearest first. Ends even where the data has a cycle."""
    found: dict[str, Entry] = {}
    ids = list(entry.parents)
    for entry_id in ids:  # grows while it is walked
        if entry_id not in found:
            found[entry_id] = by_id[entry_id]
            ids.extend(by_id[entry_id].parents)
    return tuple(found.values())


def descendants_among(by_id: Mapping[str, Entry], entry: Entry) -> tuple[Entry, ...]:
    """The entries below this one at any depth, in display order."""
    return tuple(other for other in by_id.values() if entry in ancestors_among(by_id, other))
