"""Sign up, and change one's own account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.accounts import canonical_email, merge_metadata
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.mails import MailKind
from cas_auth.domain.one_time_tokens import KINDS_OF, TokenKind, VerifyType
from cas_auth.domain.refusals import (
    AnonymousSignInsDisabled,
    CurrentPasswordInvalid,
    CurrentPasswordRequired,
    EmailExists,
    NotAdmin,
    ReauthenticationNeeded,
    ReauthenticationNotValid,
    SamePassword,
    SecondFactorRequired,
    SignupDisabled,
    UserAlreadyExists,
)
from cas_auth.domain.sessions import REAUTHENTICATED_FOR, AuthMethod
from cas_auth.models import User, UserSession
from cas_auth.operations.hooks import allow_user
from cas_auth.operations.mails import (
    PLAIN_LINK,
    MailedLink,
    request_email_change,
    request_link,
    request_mail,
)
from cas_auth.operations.one_time import redeem_users_code
from cas_auth.operations.passwords import check_new_password
from cas_auth.operations.sessions import authenticate, start_session
from cas_auth.operations.tools import Tools
from cas_auth.operations.verification import change_address
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.one_time_tokens import delete_proofs, delete_tokens
from cas_auth.repository.sessions import end_sessions
from cas_auth.repository.users import (
    add_email_user,
    find_credentials,
    find_user_by_email,
)
from cas_kit.db import Database


def sign_up(
    database: Database,
    tools: Tools,
    *,
    email: str,
    password: str,
    data: Mapping[str, Any] | None,
    link: MailedLink = PLAIN_LINK,
    origin: Origin,
    now: datetime,
) -> Grant | User:
    """Add a user: signed in where addresses are trusted, else waiting for confirmation.

    Where they wait, a known address is answered with a made-up user after the same work, and its owner gets a mail.

    :raises SignupDisabled: this installation takes no new users.
    :raises InvalidRequest: the address, the password or the metadata cannot be accepted.
    :raises WeakPassword: the password is too short, or others use it.
    :raises UserAlreadyExists: the address is known, and addresses are trusted here.
    :raises HookRefused: the operator does not want this user.
    :raises Unavailable: too many passwords are being hashed.
    """
    settings = tools.settings
    if not settings.signup_enabled:
        raise SignupDisabled
    address = canonical_email(email, allow_test_domains=settings.allows_test_domains)
    check_new_password(tools, password)
    metadata = merge_metadata({}, data)
    with database.autocommit() as connection:
        known = find_credentials(connection, email=address)
    if known is None:
        allow_user(tools, email=address, user_metadata=metadata, origin=origin, now=now)
    is_same_password = tools.hasher.matches(password, known.password_hash if known else None)
    password_hash = tools.hasher.hash(password)
    owner_id = None if known is None else known.user_id
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
        record(
            AuditAction.USER_SIGNEDUP if user else AuditAction.USER_REPEATED_SIGNUP,
            actor_id=user.id if user else owner_id,
        )
        if not settings.email_auto_confirm:
            request_link(session, tools, kind=MailKind.CONFIRMATION, address=address, link=link, now=now)
            if user is None and not is_same_password:
                _distrust_claims(session, tools, address, now=now)
            return user or User.pretended(
                user_id=tools.new_id(), email=address, user_metadata=metadata, now=now
            )
        if user is None:
            raise UserAlreadyExists
        return start_session(session, tools, user, AuthMethod.PASSWORD, origin=origin, now=now)


def _distrust_claims(session: Session, tools: Tools, email: str, *, now: datetime) -> None:
    """Two people claim an address that nobody has proven: neither gets in by what they chose."""
    user = find_user_by_email(session, email=email, lock=True)
    if user is not None and user.email_confirmed_at is None:
        user.distrust_claims(identity_id=tools.new_id(), now=now)


def sign_up_anonymously(
    database: Database, tools: Tools, *, data: Mapping[str, Any] | None, origin: Origin, now: datetime
) -> Grant:
    """Add and sign in a user who says nothing of who they are.

    :raises SignupDisabled: this installation takes no new users.
    :raises AnonymousSignInsDisabled: it takes none without a name.
    :raises InvalidRequest: the metadata cannot be accepted.
    :raises HookRefused: the operator does not want this user.
    """
    if not tools.settings.signup_enabled:
        raise SignupDisabled
    if not tools.settings.anonymous_enabled:
        raise AnonymousSignInsDisabled
    metadata = merge_metadata({}, data)
    allow_user(tools, app_metadata={}, user_metadata=metadata, origin=origin, now=now)
    user = User.anonymous(user_id=tools.new_id(), user_metadata=metadata, now=now)
    with database.transaction() as session:
        session.add(user)
        session.flush()
        add_audit_entry(session, AuditAction.USER_SIGNEDUP, actor_id=user.id, origin=origin, now=now)
        return start_session(session, tools, user, AuthMethod.ANONYMOUS, origin=origin, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What somebody changes about their account; what is None stays.

    :param current_password: proves that the owner is in front of an open session.
    :param nonce: the code mailed for the same purpose.
    """

    email: str | None = None
    password: str | None = None
    current_password: str | None = None
    nonce: str | None = None
    data: Mapping[str, Any] | None = None
    app_metadata: Mapping[str, Any] | None = None


