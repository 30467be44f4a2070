"""Rows of a Supabase project's `auth` schema, as exports write them, in our words (docs/migrate-from-supabase.md)."""

import binascii
import json
from base64 import b32decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from cas_auth.domain.accounts import (
    ROLE_MAX_CHARACTERS,
    TOKEN_ROLE,
    canonical_email,
    canonical_phone,
    merge_metadata,
)
from cas_auth.domain.factors import FactorStatus, FactorType
from cas_auth.domain.refusals import InvalidRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
TOTP_SECRET_LEAST_BYTES = 10  # authenticator apps take no shorter one
IDENTITY_MAX_BYTES = 64 * 1024


class RowKind(StrEnum):
    """The table a row is of; in the order in which they have to come."""

    USER = "users"
    IDENTITY = "identities"
    FACTOR = "factors"

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> "RowKind | None":
        """The table that has these columns; None when it is none of them."""
        for kind, marks in _MARKS.items():
            if marks <= columns.keys():
                return kind
        return None


_MARKS = {
    RowKind.USER: {"id", "encrypted_password"},
    RowKind.IDENTITY: {"user_id", "provider", "identity_data"},
    RowKind.FACTOR: {"id", "user_id", "factor_type", "secret"},
}


class RowRefused(Exception):
    """A row that cannot be taken; the text says why, and repeats nothing of the row."""


