"""Every SQL statement of the auth service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from cas_auth.domain import AuditAction, EmailExists, Origin, Provider, UserNotFound, email_app_metadata
from cas_auth.models import AuditEntry, Identity, StoredSigningKey, User, UserSession

SIGNING_KEYS_LOCK = 0x5161  # any constant will do: it is held per database
USER_AGENT_CHARACTERS = 512

_CREDENTIALS_BY_EMAIL = select(User.id, User.password_hash).where(User.email == bindparam("email"))
_SESSION_WITH_USER = (
    select(UserSession)
    .where(UserSession.id == bindparam("session_id"), UserSession.user_id == bindparam("user_id"))
    .options(joinedload(UserSession.user).joinedload(User.identities))
)


# ---- users ----


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves a user; no hash when they sign in without a password."""

    user_id: UUID
    password_hash: str | None


def find_credentials(connection: Connection, *, email: str) -> Credentials | None:
    """The credentials of the user with this address."""
    row = connection.execute(_CREDENTIALS_BY_EMAIL, {"email": email}).one_or_none()
    return Credentials(row.id, row.password_hash) if row else None


def add_email_user(
    session: Session,
    *,
    user_id: UUID,
    identity_id: UUID,
    email: str,
    password_hash: str,
    user_metadata: dict[str, Any],
    confirmed_at: datetime | None,
    now: datetime,
) -> User | None:
    """Add a user with their e-mail identity; None, and nothing added, when the address is taken."""
    statement = (
        insert(User)
        .values(
            id=user_id,
            email=email,
            email_confirmed_at=confirmed_at,
            password_hash=password_hash,
            app_metadata=email_app_metadata(),
            app_roles_version=0,
            user_metadata=user_metadata,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=[User.email])
        .returning(User.id)
    )
    if session.scalar(statement) is None:
        return None
    session.add(
        Identity(
            id=identity_id,
            user_id=user_id,
            provider=Provider.EMAIL,
            provider_id=str(user_id),
            identity_data={
                "sub": str(user_id),
                "email": email,
                "email_verified": confirmed_at is not None,
                "phone_verified": False,
            },
            last_sign_in_at=now,
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()
    return lock_user(session, user_id=user_id)


def get_user(session: Session, *, user_id: UUID) -> User:
    """The user, without identities.

    :raises UserNotFound: there is none.
    """
    if (user := session.get(User, user_id)) is None:
        raise UserNotFound
    return user


def lock_user(session: Session, *, user_id: UUID) -> User | None:
    """The user with identities, as they are once no other transaction is changing them."""
    return session.scalar(
        select(User)
        .where(User.id == user_id)
        .options(selectinload(User.identities))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def user_exists(session: Session, *, user_id: UUID) -> bool:
    """Whether there is such a user."""
    return session.scalar(select(User.id).where(User.id == user_id)) is not None


def save_email(session: Session) -> None:
    """Write a changed address.

    :raises EmailExists: it belongs to somebody else.
    """
    try:
        session.flush()
    except IntegrityError as error:
        raise EmailExists from error


def delete_user(session: Session, *, user_id: UUID) -> int:
    """Remove sessions, then identities, then the user; the number of rows removed."""
    removals = (
        delete(UserSession).where(UserSession.user_id == user_id).returning(UserSession.id),
        delete(Identity).where(Identity.user_id == user_id).returning(Identity.id),
        delete(User).where(User.id == user_id).returning(User.id),
    )
    return sum(len(session.scalars(removal).all()) for removal in removals)


# ---- sessions ----


def find_session_with_user(session: Session, *, session_id: UUID, user_id: UUID) -> UserSession | None:
    """The user's session, with the user and their identities."""
    return (
        session.execute(_SESSION_WITH_USER, {"session_id": session_id, "user_id": user_id})
        .unique()
        .scalar_one_or_none()
    )


def lock_session(session: Session, *, session_id: UUID) -> UserSession | None:
    """The session with its user, once no other transaction is refreshing it."""
    return session.scalar(
        select(UserSession)
        .where(UserSession.id == session_id)
        .options(selectinload(UserSession.user).selectinload(User.identities))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def delete_session(session: Session, *, session_id: UUID) -> None:
    """End one session."""
    session.execute(delete(UserSession).where(UserSession.id == session_id))


def delete_sessions(session: Session, *, user_id: UUID, except_id: UUID | None = None) -> None:
    """End the user's sessions, but for one."""
    ending = delete(UserSession).where(UserSession.user_id == user_id)
    session.execute(ending if except_id is None else ending.where(UserSession.id != except_id))


# ---- signing keys ----


def lock_signing_keys(session: Session) -> None:
    """Keep other processes from making keys until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(SIGNING_KEYS_LOCK)))


def list_signing_keys(session: Session) -> Sequence[StoredSigningKey]:
    """All keys, oldest first."""
    return session.scalars(select(StoredSigningKey).order_by(StoredSigningKey.created_at)).all()


# ---- audit log ----


def add_audit_entry(
    session: Session,
    action: AuditAction,
    *,
    actor_id: UUID | None,
    origin: Origin,
    now: datetime,
    session_id: UUID | None = None,
) -> None:
    """Record what happened, with this transaction."""
    session.add(
        AuditEntry(
            action=action,
            actor_id=actor_id,
            session_id=session_id,
            request_id=origin.request_id,
            ip=origin.ip,
            user_agent=origin.user_agent and origin.user_agent[:USER_AGENT_CHARACTERS],
            created_at=now,
        )
    )


def forget_origins(session: Session, *, actor_id: UUID) -> None:
    """Blank where the user's requests came from; what happened stays on record."""
    session.execute(
        update(AuditEntry)
        .where(
            AuditEntry.actor_id == actor_id,
            or_(AuditEntry.ip.is_not(None), AuditEntry.user_agent.is_not(None)),
        )
        .values(ip=None, user_agent=None)
    )
