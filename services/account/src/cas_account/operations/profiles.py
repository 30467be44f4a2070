"""Profiles: created by the first call of their user, read and changed by their owner, shown to other services."""

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random, SystemRandom
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.profile import Identity, ProfileChanges, ProfileNotFound, TooManyIds
from cas_account.models import Profile
from cas_account.operations.cards import announce_card
from cas_account.operations.files import release_files
from cas_account.operations.roles import announce_roles
from cas_kit.errors import Unauthenticated

MOST_PROFILES = 500
_AGENT_ID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O, U: read aloud without mistakes
_AGENT_ID_LENGTH = 10  # 50 bits: among a million users, the odds that any two share one are 1 in 2,000
_UNPREDICTABLE = SystemRandom()

CheckVersion = Callable[[int | None], None]
"""Holds the stored version (None: nothing stored) against the one the caller knows; raises `VersionMismatch`."""


def new_agent_id(chance: Random = _UNPREDICTABLE) -> str:
    """A referral id that nobody has, in all likelihood; otherwise the unique index refuses it."""
    return "".join(chance.choices(_AGENT_ID_ALPHABET, k=_AGENT_ID_LENGTH))


def welcome(session: Session, *, identity: Identity, agent_id: str, now: datetime) -> Profile:
    """Create the profile of a user who calls for the first time, or refresh what the token knows better.

    Safe to repeat and to run twice at once.

    :raises Unauthenticated: the user was erased; nothing is created again.
    """
    repository.lock_user(session, user_id=identity.user_id)
    if repository.is_erased(session, user_id=identity.user_id):
        raise Unauthenticated
    profile = repository.lock_profile(session, user_id=identity.user_id)
    if profile is None:
        profile = Profile.of(identity, agent_id=agent_id, now=now)
        repository.add_profile(session, profile)
    else:
        announce_card(session, user_id=profile.id, changed=profile.recognise(identity, now=now))
    return profile


def get_own_profile(connection: Connection, *, user_id: UUID) -> Profile:
    """The caller's profile.

    :raises Unauthenticated: it was erased after the token was issued.
    """
    profile = repository.find_profile(connection, user_id=user_id)
    if profile is None:
        raise Unauthenticated
    return profile


def get_public_profile(connection: Connection, *, user_id: UUID) -> Profile:
    """What everybody may know of one user.

    :raises ProfileNotFound: there is no such profile, or it is hidden.
    """
    profile = repository.find_public_profile(connection, user_id=user_id)
    if profile is None:
        raise ProfileNotFound
    return profile


def lock_own_profile(session: Session, *, user_id: UUID) -> Profile:
    """The caller's profile, held until the transaction ends.

    :raises Unauthenticated: it was erased after the token was issued.
    """
    profile = repository.lock_profile(session, user_id=user_id)
    if profile is None or profile.erasing_at is not None:
        raise Unauthenticated
    return profile


def change_profile(
    session: Session, *, user_id: UUID, changes: ProfileChanges, check_version: CheckVersion, now: datetime
) -> Profile:
    """Write what the owner changed; changing nothing keeps version and `updated_at`.

    :raises VersionMismatch: the caller knows another version.
    :raises ValidationFailed: a value cannot follow the stored one.
    :raises RoleNotHeld: the role to switch to was not gained yet.
    """
    profile = lock_own_profile(session, user_id=user_id)
    check_version(profile.version)
    changed = profile.change(changes, now=now)
    release_files(session, user_id=user_id, released=profile.release(), now=now)
    if "active_role" in changed:
        announce_roles(session, user_id=user_id)
    announce_card(session, user_id=user_id, changed=changed)
    return profile


def get_card(connection: Connection, *, user_id: UUID) -> Profile:
    """What other services may know of one user.

    :raises ProfileNotFound: there is no such profile.
    """
    for profile in repository.list_cards(connection, user_ids=[user_id]):
        return profile
    raise ProfileNotFound


def list_cards(connection: Connection, *, user_ids: Sequence[UUID]) -> Sequence[Profile]:
    """What other services may know of these users; unknown ones are left out.

    :raises TooManyIds: more than 500 were asked for.
    """
    if len(user_ids) > MOST_PROFILES:
        raise TooManyIds
    return repository.list_cards(connection, user_ids=user_ids)
