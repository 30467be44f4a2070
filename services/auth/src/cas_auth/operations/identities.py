"""The ways in which a user signs in: linked and unlinked by themselves."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.external_accounts import ExternalAccount
from cas_auth.domain.identity_refusals import (
    IdentityAlreadyExists,
    IdentityNotFound,
    ManualLinkingDisabled,
    SingleIdentityNotDeletable,
)
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import SecondFactorRequired
from cas_auth.models import Identity, User, UserSession
from cas_auth.operations.mails import PLAIN_LINK, MailData, request_email_change, request_mail
from cas_auth.operations.sessions import authenticate
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.identities import find_owner_id, save_removal
from cas_auth.repository.one_time_tokens import delete_proofs
from cas_auth.repository.users import save_email


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """Whose ways to sign in change, and the session in which they asked for it."""

    user_id: UUID
    session_id: UUID


def authorise_linking(
    session: Session, tools: Tools, linking: Linking, *, lock: bool = False, now: datetime
) -> UserSession:
    """The session of somebody who may change how they sign in.

    :raises ManualLinkingDisabled: nobody may here.
    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the session was ended.
    :raises UserBanned: the user is banned.
    :raises SecondFactorRequired: the user has one, and this session was not proven by it.
    """
    if not tools.settings.manual_linking_enabled:
        raise ManualLinkingDisabled
    found = authenticate(session, user_id=linking.user_id, session_id=linking.session_id, now=now, lock=lock)
    if not found.is_fully_proven:
        raise SecondFactorRequired
    return found


def link_account(
    session: Session, tools: Tools, user: User, account: ExternalAccount, *, origin: Origin, now: datetime
) -> None:
    """Let a user sign in with this account too; `lock_account` and the lock of the user have to be held.

    Whoever was anonymous is not any more, and gets the account's address, at once where the provider vouches for it.

    :raises IdentityAlreadyExists: the account is somebody's already.
    :raises EmailExists: an anonymous user would get the address of somebody else.
    """
    owner_id = find_owner_id(session, account)
    if owner_id is not None:
        raise IdentityAlreadyExists("Identity is already linked" if owner_id == user.id else None)
    identity = user.add_account(account, identity_id=tools.new_id(), now=now)
    user.is_anonymous = False
    if user.email is None and account.email is not None:
        if account.email_verified:
            user.take_address(account.email, now=now)
            save_email(session)
        else:
            user.ask_for_email(account.email, now=now)
            request_email_change(session, tools, user, link=PLAIN_LINK, now=now)
    announce_link(session, tools, user, identity, origin=origin, now=now)


def unlink_identity(
    session: Session,
    tools: Tools,
    linking: Linking,
    *,
    identity_id: UUID,
    origin: Origin,
    now: datetime,
) -> None:
    """Sign in with this identity no more; an address that came with it gives way to one of those that stay.

    :raises SingleIdentityNotDeletable: it is the only one.
    :raises IdentityNotFound: the user has none of this id.
    :raises EmailConflictIdentityNotDeletable: the address that stays belongs to somebody else.
    """
    user = authorise_linking(session, tools, linking, lock=True, now=now).user
    if len(user.identities) <= 1:
        raise SingleIdentityNotDeletable
    identity = next((known for known in user.identities if known.id == identity_id), None)
    if identity is None:
        raise IdentityNotFound
    told = user.email
    user.drop_identity(identity, now=now)
    save_removal(session)
    if user.email != told:
        delete_proofs(session, user_id=user.id)  # they prove an address that is the user's no more
    _record(session, AuditAction.IDENTITY_UNLINKED, user, identity, origin=origin, now=now)
    _notify(session, tools, MailKind.IDENTITY_UNLINKED, user, identity, address=told, now=now)


def announce_link(
    session: Session, tools: Tools, user: User, identity: Identity, *, origin: Origin, now: datetime
) -> None:
    """Put on record that a user got another way in, and tell them."""
    session.flush()
    _record(session, AuditAction.IDENTITY_LINKED, user, identity, origin=origin, now=now)
    _notify(session, tools, MailKind.IDENTITY_LINKED, user, identity, address=user.email, now=now)


def _record(
    session: Session, action: AuditAction, user: User, identity: Identity, *, origin: Origin, now: datetime
) -> None:
    traits = {"identity_id": str(identity.id), "provider": identity.provider}
    add_audit_entry(session, action, actor_id=user.id, traits=traits, origin=origin, now=now)


def _notify(
    session: Session,
    tools: Tools,
    kind: MailKind,
    user: User,
    identity: Identity,
    *,
    address: str | None,
    now: datetime,
) -> None:
    if address:
        data = MailData(provider=identity.provider)
        request_mail(session, tools, kind=kind, address=address, user_id=user.id, data=data, now=now)
