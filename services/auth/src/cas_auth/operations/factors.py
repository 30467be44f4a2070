"""Second factors: enrol one, prove it, take it off."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from cas_auth.credentials.encryption import WrongEncryptionKey
from cas_auth.credentials.tokens import Grant
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.factors import (
    CHALLENGE_LIFETIME,
    MAX_FACTORS,
    MAX_OPEN_CHALLENGES,
    AnonymousNotAllowed,
    ChallengedElsewhere,
    ChallengeExpired,
    FactorNameConflict,
    FactorNotFound,
    FactorUnreadable,
    FactorVerificationFailed,
    SecondFactorRequiredToEnroll,
    SecondFactorRequiredToUnenroll,
    TooManyFactors,
    TotpEnrolmentDisabled,
    TotpVerificationDisabled,
    factor_name,
    issuer_name,
)
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import SessionNotFound
from cas_auth.domain.sessions import AssuranceLevel, AuthMethod
from cas_auth.models import Factor, FactorChallenge, User, UserSession
from cas_auth.operations.mails import request_mail
from cas_auth.operations.sessions import authenticate
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.factors import (
    count_challenges,
    delete_challenges,
    delete_factors,
    find_challenge,
)
from cas_auth.repository.sessions import end_sessions, list_sessions_of_factor, lock_session
from cas_kit.errors import RateLimited

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A factor its user has yet to prove.

    :param secret: for their authenticator app; nobody is shown it again.
    :param uri: the same for a QR code.
    """

    factor: Factor
    secret: str
    uri: str


def enroll_totp(
    session: Session,
    tools: Tools,
    *,
    user_id: UUID,
    session_id: UUID,
    friendly_name: str | None,
    issuer: str | None,
    origin: Origin,
    now: datetime,
) -> Enrolment:
    """Begin to set up an authenticator app. What the user began before and gave up makes way.

    :raises TotpEnrolmentDisabled: this installation takes no apps.
    :raises InvalidRequest: a name is too long.
    :raises AnonymousNotAllowed: the user says nothing of who they are.
    :raises SecondFactorRequiredToEnroll: they have a second factor, and this session was not proven by it.
    :raises FactorNameConflict: they have one of this name.
    :raises TooManyFactors: they have as many as anybody may.
    """
    if not tools.settings.mfa_totp_enroll_enabled:
        raise TotpEnrolmentDisabled
    name = factor_name(friendly_name)
    shown_issuer = issuer_name(issuer) or _own_name(tools)
    found = _authenticate(session, user_id=user_id, session_id=session_id, now=now)
    _make_room(session, found, name, now=now)
    factor_id = tools.new_id()
    secret = tools.totp.make(factor_id)
    factor = Factor.totp(factor_id, sealed_secret=secret.sealed, friendly_name=name, now=now)
    found.user.factors.append(factor)
    _record(session, AuditAction.FACTOR_IN_PROGRESS, found, factor, origin=origin, now=now)
    account = found.user.email or found.user.phone or str(user_id)
    return Enrolment(factor=factor, secret=secret.text, uri=secret.uri(account=account, issuer=shown_issuer))


def challenge_factor(
    session: Session,
    tools: Tools,
    *,
    user_id: UUID,
    session_id: UUID,
    factor_id: UUID,
    origin: Origin,
    now: datetime,
) -> FactorChallenge:
    """Give the user a chance to prove a factor.

    :raises TotpVerificationDisabled: this installation asks for no codes.
    :raises AnonymousNotAllowed: the user says nothing of who they are.
    :raises FactorNotFound: they have no such factor.
    :raises RateLimited: they have more chances than they can need.
    """
    if not tools.settings.mfa_totp_verify_enabled:
        raise TotpVerificationDisabled
    found = _authenticate(session, user_id=user_id, session_id=session_id, now=now)
    factor = _factor(found.user, factor_id)
    delete_challenges(session, factor_id=factor_id, created_before=now - CHALLENGE_LIFETIME)
    if count_challenges(session, factor_id=factor_id) >= MAX_OPEN_CHALLENGES:
        raise RateLimited(retry_after=CHALLENGE_LIFETIME)
    challenge = FactorChallenge(
        id=tools.new_id(), factor_id=factor_id, ip=origin.ip, attempts=0, created_at=now
    )
    session.add(challenge)
    factor.last_challenged_at = now
    _record(session, AuditAction.CHALLENGE_CREATED, found, factor, origin=origin, now=now)
    return challenge


def verify_factor(
    session: Session,
    tools: Tools,
    *,
    user_id: UUID,
    session_id: UUID,
    factor_id: UUID,
    challenge_id: UUID,
    code: str,
    origin: Origin,
    now: datetime,
) -> Grant:
    """Prove a factor in answer to a challenge: this session is proven by it from now on, and the less proven ones end.

    :raises TotpVerificationDisabled: this installation asks for no codes.
    :raises AnonymousNotAllowed: the user says nothing of who they are.
    :raises FactorNotFound: they have no such factor.
    :raises ChallengeExpired: the challenge is unknown, too old, was answered, or there were too many guesses.
    :raises ChallengedElsewhere: it was asked for from another address.
    :raises FactorVerificationFailed: the code is wrong, or was used before.
    :raises FactorUnreadable: its secret was encrypted under another key.
    """
    if not tools.settings.mfa_totp_verify_enabled:
        raise TotpVerificationDisabled
    found = _authenticate(session, user_id=user_id, session_id=session_id, now=now)
    factor = _factor(found.user, factor_id)
    challenge = _open_challenge(session, factor, challenge_id, origin=origin, now=now)
    step = _step_of(tools, factor, code, now=now)
    is_right = factor.use(step)
    _record(
        session,
        AuditAction.VERIFICATION_ATTEMPTED,
        found,
        factor,
        origin=origin,
        now=now,
        succeeded=is_right,
    )
    if not is_right:
        challenge.attempts += 1
        raise FactorVerificationFailed
    _accept(session, tools, found, factor, origin=origin, now=now)
    return tools.issuer.grant(_step_up(session, found, factor, now=now), found.user, now=now)


