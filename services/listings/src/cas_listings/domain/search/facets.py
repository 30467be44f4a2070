"""What a search found, value by value, as clients show it beside the results (docs/spec/domain.md 7.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cas_taxonomy
from cas_listings.domain.search.document import price_bands
from cas_listings.domain.search.request import OptionFilter, Search, pounds
from cas_taxonomy import Entry, Surface, label_for

FACETS = ("subjects", "levels", "languages", "location_type", "city", "free_trial", "price")
MOST_CITIES = 20
_LISTS = (OptionFilter.SUBJECTS, OptionFilter.LEVELS, OptionFilter.LANGUAGES)

Value: TypeAlias = dict[str, "str | int | float | None"]
Facets: TypeAlias = dict[str, list[Value]]


@dataclass(frozen=True, slots=True)
class Count:
    """How many results have a value; `label` where the index knows how people write it."""

    value: str
    label: str | None
    count: int


def facets_document(counts: Mapping[str, Sequence[Count]], search: Search) -> Facets:
    """The facets of an answer; what the search has chosen is listed even where nothing has it."""
    numbers = {name: {count.value: count.count for count in counts[name]} for name in FACETS}
    lists = {each.value: _list_facet(each, numbers[each], search) for each in _LISTS}
    return {
        **lists,
        "location_type": _location_types(numbers["location_type"]),
        "city": _cities(counts["city"], search),
        "free_trial": [
            _value("true", "Free trial", numbers["free_trial"].get("true", 0)),
            _value("false", "No free trial", numbers["free_trial"].get("false", 0)),
        ],
        "price": _prices(numbers["price"]),
    }


def _list_facet(option_filter: OptionFilter, numbers: Mapping[str, int], search: Search) -> list[Value]:
    """Entries with those below them counted in, the most frequent first; then chosen texts that no list knows."""
    chosen = [choice.value for choice in search.choices(option_filter)]
    entries = [
        entry for entry in cas_taxonomy.entries(str(option_filter.kind)) if entry.id in {*numbers, *chosen}
    ]
    entries.sort(key=lambda entry: (-numbers.get(entry.id, 0), entry.order))
    known = [
        _value(entry.id, label_for(entry, Surface.FILTER), numbers.get(entry.id, 0)) for entry in entries
    ]
    texts = [text for text in chosen if text not in {entry.id for entry in entries}]
    return known + [_value(text, text, numbers.get(text, 0)) for text in texts]


def _location_types(numbers: Mapping[str, int]) -> list[Value]:
    """What filtering by each would find: whoever gives lessons both ways is found by either."""
    both = numbers.get("hybrid", 0)
    return [
        _value(entry.wire, entry.label, numbers.get(entry.wire, 0) + both * (entry.wire != "hybrid"))
        for entry in cas_taxonomy.entries("delivery-modes")
    ]


def _cities(counts: Sequence[Count], search: Search) -> list[Value]:
    typed = {search.city_key: search.city}
    found = [
        _value(count.value, count.label or typed.get(count.value) or count.value, count.count)
        for count in counts
    ]
    chosen = [value for value in found if value["id"] == search.city_key]
    if search.city is not None and not chosen:
        chosen = [_value(search.city_key or search.city, search.city, 0)]
    others = [value for value in found if value["id"] != search.city_key]
    kept = [*chosen, *others[: MOST_CITIES - len(chosen)]]
    return sorted(kept, key=lambda value: (-int(value["count"] or 0), str(value["id"])))


def _prices(numbers: Mapping[str, int]) -> list[Value]:
    """How many results reach into each band; one that spans several is counted in each."""
    return [
        {
            "from": pounds(start),
            "to": None if end is None else pounds(end),
            "count": sum(count for reached, count in numbers.items() if int(reached) >> number & 1),
        }
        for number, (start, end) in enumerate(price_bands())
    ]


def _value(value_id: str, label: str, count: int) -> Value:
    return {"id": value_id, "label": label, "count": count}


def related_entries(entry: Entry) -> tuple[Entry, ...]:
    """Where else one could look: above, below and beside an entry, the nearest first."""
    above = cas_taxonomy.ancestors(entry)
    below = cas_taxonomy.descendants(entry)
    beside = [each for parent in above for each in cas_taxonomy.descendants(parent)]
    return tuple(dict.fromkeys(each for each in (*above, *below, *beside) if each != entry))
