"""Values as they arrive in JSON, turned into what is stored; each reader refuses what the specification does not allow.

Null and blank texts never reach a reader: they clear a field, which is for whoever knows the field to decide.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

import cas_taxonomy

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Schema: TypeAlias = dict[str, "Json"]

MAX_ITEMS = 50
FREE_TEXT_IN_LIST = 32  # of a list backed by a kind, docs/spec/domain.md 2.1
TEXT_IN_LIST = 200
CHOICE = 100
URL = 2048
_canonical = msgspec.json.Encoder(order="deterministic").encode
_LONGEST_NUMBER = 32  # characters; more is no number a person typed


class Refused(ValueError):
    """Why a value cannot be stored, worded to follow the name of its field.

    :param path: leads from the field to the part that is wrong.
    """

    def __init__(self, message: str, *, path: str = "", code: str = "invalid") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.code = code

    def within(self, part: str | int) -> "Refused":
        """The same refusal as seen from one level up."""
        path = f"{part}.{self.path}" if self.path else str(part)
        return Refused(self.message, path=path, code=self.code)


class Reader(Protocol):
    """Reads one kind of value; `schema` describes it in JSON Schema."""

    @property
    def schema(self) -> Schema: ...

    def __call__(self, value: Json) -> Json:
        """What is stored for `value`.

        :raises Refused: it cannot be stored.
        """


def is_blank(value: Json) -> bool:
    """Whether a value clears its field: null, or a text with nothing in it."""
    return value is None or (isinstance(value, str) and not value.strip())


def clearable(schema: Schema) -> Schema:
    """The schema of a field that null and the empty text clear."""
    return {"anyOf": [schema, {"enum": [None, ""]}]}


def same_json(one: object, other: object) -> bool:
    """Whether two values are the same JSON. Python alone takes true for 1."""
    return _canonical(one) == _canonical(other)


def clean(text: str, *, lines: bool = False) -> str:
    """Trimmed, NFC, without control characters; line breaks stay when `lines` is true."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    is_shown = unified.isprintable()  # most texts, and those need no look at every character
    shown = unified if is_shown else "".join(_printable(char, lines=lines) for char in unified)
    return unicodedata.normalize("NFC", shown).strip()


def _printable(char: str, *, lines: bool) -> str:
    if unicodedata.category(char) != "Cc" or (lines and char == "\n"):
        return char
    return " " if char in "\n\t" else ""


def identity(text: str, *, kind: str | None) -> str:
    """What makes two texts of a list the same value: the entry's id, else the normalised text."""
    entry = cas_taxonomy.resolve(kind, text) if kind else None
    return entry.id if entry else cas_taxonomy.normalise(text) or text


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, as instants are written everywhere."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


# ---- texts ----


@dataclass(frozen=True, slots=True)
class Text:
    """A text of `shortest` to `longest` characters after cleaning."""

    longest: int
    shortest: int = 1
    lines: bool = False

    @property
    def schema(self) -> Schema:
        return {"type": "string", "maxLength": self.longest}

    def __call__(self, value: Json) -> str:
        if not isinstance(value, str):
            raise Refused("must be a text")
        text = clean(value, lines=self.lines)
        if len(text) > self.longest:
            raise Refused(f"must have at most {self.longest} characters", code="too-long")
        if text and len(text) < self.shortest:
            raise Refused(f"must have at least {self.shortest} characters", code="too-short")
        return text


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An absolute address of one of `schemes`, or below `own_prefix`."""

    schemes: tuple[str, ...] = ("https", "http")
    own_prefix: str | None = None

    @property
    def schema(self) -> Schema:
        return {"type": "string", "maxLength": URL}

    def __call__(self, value: Json) -> str:
        address = Text(longest=URL)(value)
        if not address or self._is_ours(address) or self._is_acceptable(address):
            return address
        expected = " or ".join(f"{scheme}://" for scheme in self.schemes)
        raise Refused(f"must be a web address that starts with {expected}")

    def _is_ours(self, address: str) -> bool:
        return self.own_prefix is not None and address.startswith(self.own_prefix) and " " not in address

    def _is_acceptable(self, address: str) -> bool:
        try:
            parts = urlsplit(address)
            return parts.scheme in self.schemes and bool(parts.hostname) and " " not in address
        except ValueError:
            return False


# ---- lists ----


@dataclass(frozen=True, slots=True)
class TextList:
    """At most `most` texts of at most `longest` characters, without blanks and repetitions, the first spelling kept.

    :param kind: the taxonomy kind behind the list; texts outside it may be shorter only.
    :param closed: only texts of the kind are taken.
    """

    kind: str | None = None
    closed: bool = False
    most: int = MAX_ITEMS
    longest: int = TEXT_IN_LIST

    @property
    def schema(self) -> Schema:
        return {
            "type": "array",
            "items": {"type": "string", "maxLength": self.longest},
            "maxItems": self.most,
        }

    def __call__(self, value: Json) -> list[Json]:
        texts = [text for index, item in _items(value) if (text := self._read_item(index, item))]
        return _limited(list(unique(texts, kind=self.kind)), most=self.most)

    def _read_item(self, index: int, item: Json) -> str:
        try:
            return "" if is_blank(item) else self._read_text(item)
        except Refused as refusal:
            raise refusal.within(index) from refusal

    def _read_text(self, item: Json) -> str:
        text = Text(longest=self.longest)(item)
        if self.kind is None or not text or cas_taxonomy.resolve(self.kind, text):
            return text
        if self.closed:
            options = ", ".join(entry.wire for entry in cas_taxonomy.entries(self.kind))
            raise Refused(f"must be one of {options}", code="unknown-option")
        return Text(longest=FREE_TEXT_IN_LIST)(text)


@dataclass(frozen=True, slots=True)
class NumberList:
    """Numbers from 0, without repetitions."""

    @property
    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "number", "minimum": 0}, "maxItems": MAX_ITEMS}

    def __call__(self, value: Json) -> list[Json]:
        numbers: dict[Json, None] = {}
        for index, item in _items(value):
            try:
                numbers[Number()(item)] = None
            except Refused as refusal:
                raise refusal.within(index) from refusal
        return _limited(list(numbers))


def unique(texts: Iterable[str], *, kind: str | None) -> Iterable[str]:
    """The first spelling of each value."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(identity(text, kind=kind), text)
    return first.values()