def _step_of(tools: Tools, factor: Factor, code: str, *, now: datetime) -> int | None:
    try:
        return tools.totp.step_of(code, sealed=factor.sealed_secret, factor_id=factor.id, now=now)
    except WrongEncryptionKey as error:
        log.warning("factor_unreadable", factor_id=str(factor.id))
        raise FactorUnreadable from error


def unenroll_factor(
    session: Session,
    tools: Tools,
    *,
    user_id: UUID,
    session_id: UUID,
    factor_id: UUID,
    origin: Origin,
    now: datetime,
) -> None:
    """Take off one of the caller's factors.

    :raises AnonymousNotAllowed: the user says nothing of who they are.
    :raises FactorNotFound: they have no such factor.
    :raises SecondFactorRequiredToUnenroll: it counts, and this session was proven by none.
    """
    found = _authenticate(session, user_id=user_id, session_id=session_id, now=now)
    factor = _factor(found.user, factor_id)
    if factor.is_verified and found.aal is not AssuranceLevel.AAL2:
        raise SecondFactorRequiredToUnenroll
    remove_factor(session, tools, found.user, factor, now=now)
    _record(session, AuditAction.FACTOR_UNENROLLED, found, factor, origin=origin, now=now)


def remove_factor(session: Session, tools: Tools, user: User, factor: Factor, *, now: datetime) -> None:
    """Take a factor off a locked user; the sessions that were proven by it fall back to the first factor."""
    delete_factors(session, user=user, doomed=[factor])
    for proven in list_sessions_of_factor(session, user_id=user.id, factor_id=factor.id):
        proven.step_down(AuthMethod.TOTP)
    if factor.is_verified:
        _notify(session, tools, user, MailKind.FACTOR_UNENROLLED, now=now)


def _authenticate(session: Session, *, user_id: UUID, session_id: UUID, now: datetime) -> UserSession:
    """The caller's session, the user locked: whatever is counted here is counted one at a time."""
    found = authenticate(session, user_id=user_id, session_id=session_id, now=now, lock=True)
    if found.user.is_anonymous:
        raise AnonymousNotAllowed
    return found


def _own_name(tools: Tools) -> str:
    return tools.settings.mfa_totp_issuer or urlsplit(tools.settings.site_url).netloc


def _make_room(session: Session, found: UserSession, name: str | None, *, now: datetime) -> None:
    user = found.user
    if not found.is_fully_proven:
        raise SecondFactorRequiredToEnroll
    given_up = [factor for factor in user.factors if factor.makes_way_for(name, now)]
    delete_factors(session, user=user, doomed=given_up)
    if name is not None and any(factor.friendly_name == name for factor in user.factors):
        raise FactorNameConflict
    if len(user.factors) >= MAX_FACTORS:
        raise TooManyFactors


def _factor(user: User, factor_id: UUID) -> Factor:
    factor = next((factor for factor in user.factors if factor.id == factor_id), None)
    if factor is None:
        raise FactorNotFound
    return factor


def _open_challenge(
    session: Session, factor: Factor, challenge_id: UUID, *, origin: Origin, now: datetime
) -> FactorChallenge:
    challenge = find_challenge(session, factor_id=factor.id, challenge_id=challenge_id)
    if challenge is None or not challenge.is_open(now):
        raise ChallengeExpired
    if not challenge.is_from(origin.ip):
        raise ChallengedElsewhere
    return challenge


def _accept(
    session: Session, tools: Tools, found: UserSession, factor: Factor, *, origin: Origin, now: datetime
) -> None:
    """Let the factor count, if it did not yet; what else was begun and never proven goes."""
    delete_challenges(session, factor_id=factor.id)
    if not factor.is_verified:
        factor.verify(now)
        _record(session, AuditAction.FACTOR_UPDATED, found, factor, origin=origin, now=now)
        _notify(session, tools, found.user, MailKind.FACTOR_ENROLLED, now=now)
    unproven = [other for other in found.user.factors if not other.is_verified]
    delete_factors(session, user=found.user, doomed=unproven)


def _step_up(session: Session, found: UserSession, factor: Factor, *, now: datetime) -> UserSession:
    """Raise the session, once nobody is refreshing it, and end those of the user that are less proven."""
    proven = lock_session(session, session_id=found.id)
    if proven is None:
        raise SessionNotFound
    proven.step_up(factor.id, AuthMethod.TOTP, now=now)
    end_sessions(session, user_id=found.user_id, except_id=found.id, aal=AssuranceLevel.AAL1)
    return proven


def _notify(session: Session, tools: Tools, user: User, kind: MailKind, *, now: datetime) -> None:
    if user.email is not None:
        request_mail(session, tools, kind=kind, address=user.email, user_id=user.id, now=now)


def _record(
    session: Session,
    action: AuditAction,
    found: UserSession,
    factor: Factor,
    *,
    origin: Origin,
    now: datetime,
    **traits: bool,
) -> None:
    add_audit_entry(
        session,
        action,
        actor_id=found.user_id,
        session_id=found.id,
        origin=origin,
        now=now,
        traits={"factor_id": str(factor.id), "factor_type": factor.factor_type, **traits},
    )