def update_user(
    database: Database,
    tools: Tools,
    *,
    user_id: UUID,
    session_id: UUID,
    change: AccountChange,
    link: MailedLink = PLAIN_LINK,
    origin: Origin,
    now: datetime,
) -> User:
    """Change the caller's account. A new password ends their other sessions; a new address awaits confirmation.

    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the session was ended.
    :raises UserBanned: the user is banned.
    :raises SecondFactorRequired: the user has a second factor, and this session was not proven by it.
    :raises InvalidRequest: the address, the password or the metadata cannot be accepted.
    :raises WeakPassword: the password is too short, or others use it.
    :raises SamePassword: it is the one they have.
    :raises CurrentPasswordRequired: this installation asks for it, and nobody has just come by a recovery mail.
    :raises CurrentPasswordInvalid: it is not the one they have.
    :raises ReauthenticationNeeded: this installation asks for a mailed code.
    :raises ReauthenticationNotValid: the code is wrong or too old.
    :raises EmailExists: the address belongs to somebody else.
    :raises SecondFactorRequired: the user has one, and this session was started without it.
    :raises NotAdmin: `app_metadata` is for administrators.
    :raises Unavailable: too many passwords are being hashed.
    """
    stored = password_hash = None
    if change.password is not None:
        with database.transaction() as session:
            found = authenticate(session, user_id=user_id, session_id=session_id, now=now)
        _demand_second_factor(found)
        stored = found.user.password_hash
        try:
            password_hash = _new_password_hash(tools, found, change, now=now)
        except CurrentPasswordInvalid:
            _record_doubt(database, found, "current_password", origin=origin, now=now)
            raise
    with database.transaction() as session:
        found = authenticate(session, user_id=user_id, session_id=session_id, now=now, lock=True)
        if change.email is not None or change.password is not None:
            _demand_second_factor(found)
        record = partial(
            add_audit_entry, session, actor_id=user_id, session_id=session_id, origin=origin, now=now
        )
        if password_hash is not None:
            try:
                _reauthenticate(session, tools, found, change, stored=stored, now=now)
            except ReauthenticationNotValid:
                record(AuditAction.VERIFICATION_FAILED, traits={"reason": "nonce"})
                raise
            _change_password(session, tools, found, password_hash, now=now)
            record(AuditAction.USER_UPDATED_PASSWORD)
        if change.email is not None:
            _change_email(session, tools, found.user, change.email, link=link, now=now)
        _change_metadata(tools, found.user, change, now=now)
        record(AuditAction.USER_MODIFIED)
        return found.user


def _change_metadata(tools: Tools, user: User, change: AccountChange, *, now: datetime) -> None:
    if change.app_metadata is not None:
        if user.role not in tools.settings.admin_roles:
            raise NotAdmin
        user.merge_app_metadata(change.app_metadata, now=now)
    if change.data is not None:
        user.merge_metadata(change.data, now=now)


def _record_doubt(
    database: Database, found: UserSession, reason: str, *, origin: Origin, now: datetime
) -> None:
    """Put on record that whoever sits in front of a session could not prove to be its owner."""
    with database.transaction() as session:
        add_audit_entry(
            session,
            AuditAction.VERIFICATION_FAILED,
            actor_id=found.user_id,
            session_id=found.id,
            origin=origin,
            now=now,
            traits={"reason": reason},
        )


def _demand_second_factor(found: UserSession) -> None:
    if not found.is_fully_proven:
        raise SecondFactorRequired


def _new_password_hash(tools: Tools, found: UserSession, change: AccountChange, *, now: datetime) -> str:
    password, stored = change.password or "", found.user.password_hash
    check_new_password(tools, password)
    if change.current_password is not None:
        if stored is not None and not tools.hasher.matches(change.current_password, stored):
            raise CurrentPasswordInvalid
    elif (
        stored is not None and tools.settings.password_change_requires_current and not found.is_recovery(now)
    ):
        raise CurrentPasswordRequired
    if tools.hasher.matches(password, stored):
        raise SamePassword
    return tools.hasher.hash(password)


def _reauthenticate(
    session: Session,
    tools: Tools,
    found: UserSession,
    change: AccountChange,
    *,
    stored: str | None,
    now: datetime,
) -> None:
    """See to it that the owner is in front of the session, as far as this installation wants that."""
    if found.user.password_hash != stored:
        raise SamePassword("The password was changed elsewhere. Sign in with the new one.")
    if change.nonce is not None:
        if not redeem_users_code(
            session, tools, found.user, code=change.nonce, kind=TokenKind.REAUTHENTICATION, now=now
        ):
            raise ReauthenticationNotValid
    elif tools.settings.password_change_requires_reauthentication and found.is_older_than(
        REAUTHENTICATED_FOR, now
    ):
        raise ReauthenticationNeeded


def _change_password(
    session: Session, tools: Tools, found: UserSession, password_hash: str, *, now: datetime
) -> None:
    """Nothing that was mailed or begun, and no other session, outlives the old password."""
    user = found.user
    user.change_password(password_hash, now=now)
    delete_proofs(session, user_id=user.id)
    end_sessions(session, user_id=user.id, except_id=found.id)
    if user.email:
        request_mail(
            session, tools, kind=MailKind.PASSWORD_CHANGED, address=user.email, user_id=user.id, now=now
        )


def _change_email(
    session: Session, tools: Tools, user: User, email: str, *, link: MailedLink, now: datetime
) -> None:
    address = canonical_email(email, allow_test_domains=tools.settings.allows_test_domains)
    if address == user.email:
        return
    if tools.settings.email_auto_confirm:
        change_address(session, tools, user, address, now=now)
        return
    if find_user_by_email(session, email=address) is not None:
        raise EmailExists
    user.ask_for_email(address, now=now)
    delete_tokens(session, user_id=user.id, kinds=KINDS_OF[VerifyType.EMAIL_CHANGE])
    request_email_change(session, tools, user, link=link, now=now)
