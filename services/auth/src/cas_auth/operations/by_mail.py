"""What people ask for and get by mail. Known and unknown addresses cost and answer the same."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from cas_auth.domain.accounts import canonical_email, merge_metadata
from cas_auth.domain.audit import AuditAction, Origin
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import EmailAwaitsConfirmation, NothingToReauthenticate
from cas_auth.models import User
from cas_auth.operations.hooks import allow_user
from cas_auth.operations.mails import MailedLink, request_link, request_mail
from cas_auth.operations.tools import Tools
from cas_auth.repository.audit_log import add_audit_entry
from cas_auth.repository.users import add_email_user, find_credentials, find_user_id
from cas_kit.db import Database


def request_recovery(
    session: Session, tools: Tools, *, email: str, link: MailedLink, origin: Origin, now: datetime
) -> None:
    """Mail a link and a code with which the owner of the address gets in and chooses a new password.

    :raises InvalidRequest: it is no address.
    """
    address = canonical_email(email, allow_test_domains=tools.settings.allows_test_domains)
    request_link(session, tools, kind=MailKind.RECOVERY, address=address, link=link, now=now)
    _record(session, AuditAction.USER_RECOVERY_REQUESTED, address, origin=origin, now=now)


def request_sign_in(
    database: Database,
    tools: Tools,
    *,
    email: str,
    create_user: bool,
    data: Mapping[str, Any] | None,
    link: MailedLink,
    origin: Origin,
    now: datetime,
) -> None:
    """Mail a link and a code that sign in the owner of the address.

    An unknown address becomes a user, as far as the caller and this installation want that; otherwise nobody is told
    that it is unknown, and no mail is sent.

    :raises InvalidRequest: it is no address, or the metadata cannot be accepted.
    :raises HookRefused: the operator does not want this user.
    """
    address = canonical_email(email, allow_test_domains=tools.settings.allows_test_domains)
    metadata = merge_metadata({}, data)
    may_create = create_user and tools.settings.signup_enabled
    with database.autocommit() as connection:
        known = find_credentials(connection, email=address)
    if may_create and known is None:
        allow_user(tools, email=address, user_metadata=metadata, origin=origin, now=now)
    with database.transaction() as session:
        if may_create:
            add_email_user(
                session,
                user_id=tools.new_id(),
                identity_id=tools.new_id(),
                email=address,
                password_hash=None,
                user_metadata=metadata,
                confirmed_at=None,
                now=now,
            )
        request_link(session, tools, kind=MailKind.MAGIC_LINK, address=address, link=link, now=now)
        _record(session, AuditAction.USER_CONFIRMATION_REQUESTED, address, origin=origin, now=now)


def resend_confirmation(
    session: Session, tools: Tools, *, email: str, link: MailedLink, origin: Origin, now: datetime
) -> None:
    """Mail the confirmation of a sign-up once more.

    :raises InvalidRequest: it is no address.
    """
    address = canonical_email(email, allow_test_domains=tools.settings.allows_test_domains)
    request_link(session, tools, kind=MailKind.CONFIRMATION, address=address, link=link, now=now)
    _record(session, AuditAction.USER_CONFIRMATION_REQUESTED, address, origin=origin, now=now)


def resend_email_change(
    session: Session, tools: Tools, *, email: str, link: MailedLink, origin: Origin, now: datetime
) -> None:
    """Mail the questions about a change of address once more, to both addresses.

    :param email: the present address or the future one.
    :raises InvalidRequest: it is no address.
    """
    address = canonical_email(email, allow_test_domains=tools.settings.allows_test_domains)
    kinds = [MailKind.EMAIL_CHANGE]
    if tools.settings.secure_email_change:
        kinds.append(MailKind.EMAIL_CHANGE_CURRENT)
    for kind in kinds:
        request_link(session, tools, kind=kind, address=address, link=link, now=now)
    _record(session, AuditAction.USER_CONFIRMATION_REQUESTED, address, origin=origin, now=now)


def _record(session: Session, action: AuditAction, address: str, *, origin: Origin, now: datetime) -> None:
    """Put on record for whom somebody asked, so that the entry is erased with them; for nobody it costs the same."""
    asked_for = find_user_id(session, email=address)
    add_audit_entry(session, action, actor_id=asked_for, origin=origin, now=now)


def request_reauthentication(
    session: Session, tools: Tools, user: User, *, origin: Origin, now: datetime
) -> None:
    """Mail a signed-in user a code that proves they are still the one in front of the session.

    :raises NothingToReauthenticate: the user has no address.
    :raises EmailAwaitsConfirmation: the address was never confirmed.
    """
    if not user.email:
        raise NothingToReauthenticate
    if user.email_confirmed_at is None:
        raise EmailAwaitsConfirmation
    request_mail(session, tools, kind=MailKind.REAUTHENTICATION, address=user.email, user_id=user.id, now=now)
    add_audit_entry(
        session, AuditAction.USER_REAUTHENTICATE_REQUESTED, actor_id=user.id, origin=origin, now=now
    )