def _items(value: Json) -> Iterable[tuple[int, Json]]:
    if not isinstance(value, list):
        raise Refused("must be a list")
    return enumerate(value)


def _limited(items: list[Json], *, most: int = MAX_ITEMS) -> list[Json]:
    if len(items) > most:
        raise Refused(f"may have at most {most} items", code="too-many")
    return items


# ---- numbers ----


def decimal(value: Json) -> Decimal:
    """The number in a JSON number or a numeric text.

    :raises Refused: there is none.
    """
    text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if isinstance(value, str) and not _is_plain_number(text):
        raise Refused("must be a number", code="not-a-number")
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise Refused("must be a number", code="not-a-number") from error
    if not number.is_finite():
        raise Refused("must be a number", code="not-a-number")
    return number


def _is_plain_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return len(text) <= _LONGEST_NUMBER and digits.isascii() and digits.isdigit()


def plain(number: Decimal) -> int | float:
    """The number as JSON shows it: whole when it is whole."""
    return int(number) if number == number.to_integral_value() else float(number)


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds, as sent."""

    lowest: int = 0

    @property
    def schema(self) -> Schema:
        return {"type": "number", "minimum": self.lowest}

    def __call__(self, value: Json) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused("must be a number", code="not-a-number")
        if not decimal(value) >= self.lowest:
            raise Refused(f"must be {self.lowest} or more", code="out-of-range")
        return value


@dataclass(frozen=True, slots=True)
class Percent:
    """0 to 100 in steps of a half; a numeric text is taken too."""

    @property
    def schema(self) -> Schema:
        return {"type": ["number", "string"], "minimum": 0, "maximum": 100, "multipleOf": 0.5}

    def __call__(self, value: Json) -> int | float:
        number = decimal(value)
        if not 0 <= number <= 100:  # noqa: PLR2004  percent
            raise Refused("must be between 0 and 100", code="out-of-range")
        if number * 2 != (number * 2).to_integral_value():
            raise Refused("must be a multiple of 0.5")
        return plain(number)


@dataclass(frozen=True, slots=True)
class NumberRange:
    """`{min, max}`, either of which may be open."""

    @property
    def schema(self) -> Schema:
        bound: Schema = {"type": ["number", "null"], "minimum": 0}
        return {"type": "object", "properties": {"min": bound, "max": bound}}

    def __call__(self, value: Json) -> dict[str, Json]:
        bounds = read_bounds(value, Number())
        if all(bound is None for bound in bounds.values()):
            return {}
        return bounds


def read_bounds(value: Json, read: Reader) -> dict[str, Json]:
    """`{min, max}` of `value`, each read by `read` or None, in order.

    :raises Refused: it is no object, a bound cannot be read, or the bounds are out of order.
    """
    given = read_object(value)
    bounds: dict[str, Json] = {}
    for name in ("min", "max"):
        try:
            bounds[name] = None if is_blank(given.get(name)) else read(given[name])
        except Refused as refusal:
            raise refusal.within(name) from refusal
    lowest, highest = bounds["min"], bounds["max"]
    if isinstance(lowest, int | float) and isinstance(highest, int | float) and lowest > highest:
        raise Refused("must have a minimum that is not above the maximum", code="out-of-order")
    return bounds


# ---- others ----


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    @property
    def schema(self) -> Schema:
        return {"type": "boolean"}

    def __call__(self, value: Json) -> bool:
        if not isinstance(value, bool):
            raise Refused("must be true or false")
        return value


def read_object(value: Json) -> Mapping[str, Json]:
    """`value` itself.

    :raises Refused: it is no object.
    """
    if not isinstance(value, dict):
        raise Refused("must be an object")
    return value
