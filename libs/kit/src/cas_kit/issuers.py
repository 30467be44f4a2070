"""Whose access tokens are good beside our own, and which local user each of their subjects is (docs/adr/0015)."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Self
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

SECRET_BYTES = 32  # RFC 7518 3.2: as long as the hash
SUBJECT_LENGTH = range(1, 256)  # OpenID Connect Core 1.0, section 2


class Algorithm(StrEnum):
    """How a token may be signed."""

    ES256 = "ES256"
    RS256 = "RS256"
    HS256 = "HS256"


PUBLISHED = frozenset({Algorithm.ES256, Algorithm.RS256})
"""Those whose verifying key is public, in a JWKS document."""


class Subjects(StrEnum):
    """Which local user the `sub` of a token speaks of.

    SAME: the one with this id. DERIVED: one whose id follows from issuer and `sub`, and whom nobody else speaks for.
    """

    SAME = "same"
    DERIVED = "derived"


class TrustedIssuer(BaseModel):
    """An issuer beside our own, and the one algorithm its tokens are signed with.

    While an issuer leaves HS256, it has two entries. The entry of our own issuer is the secret it signed with before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1)
    algorithm: Algorithm
    jwks_url: str | None = Field(default=None, pattern=r"^https?://")
    secret: SecretStr | None = None
    # The `kid` that tokens of the secret carry, if any. Services try the secret anyway; Kong finds no key without it.
    kid: str | None = Field(default=None, min_length=1)
    audience: str = Field(default="authenticated", min_length=1)
    subjects: Subjects = Subjects.DERIVED

    @model_validator(mode="after")
    def has_a_secret_or_published_keys(self) -> Self:
        """HS256 has a secret of decent length, the others have a JWKS."""
        if self.algorithm in PUBLISHED:
            if self.secret is not None or self.kid is not None:
                raise ValueError(
                    f"{self.algorithm} keys come from jwks_url, with their ids, not from a secret"
                )
        elif self.jwks_url is not None:
            raise ValueError("HS256 has a secret and no jwks_url")
        elif self.secret is None or len(self.secret.get_secret_value().encode()) < SECRET_BYTES:
            raise ValueError(f"HS256 needs a secret of at least {SECRET_BYTES} bytes")
        return self

    @property
    def keys_url(self) -> str:
        """Where its public keys are."""
        return self.jwks_url or f"{self.issuer.rstrip('/')}/.well-known/jwks.json"


def check_issuers(entries: Iterable[TrustedIssuer], *, own: str, audience: str) -> None:
    """Hold entries against each other and against our own issuer.

    :raises ValueError: one of them makes no sense beside the others.
    """
    entries = tuple(entries)
    kinds = Counter((entry.issuer, entry.algorithm in PUBLISHED) for entry in entries)
    for (issuer, published), count in kinds.items():
        if count > 1:
            kind = "keys in a JWKS" if published else "a secret"
            raise ValueError(f"{issuer} has two entries with {kind}; one key source of a kind is enough")
    promises = Counter(issuer for issuer, _, _ in {(e.issuer, e.subjects, e.audience) for e in entries})
    for issuer, count in promises.items():
        if count > 1:
            raise ValueError(f"the entries of {issuer} must agree on subjects and audience")
    expected = (Algorithm.HS256, Subjects.SAME, audience)
    for entry in entries:
        if entry.issuer == own and (entry.algorithm, entry.subjects, entry.audience) != expected:
            raise ValueError(
                f"{own} is our own issuer: an entry can only be its HS256 secret,"
                f" with subjects {Subjects.SAME} and audience {audience}"
            )


def local_user_id(subject: object, *, issuer: str, subjects: Subjects) -> UUID:
    """The user whom `issuer` means by `subject`.

    :raises ValueError: it means nobody.
    """
    if not isinstance(subject, str) or len(subject) not in SUBJECT_LENGTH:
        raise ValueError("no subject")
    if subjects is Subjects.SAME:
        return UUID(subject)
    return uuid5(uuid5(NAMESPACE_URL, issuer), subject)
