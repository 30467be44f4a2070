"""Amounts of money: pounds with at most two decimals on the wire, whole pence inside."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from cas_fields.reading import Json, Refused, Schema, decimal, is_blank, plain, read_bounds

CURRENCY = "GBP"
MAX_MINOR_UNITS = 10_000_00
MinorUnits: TypeAlias = int
_BUDGET_TEXT = 64  # characters; two amounts and a hyphen need far fewer


@dataclass(frozen=True, slots=True)
class Money:
    """An amount from 0 to `most`, 10,000 unless said otherwise; a numeric text is taken too. Stored in minor units."""

    most: MinorUnits = MAX_MINOR_UNITS

    @property
    def schema(self) -> Schema:
        return {"type": ["number", "string"], "minimum": 0, "maximum": self.most // 100}

    def __call__(self, value: Json) -> MinorUnits:
        amount = decimal(value)
        if not 0 <= amount * 100 <= self.most:
            raise Refused(f"must be between 0 and {self.most // 100:,}", code="out-of-range")
        if amount * 100 != (amount * 100).to_integral_value():
            raise Refused("may have at most two decimals")
        return int(amount * 100)


@dataclass(frozen=True, slots=True)
class MoneyRange:
    """`{min, max}`, either of which may be open; `{}` when both are. Stored in minor units."""

    @property
    def schema(self) -> Schema:
        bound: Schema = {"type": ["number", "string", "null"], "minimum": 0}
        return {"type": "object", "properties": {"min": bound, "max": bound}}

    def __call__(self, value: Json) -> dict[str, Json]:
        bounds = read_bounds(value, Money())
        return {} if bounds["min"] is None and bounds["max"] is None else bounds


@dataclass(frozen=True, slots=True)
class Budget:
    """A range with both bounds, as the text "20-40" or `{min, max, currency?}`. Stored as the text."""

    @property
    def schema(self) -> Schema:
        return {"type": ["string", "object"], "examples": ["20-40"]}

    def __call__(self, value: Json) -> str:
        if isinstance(value, dict) and value.get("currency") not in (None, "", CURRENCY):
            raise Refused(f"must be {CURRENCY}", path="currency")
        bounds = read_bounds(_split(value) if isinstance(value, str) else value, Money())
        low, high = bounds["min"], bounds["max"]
        if low is None and high is None:
            return ""
        if not isinstance(low, int) or not isinstance(high, int):
            raise Refused('needs a minimum and a maximum, such as "20-40"')
        return f"{to_major(low)}-{to_major(high)}"


def to_major(amount: MinorUnits) -> int | float:
    """Pence as pounds, the way JSON shows them: 45, 45.5."""
    return plain(Decimal(amount) / 100)


def midpoint(low: MinorUnits | None, high: MinorUnits | None) -> MinorUnits | None:
    """Half way between two amounts, rounded up to a whole penny; the only one when one is open."""
    if low is None or high is None:
        return high if low is None else low
    return (low + high + 1) // 2


def contains(bounds: dict[str, Json], amount: MinorUnits) -> bool:
    """Whether an amount lies within `{min, max}`."""
    low, high = bounds.get("min"), bounds.get("max")
    return (not isinstance(low, int) or low <= amount) and (not isinstance(high, int) or amount <= high)


def _split(text: str) -> dict[str, Json]:
    low, hyphen, high = text[:_BUDGET_TEXT].replace("–", "-").partition("-")  # noqa: RUF001  the en dash is meant
    if not hyphen or is_blank(low) or is_blank(high):
        raise Refused('must look like "20-40"')
    return {"min": low, "max": high}
