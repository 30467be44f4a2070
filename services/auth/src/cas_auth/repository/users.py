"""Users, their identities and their credentials."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cas_auth.domain.accounts import TOKEN_ROLE, Provider, email_app_metadata, email_identity_data
from cas_auth.domain.administration import PhoneExists, UserIdExists
from cas_auth.domain.refusals import EmailExists, UserNotFound
from cas_auth.models import Identity, User
from cas_auth.repository.loading import WHOLE_USER, WHOLE_USERS

_CREDENTIALS_BY_EMAIL = select(User.id, User.password_hash).where(User.email == bindparam("email"))
_USER = select(User).where(User.id == bindparam("user_id")).options(*WHOLE_USER)
_LOCK_USER = select(User.id).where(User.id == bindparam("user_id")).with_for_update()

_TAKEN = {"uq_users_email": EmailExists, "uq_users_phone": PhoneExists, "pk_users": UserIdExists}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves a user; no hash when they sign in without a password."""

    user_id: UUID
    password_hash: str | None


def find_credentials(connection: Connection, *, email: str) -> Credentials | None:
    """The credentials of the user with this address."""
    row = connection.execute(_CREDENTIALS_BY_EMAIL, {"email": email}).one_or_none()
    return Credentials(row.id, row.password_hash) if row else None


def find_user_id(session: Session, *, email: str) -> UUID | None:
    """The id of the user with this address."""
    return session.scalar(select(User.id).where(User.email == email))


def add_email_user(
    session: Session,
    *,
    user_id: UUID,
    identity_id: UUID,
    email: str,
    password_hash: str | None,
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
            confirmation_sent_at=None if confirmed_at else now,
            password_hash=password_hash,
            role=TOKEN_ROLE,
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
            identity_data=email_identity_data(user_id, email, verified=confirmed_at is not None),
            last_sign_in_at=now,
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()
    return lock_user(session, user_id=user_id)


def get_user(session: Session, *, user_id: UUID) -> User:
    """The user, without identities and factors.

    :raises UserNotFound: there is none.
    """
    if (user := session.get(User, user_id)) is None:
        raise UserNotFound
    return user


def list_users(session: Session, *, user_ids: Collection[UUID]) -> Sequence[User]:
    """Those of these users that there are, without identities and factors."""
    return session.scalars(select(User).where(User.id.in_(user_ids))).all()


def find_user(session: Session, *, user_id: UUID) -> User | None:
    """The user with identities and factors."""
    return session.execute(_USER, {"user_id": user_id}).unique().scalar_one_or_none()


def lock_user(session: Session, *, user_id: UUID) -> User | None:
    """The user with identities and factors, as they are once no other transaction is changing them.

    Locked first and then read: what a statement joins to a row that it waits for is from before the wait.
    """
    key = {"user_id": user_id}
    if session.scalar(_LOCK_USER, key) is None:
        return None
    return session.execute(_USER, key, execution_options={"populate_existing": True}).unique().scalar_one()


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


def save_user(session: Session) -> None:
    """Write a new user, or one with another address or number.

    :raises EmailExists: the address belongs to somebody else.
    :raises PhoneExists: the number belongs to somebody else.
    :raises UserIdExists: the id does.
    """
    try:
        session.flush()
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint not in _TAKEN:
            raise
        raise _TAKEN[constraint] from error


def find_user_by_email(session: Session, *, email: str, lock: bool = False) -> User | None:
    """The user with this address, with identities and factors.

    :param lock: keep others from changing them until this transaction ends.
    """
    statement = select(User).where(User.email == email).options(*WHOLE_USERS)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalar(statement)


def find_user_changing_email(session: Session, *, email: str) -> User | None:
    """A user who waits to leave this address or to get it, locked, with identities."""
    leaves = User.email == email
    return session.scalar(
        select(User)
        .where(User.new_email.is_not(None), or_(leaves, User.new_email == email))
        .order_by(leaves.desc(), User.email_change_sent_at.desc())
        .limit(1)
        .options(*WHOLE_USERS)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
