"""Prove an address by what was mailed to it: sign in, confirm, recover, change."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.tokens import Grant
from cas_auth.domain.accounts import Agreement, lookup_email
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.mails import MailKind
from cas_auth.domain.one_time_tokens import KINDS_OF, METHOD_OF, TokenKind, VerifyType
from cas_auth.domain.refusals import BannedFromVerifying, TokenExpired
from cas_auth.models import User
from cas_auth.operations.flows import issue_code
from cas_auth.operations.mails import request_mail
from cas_auth.operations.one_time import Redeemed, redeem_code, redeem_link
from cas_auth.operations.sessions import start_session
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.one_time_tokens import delete_proofs, lock_flow
from cas_auth.repository.users import find_user_id, save_email


@dataclass(frozen=True, slots=True)
class HalfChanged:
    """One of the two addresses agreed to the change; the other one has to as well."""

    sentence = "Confirmation link accepted. Please proceed to confirm link sent to the other email"


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """The address is proven; whoever began the flow gets a session for this code."""

    code: str


Verified = Grant | HalfChanged | CodeIssued

_CHANGES = KINDS_OF[VerifyType.EMAIL_CHANGE]


def verify_link(
    session: Session,
    tools: Tools,
    *,
    link: str,
    verify_type: VerifyType,
    to_flow: bool,
    origin: Origin,
    now: datetime,
) -> Verified:
    """Take what a mailed link proves.

    :param to_flow: leave the session to the client that asked for the link, where it keeps a secret for that.
    :raises TokenExpired: the link is too old, used, replaced by a newer one, or no link of ours.
    :raises BannedFromVerifying: the user is banned.
    """
    redeemed = redeem_link(session, tools, link=link, kinds=KINDS_OF[verify_type], now=now)
    if redeemed is not None and not to_flow:
        redeemed = replace(redeemed, flow_id=None)
    return _accept(session, tools, redeemed, origin=origin, now=now)


def verify_code(
    session: Session,
    tools: Tools,
    *,
    email: str,
    code: str,
    verify_type: VerifyType,
    origin: Origin,
    now: datetime,
) -> Verified:
    """Take what a code proves that was mailed to `email` and typed. An unknown address is answered like a wrong code.

    :raises TokenExpired: the code is wrong, too old, used, or was guessed at too often.
    :raises BannedFromVerifying: the user is banned.
    """
    address = lookup_email(email)
    redeemed = redeem_code(session, tools, address=address, code=code, kinds=KINDS_OF[verify_type], now=now)
    if redeemed is not None:
        redeemed = replace(redeemed, flow_id=None)
    guessed_at = find_user_id(session, email=address)
    return _accept(session, tools, redeemed, guessed_at=guessed_at, origin=origin, now=now)


def _accept(
    session: Session,
    tools: Tools,
    redeemed: Redeemed | None,
    *,
    guessed_at: UUID | None = None,
    origin: Origin,
    now: datetime,
) -> Verified:
    if redeemed is None:
        add_audit_entry(session, AuditAction.VERIFICATION_FAILED, actor_id=guessed_at, origin=origin, now=now)
        raise TokenExpired
    user = redeemed.user
    if user.is_banned(now):
        add_audit_entry(session, AuditAction.LOGIN_FAILED, actor_id=user.id, origin=origin, now=now)
        raise BannedFromVerifying
    if redeemed.kind in _CHANGES:
        if not _agree_to_change(session, tools, redeemed, now=now):
            return HalfChanged()
    else:
        _prove_address(session, tools, redeemed, origin=origin, now=now)
    return _sign_in(session, tools, redeemed, origin=origin, now=now)


def _prove_address(
    session: Session, tools: Tools, redeemed: Redeemed, *, origin: Origin, now: datetime
) -> None:
    """Confirm the address of a user who has just read its mail.

    Only the mail after a sign-up vouches for what was chosen there: a password, or a provider. Whoever comes any other
    way first may not be the one who signed up.
    """
    user, kind = redeemed.user, redeemed.kind
    if user.email_confirmed_at is None:
        if kind is not TokenKind.CONFIRMATION:
            user.distrust_claims(identity_id=tools.new_id(), now=now)
        user.confirm_email(now=now)
        action = AuditAction.INVITE_ACCEPTED if kind is TokenKind.INVITE else AuditAction.USER_SIGNEDUP
        add_audit_entry(session, action, actor_id=user.id, origin=origin, now=now)


def _agree_to_change(session: Session, tools: Tools, redeemed: Redeemed, *, now: datetime) -> bool:
    """Count one address's agreement; whether the change is complete, and done.

    :raises TokenExpired: the change was given up.
    :raises EmailExists: somebody else has taken the address since.
    """
    user = redeemed.user
    if user.new_email is None:
        raise TokenExpired
    agreement = Agreement.NEW if redeemed.kind is TokenKind.EMAIL_CHANGE_NEW else Agreement.CURRENT
    needed = Agreement.BOTH if tools.settings.secure_email_change and user.email else Agreement.NEW
    if not user.agree_to_email_change(agreement, needed=needed, now=now):
        return False
    change_address(session, tools, user, user.new_email, now=now)
    return True


def change_address(session: Session, tools: Tools, user: User, email: str, *, now: datetime) -> None:
    """Give a locked user another address. What was mailed to the old one proves nothing any more, and it is told.

    :raises EmailExists: somebody else has the address.
    """
    old_email = user.email
    user.change_email(email, identity_id=tools.new_id(), now=now)
    save_email(session)
    delete_proofs(session, user_id=user.id)
    if old_email:
        request_mail(session, tools, kind=MailKind.EMAIL_CHANGED, address=old_email, user_id=user.id, now=now)


def _sign_in(
    session: Session, tools: Tools, redeemed: Redeemed, *, origin: Origin, now: datetime
) -> Verified:
    method = METHOD_OF[redeemed.kind]
    flow = lock_flow(session, flow_id=redeemed.flow_id) if redeemed.flow_id else None
    if flow is None:
        return start_session(session, tools, redeemed.user, method, origin=origin, now=now)
    return CodeIssued(issue_code(tools, flow, user_id=redeemed.user.id, method=method, now=now))
