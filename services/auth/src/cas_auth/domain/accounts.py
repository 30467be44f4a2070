"""Who can sign in: addresses and metadata (docs/spec/auth-protocol.md 1.2, 4)."""

import json
import re
from collections.abc import Iterable, Mapping
from enum import IntFlag, StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from cas_auth.domain.refusals import InvalidRequest

EMAIL_MAX_CHARACTERS = 320  # 64 before the @ and 255 after it (RFC 5321); longer text is not worth parsing
# The access token carries both documents of metadata, and services refuse tokens beyond 8 KiB.
METADATA_MAX_BYTES = 4096
# The database role of the protocol, not a role of the marketplace.
TOKEN_ROLE = "authenticated"  # noqa: S105  a role name
# The database role that tokens of a user name; as long as PostgreSQL lets a name be.
ROLE_MAX_CHARACTERS = 63
_PHONE = re.compile(r"[1-9][0-9]{1,14}")


class Agreement(IntFlag):
    """Which addresses agreed to a change from one to the other."""

    NONE = 0
    CURRENT = 1
    NEW = 2
    BOTH = CURRENT | NEW


class Provider(StrEnum):
    EMAIL = "email"
    PHONE = "phone"


def canonical_email(text: str, *, allow_test_domains: bool = False) -> str:
    """The one spelling an address is stored and looked up in. Asks no name server.

    :raises InvalidRequest: it is not an address.
    """
    try:
        if len(text) > EMAIL_MAX_CHARACTERS:
            raise EmailNotValidError
        address = validate_email(
            text.strip(), check_deliverability=False, test_environment=allow_test_domains
        )
    except EmailNotValidError as error:
        raise InvalidRequest("Unable to validate email address: invalid format") from error
    return address.normalized.lower()


def canonical_phone(text: str) -> str:
    """The digits of a number in international form, with or without `+` and blanks (E.164).

    :raises InvalidRequest: it is no such number.
    """
    digits = text.strip().removeprefix("+").replace(" ", "")
    if not _PHONE.fullmatch(digits):
        raise InvalidRequest("Invalid phone number format (E.164 required)")
    return digits


def lookup_email(text: str) -> str:
    """The spelling to look an address up in; text that is no address finds nobody."""
    try:
        return canonical_email(text, allow_test_domains=True)
    except InvalidRequest:
        return text


def account_name(email: str) -> str:
    """The account's name in Redis, which keeps no addresses."""
    return sha256(lookup_email(email).encode()).hexdigest()


def merge_metadata(
    current: Mapping[str, Any],
    changes: Mapping[str, Any] | None,
    *,
    beside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Lay `changes` over `current`; a null removes its key.

    :param beside: the user's other document, which has to fit into the same access token.
    :raises InvalidRequest: the result does not fit into an access token.
    """
    merged = {key: value for key, value in {**current, **(changes or {})}.items() if value is not None}
    if _written_bytes(merged) + _written_bytes(beside or {}) > METADATA_MAX_BYTES:
        raise InvalidRequest(
            f"app_metadata and user_metadata together cannot be larger than {METADATA_MAX_BYTES} bytes"
        )
    return merged


def _written_bytes(document: Mapping[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":"))) if document else 0


def email_app_metadata() -> dict[str, Any]:
    """What tokens say of somebody who signed up with an address."""
    return {"provider": Provider.EMAIL, "providers": [Provider.EMAIL]}


def with_providers(app_metadata: Mapping[str, Any], providers: Iterable[str]) -> dict[str, Any]:
    """The metadata of somebody who signs in with these providers; the main one stays as long as it is among them."""
    names, main = list(dict.fromkeys(providers)), app_metadata.get("provider")
    kept = {name: said for name, said in app_metadata.items() if name not in {"provider", "providers"}}
    return {"provider": main if main in names else names[0], "providers": names, **kept} if names else kept


def email_identity_data(user_id: UUID, email: str, *, verified: bool) -> dict[str, Any]:
    """What an identity of an address says."""
    return {"sub": str(user_id), "email": email, "email_verified": verified, "phone_verified": False}


def phone_identity_data(user_id: UUID, phone: str, *, verified: bool) -> dict[str, Any]:
    """What an identity of a telephone says."""
    return {"sub": str(user_id), "phone": phone, "email_verified": False, "phone_verified": verified}
