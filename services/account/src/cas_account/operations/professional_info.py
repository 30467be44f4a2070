"""Professional info: one template per user and role, saved partially, answered completely (docs/spec/domain.md 4)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.professional_info import Fields, NoProfessionalInfo, entry_ids, merge
from cas_account.domain.roles import AskedRole, Role
from cas_account.models import Profile, RoleDetails
from cas_account.operations.profiles import CheckVersion, lock_own_profile
from cas_kit.errors import Unauthenticated


@dataclass(frozen=True, slots=True)
class Saved:
    """A template after a write; `created` when there was none before."""

    details: RoleDetails
    created: bool


def get_own_professional_info(connection: Connection, *, user_id: UUID, role: AskedRole) -> RoleDetails:
    """The caller's template in one role.

    :raises NoProfessionalInfo: nothing was saved yet.
    :raises Unauthenticated: the caller was erased after the token was issued.
    """
    exists, details = repository.find_owned_details(connection, user_id=user_id, role=role.role)
    if not exists:
        raise Unauthenticated
    if details is None:
        raise NoProfessionalInfo(role.as_asked)
    return details


def get_professional_info(connection: Connection, *, user_id: UUID, role: Role) -> RoleDetails:
    """Any user's template in one role, for other services.

    :raises NoProfessionalInfo: nothing was saved, or there is no such user.
    """
    _, details = repository.find_owned_details(connection, user_id=user_id, role=role)
    if details is None:
        raise NoProfessionalInfo(role.value)
    return details


def save_professional_info(
    session: Session,
    *,
    user_id: UUID,
    role: Role,
    values: Fields,
    check_version: CheckVersion,
    now: datetime,
    replace: bool = False,
) -> Saved:
    """Write fields over the caller's template, or in place of it; creates it when there is none.

    Saving what is stored already keeps version and `updated_at`.

    :param values: by field name, None to clear.
    :param replace: fields that are not in `values` are reset instead of kept.
    :raises VersionMismatch: the caller knows another version.
    :raises Unauthenticated: the caller was erased after the token was issued.
    """
    owner = lock_own_profile(session, user_id=user_id)
    details = repository.find_details(session, user_id=user_id, role=role)
    check_version(details.version if details else None)
    saved = write_professional_info(
        session, owner=owner, role=role, details=details, values=values, now=now, replace=replace
    )
    if replace and not saved.created:
        repository.add_audit_entry(
            session,
            actor=user_id,
            acting_role=role,
            action="professional_info_replaced",
            thing=f"role_details/{saved.details.id}",
            now=now,
        )
    return saved


def write_professional_info(
    session: Session,
    *,
    owner: Profile,
    role: Role,
    details: RoleDetails | None,
    values: Fields,
    now: datetime,
    replace: bool = False,
) -> Saved:
    """Merge `values` into the template of an owner whose row is locked."""
    before = {} if details is None or replace else details.fields
    fields = merge(before, values, timezone=owner.timezone)
    if details is not None:
        details.write(fields, entry_ids=entry_ids(fields), now=now)
        return Saved(details, created=False)
    details = RoleDetails(
        id=uuid4(),
        profile_id=owner.id,
        role_type=role,
        fields=fields,
        entry_ids=entry_ids(fields),
        version=1,
        created_at=now,
        updated_at=now,
    )
    repository.add_details(session, details)
    return Saved(details, created=True)


def remove_professional_info(
    session: Session, *, user_id: UUID, role: Role, check_version: CheckVersion
) -> bool:
    """Remove the caller's template in one role; says whether there was one.

    :raises VersionMismatch: the caller knows another version.
    :raises Unauthenticated: the caller was erased after the token was issued.
    """
    lock_own_profile(session, user_id=user_id)
    details = repository.find_details(session, user_id=user_id, role=role)
    check_version(details.version if details else None)
    if details is not None:
        repository.delete_details(session, details)
    return details is not None
