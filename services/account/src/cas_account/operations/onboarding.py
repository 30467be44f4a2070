"""A completed onboarding takes effect: template, role, stamp and messages, once (docs/spec/domain.md 5.5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.professional_info import Fields
from cas_account.domain.profile import Identity, UserErased, cut_at_word
from cas_account.domain.roles import Role
from cas_account.models import Profile
from cas_account.operations.professional_info import write_professional_info
from cas_account.operations.profiles import new_agent_id
from cas_account.operations.roles import announce_roles

# The edge tries for about one second; the relay begins when that has surely failed.
DELIVERY_AT_ONCE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the onboarding service reports; `id` is the same for every repetition."""

    id: UUID
    user_id: UUID
    role: Role
    fields: Fields
    profile_bio: str
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """The roles now held, and the message that tells auth; None when it was queued before."""

    roles: tuple[str, ...]
    message_id: UUID | None


def apply_onboarding(session: Session, *, completion: Completion, now: datetime) -> Applied:
    """Merge the answers into the template, add the role, make it active, stamp it, tell auth: all or nothing.

    Safe to repeat for ever: a completion that was applied changes nothing.

    :raises UserErased: the user is gone and stays so.
    """
    repository.lock_user(session, user_id=completion.user_id)
    if repository.is_erased(session, user_id=completion.user_id):
        raise UserErased
    profile = _profile(session, completion.user_id, now=now)
    if repository.is_applied(session, completion_id=completion.id):
        return Applied(tuple(profile.roles), message_id=None)
    _write_answers(session, profile, completion, now=now)
    gained = profile.complete_onboarding(
        completion.role,
        bio=cut_at_word(completion.profile_bio),
        completed_at=completion.completed_at,
        now=now,
    )
    _record(session, completion, gained=gained, now=now)
    message_id = announce_roles(session, user_id=profile.id, relay_waits=DELIVERY_AT_ONCE)
    return Applied(tuple(profile.roles), message_id)


def _profile(session: Session, user_id: UUID, *, now: datetime) -> Profile:
    """The user's profile; made without name and e-mail when no call with a token came first."""
    profile = repository.lock_profile(session, user_id=user_id)
    if profile is None:
        stranger = Identity(user_id=user_id, email="", email_verified=False, display_name="")
        profile = Profile.of(stranger, agent_id=new_agent_id(), now=now)
        repository.add_profile(session, profile)
    return profile


def _write_answers(session: Session, profile: Profile, completion: Completion, *, now: datetime) -> None:
    if not completion.fields:
        return  # nothing to map creates no template
    write_professional_info(
        session,
        owner=profile,
        role=completion.role,
        details=repository.find_details(session, user_id=profile.id, role=completion.role),
        values=completion.fields,
        now=now,
    )


def _record(session: Session, completion: Completion, *, gained: bool, now: datetime) -> None:
    repository.add_completion(
        session,
        completion_id=completion.id,
        profile_id=completion.user_id,
        role=completion.role,
        applied_at=now,
    )
    for action in ("role_added", "onboarding_completed") if gained else ("onboarding_completed",):
        repository.add_audit_entry(
            session,
            actor=completion.user_id,
            acting_role=completion.role,
            action=action,
            thing=f"profile/{completion.user_id}",
            now=now,
            details={"completion_id": str(completion.id)},
        )
