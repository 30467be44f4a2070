"""Whose an account at a provider is: who may join whom, and what has to be proven first.

Accounts join a user on their own only where both sides prove the same address (docs/spec/auth-protocol.md 1.4).
"""

from datetime import datetime

from sqlalchemy.orm import Session

from cas_auth.domain.accounts import with_providers
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import (
    EmailAddressNotProvided,
    ProviderEmailNeedsVerification,
)
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import BannedFromSigningIn, SignupDisabled
from cas_auth.models import User
from cas_auth.operations.hooks import allow_user
from cas_auth.operations.identities import announce_link
from cas_auth.operations.mails import MailedLink, request_link
from cas_auth.operations.sessions import refuse_sign_in
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.identities import add_user, find_owner_id, lock_account
from cas_auth.repository.one_time_tokens import delete_proofs
from cas_auth.repository.sessions import end_sessions
from cas_auth.repository.users import find_user_by_email, lock_user
from cas_kit.db import Database
from cas_kit.errors import Unavailable


def ask_about_newcomer(
    database: Database, tools: Tools, account: ExternalAccount, *, origin: Origin, now: datetime
) -> bool:
    """Whether a user may be added for this account, as far as the operator has to be asked. Never inside a transaction.

    :raises HookRefused: the operator does not want them, and says why.
    :raises DomainError: the hook is broken or does not answer in time.
    """
    if tools.before_user_created is None or not tools.settings.signup_enabled or account.email is None:
        return True
    with database.transaction() as session:
        if find_owner_id(session, account) or find_user_by_email(session, email=account.email):
            return False
    allow_user(
        tools,
        email=account.email,
        app_metadata=with_providers({}, [account.provider]),
        user_metadata=account.data,
        origin=origin,
        now=now,
    )
    return True


def record_failure(database: Database, *, provider: str, origin: Origin, now: datetime) -> None:
    """Put on record that somebody came with what proves nothing."""
    with database.transaction() as session:
        traits = {"provider": provider}
        add_audit_entry(
            session, AuditAction.LOGIN_FAILED, actor_id=None, traits=traits, origin=origin, now=now
        )


def user_of_account(
    session: Session,
    tools: Tools,
    account: ExternalAccount,
    *,
    may_add: bool = True,
    link: MailedLink,
    origin: Origin,
    now: datetime,
) -> User:
    """The user, locked, who signs in with this account: its owner, whoever has its address, or a new one.

    :param may_add: what `ask_about_newcomer` said.
    :param link: where the mail leads that asks whether the address is right.
    :raises SignupDisabled: it would be a new one, and this installation takes none.
    :raises EmailAddressNotProvided: it would be a new one, without an address.
    :raises ProviderEmailNeedsVerification: nobody has proven yet that the address is theirs.
    :raises BannedFromSigningIn: the user is banned.
    """
    lock_account(session, account)
    user = _owner(session, account)
    if user is None:
        user = _join(session, tools, account, may_add=may_add, origin=origin, now=now)
    else:
        _refuse_banned(session, user, origin=origin, now=now)
        user.meet_account(account, now=now)
    if user.email is not None and user.email_confirmed_at is None:
        _prove(session, tools, user, account, link=link, now=now)
    return user


def _owner(session: Session, account: ExternalAccount) -> User | None:
    owner_id = find_owner_id(session, account)
    return lock_user(session, user_id=owner_id) if owner_id else None


def _join(
    session: Session, tools: Tools, account: ExternalAccount, *, may_add: bool, origin: Origin, now: datetime
) -> User:
    """Give the account, which is nobody's, to whoever has its address, or to a new user."""
    if account.email is None:
        raise EmailAddressNotProvided
    holder = find_user_by_email(session, email=account.email, lock=True)
    if holder is None and may_add:
        newcomer = _add_newcomer(session, tools, account, email=account.email, origin=origin, now=now)
        if newcomer is not None:
            return newcomer
        holder = find_user_by_email(session, email=account.email, lock=True)
    if holder is None:
        raise Unavailable  # who had the address a moment ago has just given it up
    _refuse_banned(session, holder, origin=origin, now=now)
    if not account.email_verified:
        raise _unproven(account)
    identity = holder.add_account(account, identity_id=tools.new_id(), now=now)
    announce_link(session, tools, holder, identity, origin=origin, now=now)
    return holder


def _add_newcomer(
    session: Session, tools: Tools, account: ExternalAccount, *, email: str, origin: Origin, now: datetime
) -> User | None:
    """A new user with this account; None when somebody has taken the address since."""
    if not tools.settings.signup_enabled:
        raise SignupDisabled
    is_trusted = account.email_verified or tools.settings.email_auto_confirm
    user = add_user(
        session, user_id=tools.new_id(), email=email, confirmed_at=now if is_trusted else None, now=now
    )
    if user is not None:
        user.add_account(account, identity_id=tools.new_id(), now=now)
        add_audit_entry(
            session,
            AuditAction.USER_SIGNEDUP,
            actor_id=user.id,
            traits={"provider": account.provider},
            origin=origin,
            now=now,
        )
    return user


def _refuse_banned(session: Session, user: User, *, origin: Origin, now: datetime) -> None:
    if user.is_banned(now):
        raise refuse_sign_in(session, BannedFromSigningIn(), actor_id=user.id, origin=origin, now=now)


def _prove(
    session: Session, tools: Tools, user: User, account: ExternalAccount, *, link: MailedLink, now: datetime
) -> None:
    """Confirm the user's address by the provider's word, or ask its owner by mail.

    Nothing that was there before the proof survives it: somebody else may have signed up with the address to get in
    later.
    """
    if account.email_verified and account.email == user.email:
        delete_proofs(session, user_id=user.id)
        end_sessions(session, user_id=user.id)
        user.start_over_with(account, now=now)
        return
    asked_at = user.confirmation_sent_at
    if user.email and (asked_at is None or now - asked_at >= tools.settings.mail_interval):
        request_link(
            session,
            tools,
            kind=MailKind.CONFIRMATION,
            address=user.email,
            user_id=user.id,
            link=link,
            now=now,
        )
    raise _unproven(account)


def _unproven(account: ExternalAccount) -> ProviderEmailNeedsVerification:
    """The same words whether or not the address is known here."""
    name = account.provider
    return ProviderEmailNeedsVerification(
        f"Unverified email with {name}. Verify the email with {name}, or by the confirmation mail if one was sent, "
        "in order to sign in"
    )
