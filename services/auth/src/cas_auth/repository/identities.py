"""Accounts at providers, and whose they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cas_auth.domain.accounts import TOKEN_ROLE
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import EmailConflictIdentityNotDeletable
from cas_auth.models import Identity, User
from cas_auth.repository.users import lock_user

ACCOUNT_LOCKS = 0x1D  # any constant will do: it tells these locks from others of this database


def lock_account(session: Session, account: ExternalAccount) -> None:
    """Let nobody else decide whose this account is until this transaction ends. Comes before the lock of any user."""
    name = f"{account.provider}:{account.subject}"
    session.execute(select(func.pg_advisory_xact_lock(ACCOUNT_LOCKS, func.hashtext(name))))


def find_owner_id(session: Session, account: ExternalAccount) -> UUID | None:
    """Who signs in with this account; None while nobody does."""
    return session.scalar(
        select(Identity.user_id).where(
            Identity.provider == account.provider, Identity.provider_id == account.subject
        )
    )


def add_user(
    session: Session, *, user_id: UUID, email: str, confirmed_at: datetime | None, now: datetime
) -> User | None:
    """Add a user who has no identity yet, locked; None, and nothing added, when the address is taken."""
    values: dict[str, Any] = {
        "id": user_id,
        "email": email,
        "email_confirmed_at": confirmed_at,
        "role": TOKEN_ROLE,
        "app_metadata": {},
        "app_roles_version": 0,
        "user_metadata": {},
        "created_at": now,
        "updated_at": now,
    }
    statement = (
        insert(User).values(values).on_conflict_do_nothing(index_elements=[User.email]).returning(User.id)
    )
    if session.scalar(statement) is None:
        return None
    return lock_user(session, user_id=user_id)


def save_removal(session: Session) -> None:
    """Write that an identity is gone, and the address that the user has instead.

    :raises EmailConflictIdentityNotDeletable: it belongs to somebody else.
    """
    try:
        session.flush()
    except IntegrityError as error:
        raise EmailConflictIdentityNotDeletable from error
