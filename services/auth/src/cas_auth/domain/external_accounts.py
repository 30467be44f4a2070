"""Accounts at a provider, and what follows from what is said of them (docs/spec/auth-protocol.md 1.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cas_auth.domain.accounts import canonical_email
from cas_auth.domain.refusals import InvalidRequest

# The access token carries what is kept; a picture that is itself in the claim does not fit.
TEXT_MAX_CHARACTERS = 512
# Names people know a claim of OpenID Connect under, beside its own.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "full_name"),
    "picture": ("picture", "avatar_url"),
    "preferred_username": ("preferred_username",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAccount:
    """Somebody's account at a provider.

    :param subject: the provider's name for them, which never changes.
    :param email: as we write addresses; None where the provider tells none.
    :param email_verified: whether the provider vouches for the address.
    :param data: what an identity keeps of the provider's claims.
    """

    provider: str
    subject: str
    email: str | None
    email_verified: bool
    data: Mapping[str, Any]

    @classmethod
    def of(cls, provider: str, claims: Mapping[str, Any], *, vouches_for_email: bool) -> Self:
        """The account of verified claims.

        :param vouches_for_email: whether the provider's word on addresses counts.
        """
        subject, email = str(claims["sub"]), _email(claims.get("email"))
        verified = vouches_for_email and email is not None and _is_true(claims.get("email_verified"))
        data: dict[str, Any] = {
            "iss": claims["iss"],
            "sub": subject,
            "provider_id": subject,
            "email_verified": verified,
            "phone_verified": False,
            **_profile(claims),
        }
        if email is not None:
            data["email"] = email
        return cls(provider=provider, subject=subject, email=email, email_verified=verified, data=data)


def followed(
    own: Mapping[str, Any], *, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """What changes of a user's metadata when their provider says `after` instead of `before`.

    What the user never changed themselves follows the provider; what they changed, or removed, stays as they want it.
    """
    return {name: said for name, said in after.items() if own.get(name) == before.get(name)}


def _email(said: object) -> str | None:
    try:
        return canonical_email(said, allow_test_domains=True) if isinstance(said, str) else None
    except InvalidRequest:
        return None


def _is_true(said: object) -> bool:
    """Some providers write yes and no as text."""
    return said is True or said == "true"


def _profile(claims: Mapping[str, Any]) -> dict[str, str]:
    return {
        alias: claims[name]
        for name, aliases in _ALIASES.items()
        if is_storable(claims.get(name))
        for alias in aliases
    }


def is_storable(said: object, *, max_characters: int = TEXT_MAX_CHARACTERS) -> bool:
    """Whether a claim is text that the database takes: not too long, no NUL, no half of a surrogate pair."""
    if not isinstance(said, str) or not 0 < len(said) <= max_characters:
        return False
    return all(character != "\0" and not "\ud800" <= character <= "\udfff" for character in said)
