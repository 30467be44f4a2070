"""Turn a mail that was asked for into what it says: look up whom it is for, and make the token it carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.credentials.one_time import OneTimeSecret
from cas_auth.domain.mails import MailKind
from cas_auth.domain.one_time_tokens import TYPE_OF, TokenKind
from cas_auth.domain.redirects import allowed_redirect
from cas_auth.models import Mail, User
from cas_auth.operations.one_time import make_token
from cas_auth.operations.tools import Tools
from cas_auth.repository.users import find_user_by_email, find_user_changing_email, lock_user


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail says, before it is put in words.

    :param link: what to click; None where there is nothing to.
    :param code: what to type instead; None where there is nothing to.
    :param link_token: the secret in the link, for those who build links of their own.
    :param valid_for: how long link and code work.
    """

    kind: MailKind
    address: str
    user: User
    redirect_to: str
    link: str | None = None
    code: str | None = None
    link_token: str | None = None
    valid_for: timedelta | None = None


def compose(session: Session, tools: Tools, mail: Mail, *, now: datetime) -> Letter | None:
    """The letter of a mail, its new token stored with this transaction; None when there is nobody to write to.

    Safe to repeat: the newest token is the one that works.
    """
    user = _reader(session, mail)
    if user is None or user.deleted_at is not None:
        return None
    kind, address = mail.kind, _address(mail, user)
    if address is None:
        return None
    if kind is MailKind.CONFIRMATION and user.email_confirmed_at is not None:
        kind = MailKind.ALREADY_REGISTERED
    redirect_to = _redirect_to(tools, mail.data.get("redirect_to"))
    token_kind = _TOKENS.get(kind)
    if token_kind is None:
        return Letter(kind=kind, address=address, user=user, redirect_to=redirect_to)
    flow_id = mail.data.get("flow_id")
    secret = make_token(
        session,
        tools,
        user,
        token_kind,
        address=address,
        flow_id=UUID(flow_id) if flow_id else None,
        now=now,
    )
    _stamp(user, kind, now=now)
    is_code_only = token_kind is TokenKind.REAUTHENTICATION
    return Letter(
        kind=kind,
        address=address,
        user=user,
        redirect_to=redirect_to,
        link=None if is_code_only else link_of(tools, token_kind, secret, redirect_to=redirect_to),
        code=secret.code,
        link_token=secret.link,
        valid_for=tools.settings.otp_lifetime,
    )


def link_of(tools: Tools, kind: TokenKind, secret: OneTimeSecret, *, redirect_to: str) -> str:
    """The address to click that carries this secret."""
    query = {"token": secret.link, "type": TYPE_OF[kind], "redirect_to": redirect_to}
    return f"{tools.settings.issuer}/verify?{urlencode(query)}"


def _redirect_to(tools: Tools, wanted: str | None) -> str:
    settings = tools.settings
    return allowed_redirect(wanted, site_url=settings.site_url, patterns=settings.redirect_urls)


def _reader(session: Session, mail: Mail) -> User | None:
    """The locked user the mail is for: by their id, or by the address, as long as the mail still makes sense."""
    if mail.user_id is not None:
        user = lock_user(session, user_id=mail.user_id)
    elif mail.kind in _CHANGES:
        user = find_user_changing_email(session, email=mail.address)
    else:
        user = find_user_by_email(session, email=mail.address, lock=True)
    if user is None or (mail.kind in _CHANGES and not user.is_changing_email(mail.address)):
        return None
    return user


def _address(mail: Mail, user: User) -> str | None:
    """Where it goes. Both mails about a change may be asked for with either address."""
    match mail.kind:
        case MailKind.EMAIL_CHANGE:
            return user.new_email
        case MailKind.EMAIL_CHANGE_CURRENT:
            return user.email
        case _:
            return mail.address


def _stamp(user: User, kind: MailKind, *, now: datetime) -> None:
    match kind:
        case MailKind.CONFIRMATION | MailKind.MAGIC_LINK if user.email_confirmed_at is None:
            user.confirmation_sent_at = now
        case MailKind.RECOVERY | MailKind.MAGIC_LINK:
            user.recovery_sent_at = now
        case MailKind.INVITE:
            user.invited_at = now
        case MailKind.EMAIL_CHANGE | MailKind.EMAIL_CHANGE_CURRENT:
            user.email_change_sent_at = now
        case MailKind.REAUTHENTICATION:
            user.reauthentication_sent_at = now


_TOKENS: Mapping[MailKind, TokenKind] = {
    MailKind.CONFIRMATION: TokenKind.CONFIRMATION,
    MailKind.INVITE: TokenKind.INVITE,
    MailKind.MAGIC_LINK: TokenKind.MAGIC_LINK,
    MailKind.RECOVERY: TokenKind.RECOVERY,
    MailKind.EMAIL_CHANGE: TokenKind.EMAIL_CHANGE_NEW,
    MailKind.EMAIL_CHANGE_CURRENT: TokenKind.EMAIL_CHANGE_CURRENT,
    MailKind.REAUTHENTICATION: TokenKind.REAUTHENTICATION,
}
_CHANGES = frozenset({MailKind.EMAIL_CHANGE, MailKind.EMAIL_CHANGE_CURRENT})