class LeftOut(Exception):
    """A row that nobody misses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedUser:
    """A user as our table holds them."""

    id: UUID
    email: str | None
    phone: str | None
    password_hash: str | None
    role: str
    is_anonymous: bool
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    email_confirmed_at: datetime | None
    phone_confirmed_at: datetime | None
    invited_at: datetime | None
    confirmation_sent_at: datetime | None
    recovery_sent_at: datetime | None
    last_sign_in_at: datetime | None
    banned_until: datetime | None
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def read(cls, columns: Mapping[str, Any], *, allow_test_domains: bool) -> Self:
        """The user of a row of `auth.users`. Of one who was deleted softly, the id alone.

        :raises RowRefused: something cannot be taken.
        """
        row = _Row(columns)
        if row.flag("is_sso_user"):
            raise RowRefused("signs in by SAML, which is not offered here")
        kept = _Row({}) if row.instant("deleted_at") else row
        created_at = row.instant("created_at") or EPOCH
        app_metadata = kept.metadata("raw_app_meta_data")
        return cls(
            id=row.id("id"),
            email=kept.email("email", allow_test_domains=allow_test_domains),
            phone=kept.phone("phone"),
            password_hash=kept.text("encrypted_password"),
            role=row.role("role"),
            is_anonymous=row.flag("is_anonymous"),
            app_metadata=app_metadata,
            user_metadata=kept.metadata("raw_user_meta_data", beside=app_metadata),
            email_confirmed_at=kept.instant("email_confirmed_at"),
            phone_confirmed_at=kept.instant("phone_confirmed_at"),
            invited_at=kept.instant("invited_at"),
            confirmation_sent_at=kept.instant("confirmation_sent_at"),
            recovery_sent_at=kept.instant("recovery_sent_at"),
            last_sign_in_at=kept.instant("last_sign_in_at"),
            banned_until=row.instant("banned_until"),
            deleted_at=row.instant("deleted_at"),
            created_at=created_at,
            updated_at=row.instant("updated_at") or created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedIdentity:
    """An identity as our table holds it."""

    id: UUID
    user_id: UUID
    provider: str
    provider_id: str
    identity_data: dict[str, Any]
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def read(cls, columns: Mapping[str, Any]) -> Self:
        """The identity of a row of `auth.identities`. Projects that were never updated have the provider's id in `id`.

        :raises RowRefused: something cannot be taken.
        """
        row = _Row(columns)
        provider = row.demanded("provider")
        if provider.startswith("sso:"):
            raise RowRefused("signs in by SAML, which is not offered here")
        provider_id = row.text("provider_id") or row.demanded("id")
        created_at = row.instant("created_at") or EPOCH
        is_old = row.text("provider_id") is None
        return cls(
            id=uuid5(NAMESPACE_URL, f"{provider}:{provider_id}") if is_old else row.id("id"),
            user_id=row.id("user_id"),
            provider=provider,
            provider_id=provider_id,
            identity_data=row.document("identity_data", max_bytes=IDENTITY_MAX_BYTES),
            last_sign_in_at=row.instant("last_sign_in_at"),
            created_at=created_at,
            updated_at=row.instant("updated_at") or created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFactor:
    """An authenticator app that its user has proven."""

    id: UUID
    user_id: UUID
    friendly_name: str | None
    secret: str
    last_challenged_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def read(cls, columns: Mapping[str, Any]) -> Self:
        """The factor of a row of `auth.mfa_factors`.

        :raises LeftOut: its user never proved it.
        :raises RowRefused: it is no authenticator app, or something cannot be taken.
        """
        row = _Row(columns)
        if row.text("status") != FactorStatus.VERIFIED:
            raise LeftOut
        if row.text("factor_type") != FactorType.TOTP:
            raise RowRefused("second factors that are no authenticator apps are not offered here")
        created_at = row.instant("created_at") or EPOCH
        return cls(
            id=row.id("id"),
            user_id=row.id("user_id"),
            friendly_name=row.text("friendly_name"),
            secret=row.base32("secret"),
            last_challenged_at=row.instant("last_challenged_at"),
            created_at=created_at,
            updated_at=row.instant("updated_at") or created_at,
        )


class _Row:
    """Columns read one by one; every reader raises `RowRefused` for what it cannot read."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = columns

    def text(self, name: str) -> str | None:
        """Text; None when it is empty, as exports do not agree on how nothing looks."""
        value = self._columns.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise RowRefused(f"{name} is no text")
        if "\x00" in value or not _is_encodable(value):
            raise RowRefused(f"{name} has characters that cannot be stored")
        return value

    def demanded(self, name: str) -> str:
        """Text that has to be there."""
        value = self.text(name)
        if value is None:
            raise RowRefused(f"{name} is missing")
        return value

    def id(self, name: str) -> UUID:
        """A UUID that has to be there."""
        try:
            return UUID(self.demanded(name))
        except ValueError as error:
            raise RowRefused(f"{name} is no UUID") from error

    def flag(self, name: str) -> bool:
        """True or false; JSON and CSV write it differently."""
        value = self._columns.get(name)
        if value in (None, "", False, "f", "false"):
            return False
        if value in (True, "t", "true"):
            return True
        raise RowRefused(f"{name} is neither true nor false")

    def instant(self, name: str) -> datetime | None:
        """An instant; in UTC where it does not say."""
        value = self.text(name)
        if value is None:
            return None
        if value == "infinity":
            return FOREVER
        try:
            instant = datetime.fromisoformat(value)
        except ValueError as error:
            raise RowRefused(f"{name} is no instant") from error
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

    def email(self, name: str, *, allow_test_domains: bool) -> str | None:
        """An address."""
        value = self.text(name)
        try:
            return value and canonical_email(value, allow_test_domains=allow_test_domains)
        except InvalidRequest as error:
            raise RowRefused(f"{name} is no address") from error

    def phone(self, name: str) -> str | None:
        """A number."""
        value = self.text(name)
        try:
            return value and canonical_phone(value)
        except InvalidRequest as error:
            raise RowRefused(f"{name} is no number in E.164") from error

    def role(self, name: str) -> str:
        """A database role."""
        value = self.text(name) or TOKEN_ROLE
        if len(value) > ROLE_MAX_CHARACTERS:
            raise RowRefused(f"{name} is too long")
        return value

    def metadata(self, name: str, *, beside: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What tokens carry, beside the other document."""
        try:
            return merge_metadata({}, self.document(name, max_bytes=IDENTITY_MAX_BYTES), beside=beside)
        except InvalidRequest as error:
            raise RowRefused(f"{name} is larger than an access token can carry") from error

    def document(self, name: str, *, max_bytes: int) -> dict[str, Any]:
        """A JSON object, or the text of one; none is an empty one."""
        value = self._columns.get(name)
        try:
            found = json.loads(value) if isinstance(value, str) and value else value or {}
            written = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise RowRefused(f"{name} is no JSON that can be stored") from error
        if not isinstance(found, dict) or b"\\u0000" in written:
            raise RowRefused(f"{name} is no JSON object that can be stored")
        if len(written) > max_bytes:
            raise RowRefused(f"{name} is larger than {max_bytes} bytes")
        return found

    def base32(self, name: str) -> str:
        """A secret as authenticator apps take it."""
        text = self.demanded(name).replace(" ", "").rstrip("=").upper()
        try:
            size = len(b32decode(text + "=" * (-len(text) % 8)))
        except binascii.Error as error:
            raise RowRefused(f"{name} is encrypted, or no base32") from error
        if size < TOTP_SECRET_LEAST_BYTES:
            raise RowRefused(f"{name} is too short")
        return text


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
