"""A person's profile: what its owner may write, what is answered, how complete it is (docs/spec/domain.md 3)."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from cas_account.domain.pictures import PLACES
from cas_account.domain.roles import EXPECTED, Role, find_role
from cas_fields.reading import Json, Reader, Refused, Schema, Text, WebAddress, clean, is_blank
from cas_fields.zones import DEFAULT_TIMEZONE, Timezone
from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed

NAME_LENGTH = range(2, 101)
BIO_LENGTH = 500
PREFERENCES_BYTES = 16 * 1024
SUGGESTED_BIO = 50
SUGGESTED_ACHIEVEMENTS = 30
_PHONE_DIGITS = range(2, 16)

Values: TypeAlias = dict[str, Json]


class ProfileNotFound(DomainError):
    kind = Kind.NOT_FOUND
    code = "profile-not-found"
    sentence = "There is no such profile."


class TooManyIds(ValidationFailed):
    code = "too-many-ids"
    sentence = "Ask for at most 500 profiles at once."


class UserErased(DomainError):
    kind = Kind.CONFLICT
    code = "user-erased"
    sentence = "This user was erased."


@dataclass(frozen=True, slots=True)
class Identity:
    """What an access token says about its bearer; `display_name` is empty when it says nothing usable.

    :param issued_at: when it said so; None where there was no token.
    """

    user_id: UUID
    email: str
    email_verified: bool
    display_name: str
    issued_at: datetime | None = None

    @classmethod
    def from_claims(cls, user_id: UUID, claims: Mapping[str, Any]) -> "Identity":
        """The identity in verified claims."""
        metadata = claims.get("user_metadata")
        names = metadata if isinstance(metadata, dict) else {}
        issued = claims.get("iat")
        return cls(
            user_id=user_id,
            email=_text(claims.get("email")).lower(),
            email_verified=claims.get("email_verified") is True,
            display_name=_usable_name(names.get("full_name")) or _usable_name(names.get("name")),
            issued_at=None if issued is None else datetime.fromtimestamp(issued, UTC),
        )


def _usable_name(value: object) -> str:
    name = _text(value)[: NAME_LENGTH.stop - 1].strip()
    return name if len(name) in NAME_LENGTH else ""


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""


# ---- reading ----


@dataclass(frozen=True, slots=True)
class Phone:
    """Optional `+`, first digit 1-9, 2 to 15 digits."""

    @property
    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"^\+?[1-9][0-9]{1,14}$"}

    def __call__(self, value: Json) -> str:
        number = Text(32)(value)
        digits = number.removeprefix("+")
        if len(digits) in _PHONE_DIGITS and digits.isascii() and digits.isdigit() and digits[0] != "0":
            return number
        raise Refused("must be a phone number such as +447700900123")


@dataclass(frozen=True, slots=True)
class Preferences:
    """A JSON object."""

    @property
    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": True}

    def __call__(self, value: Json) -> Json:
        if not isinstance(value, dict):
            raise Refused("must be an object")
        return value


def readers(media_url: str) -> Mapping[str, Reader]:
    """How each field that the owner may write is read.

    :param media_url: the address below which this platform serves pictures.
    """
    picture = WebAddress(schemes=("https",), own_prefix=media_url)
    return {
        "display_name": Text(NAME_LENGTH.stop - 1, shortest=NAME_LENGTH.start),
        "first_name": Text(100),
        "last_name": Text(100),
        "bio": Text(BIO_LENGTH, lines=True),
        "categories": Text(200),
        "achievements": Text(2000, lines=True),
        "avatar_url": picture,
        "custom_picture_url": picture,
        "cover_photo_url": picture,
        "phone": Phone(),
        "country": Text(100),
        "city": Text(100),
        "timezone": Timezone(),
        "preferences": Preferences(),
    }


CLEARED: Values = {"timezone": DEFAULT_TIMEZONE, "preferences": None}


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """A request to save: values by column, cleared ones included; `active_role` is None when it stays.

    :param uploads: the columns whose value is an address below which this platform serves pictures.
    """

    values: Values
    active_role: Role | None
    uploads: Set[str] = frozenset()


def read_changes(document: Json, *, media_url: str) -> ProfileChanges:
    """The changes that a request body asks for; read-only and unknown keys are ignored.

    :raises ValidationFailed: a field cannot be accepted; names all that cannot.
    """
    if not isinstance(document, dict):
        raise ValidationFailed.of([FieldProblem("body", "must be a JSON object")])
    given = document
    if "display_name" not in given and "full_name" in given:
        given = given | {"display_name": given["full_name"]}
    values: Values = {}
    problems: list[FieldProblem] = []
    for name, read in readers(media_url).items():
        if name not in given:
            continue
        try:
            values[name] = CLEARED.get(name, "") if is_blank(given[name]) else read(given[name])
        except Refused as refusal:
            problems.append(FieldProblem(name, refusal.message, refusal.code))
    active_role = find_role(given.get("active_role"))
    if active_role is None and not is_blank(given.get("active_role")):
        problems.append(FieldProblem("active_role", EXPECTED, "unknown-role"))
    if problems:
        raise ValidationFailed.of(problems)
    return ProfileChanges(values, active_role, _uploads(values, media_url=media_url))


def _uploads(values: Values, *, media_url: str) -> Set[str]:
    pictures = {column for place in PLACES for column in place.url_columns}
    return {name for name in pictures & values.keys() if str(values[name]).startswith(media_url)}


def merge_preferences(saved: Values, changes: Json) -> Values:
    """The preferences after a change: merged by top-level key, null removes a key; no changes at all remove everything.

    :raises ValidationFailed: they would take more than 16 KiB.
    """
    merged: Values = saved | changes if isinstance(changes, dict) else {}
    kept: Values = {name: value for name, value in merged.items() if value is not None}
    if len(msgspec.json.encode(kept)) > PREFERENCES_BYTES:
        raise ValidationFailed.of([FieldProblem("preferences", "may take at most 16 KiB", "too-long")])
    return kept


# ---- answering ----


def completeness(values: Mapping[str, Any]) -> dict[str, Json]:
    """Score and missing parts of a profile with these values by column (docs/spec/domain.md 3.5)."""
    checks = {
        "display_name": len(values["display_name"]) >= NAME_LENGTH.start,
        "avatar_url": bool(values["avatar_url"] or values["custom_picture_url"]),
        "bio": len(values["bio"]) >= SUGGESTED_BIO,
        "categories": bool(values["categories"]),
        "achievements": len(values["achievements"]) >= SUGGESTED_ACHIEVEMENTS,
        "cover_photo_url": bool(values["cover_photo_url"]),
    }
    missing: list[Json] = [name for name, passed in checks.items() if not passed]
    return {"score": round(100 * (len(checks) - len(missing)) / len(checks)), "missing": missing}


def cut_at_word(text: str, *, longest: int = BIO_LENGTH) -> str:
    """The beginning of `text` that fits, ending with a whole word where there is one."""
    if len(text) <= longest:
        return text
    whole_words = re.match(rf"(?s).{{1,{longest}}}(?!\S)", text)
    return (whole_words.group() if whole_words else text[:longest]).rstrip()
