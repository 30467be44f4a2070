"""Sign in, stay signed in, sign out."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.accounts import lookup_email
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.refusals import (
    AdminSessionExpired,
    BannedFromSigningIn,
    CallerNotFound,
    EmailNotConfirmed,
    InvalidCredentials,
    RefreshTokenAlreadyUsed,
    RefreshTokenNotFound,
    SessionExpired,
    SessionNotFound,
    SignInRefused,
    UserBanned,
)
from cas_auth.domain.sessions import AuthMethod, Expiry, LogoutScope, RefreshVerdict
from cas_auth.models import User, UserSession
from cas_auth.operations.passwords import find_flaws
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.networks import note_network
from cas_auth.repository.one_time_tokens import delete_flows_of_user
from cas_auth.repository.sessions import (
    end_session,
    end_sessions,
    find_session_with_user,
    has_newer_session,
    lock_session,
)
from cas_auth.repository.users import find_credentials, lock_user, user_exists
from cas_kit.db import Database


def sign_in_with_password(
    database: Database, tools: Tools, *, email: str, password: str, origin: Origin, now: datetime
) -> Grant:
    """Start a session for whoever knows the password. An unknown address costs the same work as a wrong password.

    A password that would not be accepted today still signs in; the grant says what is wrong with it.

    :raises InvalidCredentials: the address or the password is wrong.
    :raises EmailNotConfirmed: they are right, but the address was never confirmed.
    :raises BannedFromSigningIn: they are right, but the user is banned.
    :raises Unavailable: too many passwords are being checked.
    """
    with database.autocommit() as connection:
        found = find_credentials(connection, email=lookup_email(email))
    stored = found.password_hash if found else None
    matched = tools.hasher.matches(password, stored)
    flaws = find_flaws(tools, password) if matched else ()
    renewed = (
        tools.hasher.hash(password) if stored and matched and tools.hasher.is_outdated(stored) else stored
    )
    with database.transaction() as session:
        user = lock_user(session, user_id=found.user_id) if found and matched else None
        # Another request may have changed the password while this one was checking it.
        if user is None or user.password_hash != stored:
            actor_id = found.user_id if found else None
            raise refuse_sign_in(session, InvalidCredentials(), actor_id=actor_id, origin=origin, now=now)
        user.password_hash = renewed
        grant = start_session(session, tools, user, AuthMethod.PASSWORD, origin=origin, now=now)
    return replace(grant, weak_password=flaws)


def start_session(
    session: Session, tools: Tools, user: User, method: AuthMethod, *, origin: Origin, now: datetime
) -> Grant:
    """Sign in a user, locked by this transaction, who was proven by `method`.

    :raises EmailNotConfirmed: the address was never confirmed.
    :raises BannedFromSigningIn: the user is banned.
    """
    if user.email is not None and user.email_confirmed_at is None:
        raise refuse_sign_in(session, EmailNotConfirmed(), actor_id=user.id, origin=origin, now=now)
    if user.is_banned(now):
        raise refuse_sign_in(session, BannedFromSigningIn(), actor_id=user.id, origin=origin, now=now)
    if origin.network is not None:
        note_network(session, user_id=user.id, network=origin.network, now=now)
    # Last, so that what the grant changes in it is written with it.
    started = UserSession.start(user, method, session_id=tools.new_id(), origin=origin, now=now)
    session.add(started)
    add_audit_entry(
        session, AuditAction.LOGIN, actor_id=user.id, session_id=started.id, origin=origin, now=now
    )
    return tools.issuer.grant(started, user, now=now)


def refresh(session: Session, tools: Tools, *, refresh_token: str, origin: Origin, now: datetime) -> Grant:
    """Renew the tokens of a session. Safe to repeat: whoever lost the answer gets the same refresh token again.

    :raises InvalidRequest: the token is malformed.
    :raises RefreshTokenNotFound: it is forged, or its session has ended.
    :raises RefreshTokenAlreadyUsed: it was renewed long ago; the session has been ended, whoever holds its tokens.
        Or it is from before a second factor was proven just now; then the session stays.
    :raises SessionExpired: it has passed a limit and has been ended.
    :raises BannedFromSigningIn: the user is banned.
    """
    presented = tools.issuer.refresh_tokens.read(refresh_token)
    found = lock_session(session, session_id=presented.session_id)
    if found is None:
        raise RefreshTokenNotFound
    if found.user.is_banned(now):
        raise refuse_sign_in(session, BannedFromSigningIn(), actor_id=found.user_id, origin=origin, now=now)
    if why := session_expiry(session, tools, found, now=now):
        _revoke(session, found, origin=origin, now=now, reason=why.name.lower())
        raise SessionExpired(why)
    interval = tools.settings.refresh_reuse_interval
    verdict = found.present(presented.counter, origin=origin, now=now, reuse_interval=interval)
    if verdict is RefreshVerdict.UNKNOWN:
        raise RefreshTokenNotFound
    if verdict is RefreshVerdict.SPENT:
        raise RefreshTokenAlreadyUsed
    if verdict is RefreshVerdict.REUSED:
        _revoke(session, found, origin=origin, now=now, reason="token_reused")
        raise RefreshTokenAlreadyUsed
    causes = (
        found.reuse_causes(presented.counter, now=now, reuse_interval=interval)
        if verdict is RefreshVerdict.REPEAT
        else ()
    )
    return tools.issuer.grant(found, found.user, now=now, reuse_causes=causes)


def authenticate(
    session: Session, *, user_id: UUID, session_id: UUID, now: datetime, lock: bool = False
) -> UserSession:
    """The session a valid access token speaks of, with its user, as long as it lasts.

    :param lock: keep others from changing the user until this transaction ends.
    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the session was ended.
    :raises UserBanned: the user is banned.
    """
    if lock:
        lock_user(session, user_id=user_id)
    found = find_session_with_user(session, session_id=session_id, user_id=user_id)
    if found is None:
        raise SessionNotFound if user_exists(session, user_id=user_id) else CallerNotFound
    if found.user.is_banned(now):
        raise UserBanned
    return found


def authenticate_admin(
    session: Session, tools: Tools, *, user_id: UUID, session_id: UUID, now: datetime
) -> UserSession:
    """The session of a user whose token administers others: here its limits count at once, not when it is renewed.

    :raises AdminSessionExpired: it has passed one.
    """
    found = authenticate(session, user_id=user_id, session_id=session_id, now=now)
    if session_expiry(session, tools, found, now=now):
        raise AdminSessionExpired
    return found


def session_expiry(session: Session, tools: Tools, found: UserSession, *, now: datetime) -> Expiry | None:
    """The limit that a session has passed; it ends when somebody tries to renew it."""
    if why := found.expiry(tools.session_limits, user=found.user, now=now):
        return why
    if tools.settings.session_single_per_user and has_newer_session(session, found):
        return Expiry.NEWER_LOGIN
    return None


def sign_out(
    session: Session, *, user_id: UUID, session_id: UUID, scope: LogoutScope, origin: Origin, now: datetime
) -> None:
    """End this session, the user's other sessions, or all of them.

    With others go the codes that would begin one.

    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the session was ended already.
    :raises UserBanned: the user is banned.
    """
    authenticate(session, user_id=user_id, session_id=session_id, now=now, lock=True)
    if scope is LogoutScope.LOCAL:
        end_session(session, session_id=session_id)
    else:
        spared = session_id if scope is LogoutScope.OTHERS else None
        end_sessions(session, user_id=user_id, except_id=spared)
        delete_flows_of_user(session, user_id=user_id)
    add_audit_entry(
        session, AuditAction.LOGOUT, actor_id=user_id, session_id=session_id, origin=origin, now=now
    )


def refuse_sign_in(
    session: Session, refusal: SignInRefused, *, actor_id: UUID | None, origin: Origin, now: datetime
) -> SignInRefused:
    """Put the failed attempt on record; the refusal to raise."""
    add_audit_entry(session, AuditAction.LOGIN_FAILED, actor_id=actor_id, origin=origin, now=now)
    return refusal


def _revoke(session: Session, found: UserSession, *, origin: Origin, now: datetime, reason: str) -> None:
    end_session(session, session_id=found.id)
    add_audit_entry(
        session,
        AuditAction.TOKEN_REVOKED,
        actor_id=found.user_id,
        session_id=found.id,
        origin=origin,
        now=now,
        traits={"reason": reason},
    )
