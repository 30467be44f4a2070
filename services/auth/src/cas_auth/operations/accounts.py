"""Sign up, and change one's own account."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.accounts import canonical_email, merge_metadata
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.refusals import (
    EmailChangesDisabled,
    SamePassword,
    SecondFactorRequired,
    SignupDisabled,
    UserAlreadyExists,
)
from cas_auth.domain.sessions import AuthMethod
from cas_auth.models import User, UserSession
from cas_auth.operations.passwords import check_new_password
from cas_auth.operations.sessions import authenticate, start_session
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.sessions import end_sessions
from cas_auth.repository.users import add_email_user, save_email
from cas_kit.db import Database


def sign_up(
    database: Database,
    tools: Tools,
    *,
    email: str,
    password: str,
    data: Mapping[str, Any] | None,
    origin: Origin,
    now: datetime,
) -> Grant | User:
    """Add a user: signed in where addresses are trusted, else waiting for confirmation.

    Where they wait, a known address is answered with a made-up user after the same work.

    :raises SignupDisabled: this installation takes no new users.
    :raises InvalidRequest: the address, the password or the metadata cannot be accepted.
    :raises WeakPassword: the password is too short, or others use it.
    :raises UserAlreadyExists: the address is known, and addresses are trusted here.
    :raises Unavailable: too many passwords are being hashed.
    """
    settings = tools.settings
    if not settings.signup_enabled:
        raise SignupDisabled
    address = canonical_email(email, allow_test_domains=settings.allows_test_domains)
    check_new_password(tools, password)
    metadata = merge_metadata({}, data)
    password_hash = tools.hasher.hash(password)
    with database.transaction() as session:
        record = partial(add_audit_entry, session, origin=origin, now=now)
        user = add_email_user(
            session,
            user_id=tools.new_id(),
            identity_id=tools.new_id(),
            email=address,
            password_hash=password_hash,
            user_metadata=metadata,
            confirmed_at=now if settings.email_auto_confirm else None,
            now=now,
        )
        if user is None:
            record(AuditAction.USER_REPEATED_SIGNUP, actor_id=None)
            if settings.email_auto_confirm:
                raise UserAlreadyExists
            return User.pretended(user_id=tools.new_id(), email=address, user_metadata=metadata, now=now)
        record(AuditAction.USER_SIGNEDUP, actor_id=user.id)
        if not settings.email_auto_confirm:
            return user
        return start_session(session, tools, user, AuthMethod.PASSWORD, origin=origin, now=now)


def update_user(
    database: Database,
    tools: Tools,
    *,
    user_id: UUID,
    session_id: UUID,
    email: str | None,
    password: str | None,
    data: Mapping[str, Any] | None,
    origin: Origin,
    now: datetime,
) -> User:
    """Change the caller's address, password or metadata; what is None stays. A new password ends their other sessions.

    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the session was ended.
    :raises UserBanned: the user is banned.
    :raises SecondFactorRequired: the user has a second factor, and this session was not proven by it.
    :raises InvalidRequest: the address, the password or the metadata cannot be accepted.
    :raises WeakPassword: the password is too short, or others use it.
    :raises SamePassword: it is the one they have.
    :raises EmailChangesDisabled: an address takes a confirmation here, and there is no way to ask for it.
    :raises EmailExists: the address belongs to somebody else.
    :raises Unavailable: too many passwords are being hashed.
    """
    password_hash = None
    if password is not None:
        with database.transaction() as session:
            found = authenticate(session, user_id=user_id, session_id=session_id, now=now)
        _demand_second_factor(found)
        password_hash = _new_password_hash(tools, found.user, password)
    with database.transaction() as session:
        found = authenticate(session, user_id=user_id, session_id=session_id, now=now, lock=True)
        user = found.user
        if email is not None or password is not None:
            _demand_second_factor(found)
        record = partial(
            add_audit_entry,
            session,
            actor_id=user_id,
            session_id=session_id,
            origin=origin,
            now=now,
        )
        if email is not None:
            _change_email(session, tools, user, email, now=now)
        if data is not None:
            user.merge_metadata(data, now=now)
        if password_hash is not None:
            user.change_password(password_hash, now=now)
            end_sessions(session, user_id=user_id, except_id=session_id)
            record(AuditAction.USER_UPDATED_PASSWORD)
        record(AuditAction.USER_MODIFIED)
        return user


def _demand_second_factor(found: UserSession) -> None:
    if not found.is_fully_proven:
        raise SecondFactorRequired


def _new_password_hash(tools: Tools, user: User, password: str) -> str:
    check_new_password(tools, password)
    if tools.hasher.matches(password, user.password_hash):
        raise SamePassword
    return tools.hasher.hash(password)


def _change_email(session: Session, tools: Tools, user: User, email: str, *, now: datetime) -> None:
    address = canonical_email(email, allow_test_domains=tools.settings.allows_test_domains)
    if address == user.email:
        return
    if not tools.settings.email_auto_confirm:
        raise EmailChangesDisabled
    user.change_email(address, now=now)
    save_email(session)
