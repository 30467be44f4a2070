"""Readers of values that only listings have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cas_taxonomy
from cas_fields.money import Money
from cas_fields.reading import Json, Refused, Schema, Text, decimal, is_blank, plain, read_object
from cas_listings.domain.currencies import CURRENCIES

MOST_PACKAGES = 10
MOST_SESSIONS = 100
PACKAGE_PRICE = MOST_SESSIONS * 10_000_00  # minor units: the dearest hour, a hundred times
PACKAGE_NAME = 60


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds; a numeric text is taken too."""

    lowest: int
    highest: int

    @property
    def schema(self) -> Schema:
        return {"type": ["integer", "string"], "minimum": self.lowest, "maximum": self.highest}

    def __call__(self, value: Json) -> int:
        number = decimal(value)
        if number != number.to_integral_value():
            raise Refused("must be a whole number")
        if not self.lowest <= number <= self.highest:
            raise Refused(f"must be between {self.lowest} and {self.highest}", code="out-of-range")
        return int(number)


@dataclass(frozen=True, slots=True)
class Option:
    """One of the entries of a closed kind, stored in its wire spelling."""

    kind: str

    @property
    def schema(self) -> Schema:
        return {"type": "string", "enum": [entry.wire for entry in cas_taxonomy.entries(self.kind)]}

    def __call__(self, value: Json) -> str:
        entry = cas_taxonomy.resolve(self.kind, value) if isinstance(value, str) else None
        if entry is None:
            options = ", ".join(entry.wire for entry in cas_taxonomy.entries(self.kind))
            raise Refused(f"must be one of {options}", code="unknown-option")
        return entry.wire


@dataclass(frozen=True, slots=True)
class Currency:
    """An active code of ISO 4217, in any case."""

    @property
    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^[A-Za-z]{3}$"}

    def __call__(self, value: Json) -> str:
        code = Text(3)(value).upper()
        if code not in CURRENCIES:
            raise Refused("must be a currency code such as GBP", code="unknown-option")
        return code


@dataclass(frozen=True, slots=True)
class Packages:
    """Several sessions at a price of their own; that price is for the whole package, in minor units when stored."""

    @property
    def schema(self) -> Schema:
        package: Schema = {
            "type": "object",
            "properties": {
                "sessions": Whole(1, MOST_SESSIONS).schema,
                "price": Money(PACKAGE_PRICE).schema,
                "discount": {"type": ["number", "string", "null"], "minimum": 0, "maximum": 100},
                "name": {"type": ["string", "null"], "maxLength": PACKAGE_NAME},
            },
            "required": ["sessions", "price"],
        }
        return {"type": "array", "items": package, "maxItems": MOST_PACKAGES}

    def __call__(self, value: Json) -> list[Json]:
        if not isinstance(value, list):
            raise Refused("must be a list")
        if len(value) > MOST_PACKAGES:
            raise Refused(f"may have at most {MOST_PACKAGES} packages", code="too-many")
        seen: set[tuple[Json, Json]] = set()
        packages: list[Json] = []
        for index, item in enumerate(value):
            try:
                package = _package(item)
                key = (package["sessions"], package.get("name"))
                if key in seen:
                    raise Refused("has the sessions and the name of another package", code="repeated")
            except Refused as refusal:
                raise refusal.within(index) from refusal
            seen.add(key)
            packages.append(package)
        return packages


def _package(item: Json) -> dict[str, Json]:
    given = read_object(item)
    package: dict[str, Json] = {}
    for name, read in _PARTS.items():
        try:
            if not is_blank(given.get(name)):
                package[name] = read(given[name])
            elif name in _REQUIRED:
                raise Refused("is needed", code="missing")
        except Refused as refusal:
            raise refusal.within(name) from refusal
    return package


def _discount(value: Json) -> int | float:
    percent = decimal(value)
    if not 0 <= percent <= 100:  # noqa: PLR2004  percent
        raise Refused("must be between 0 and 100", code="out-of-range")
    return plain(percent)


_PARTS: Mapping[str, Callable[[Json], Json]] = {
    "sessions": Whole(1, MOST_SESSIONS),
    "price": Money(PACKAGE_PRICE),
    "discount": _discount,
    "name": Text(PACKAGE_NAME),
}
_REQUIRED = ("sessions", "price")
