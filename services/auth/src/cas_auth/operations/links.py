"""Invite people, and make links for programs that send their mail themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from cas_auth.domain.accounts import canonical_email, merge_metadata
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.mails import MailKind
from cas_auth.domain.one_time_tokens import KINDS_OF, TokenKind, VerifyType
from cas_auth.domain.redirects import allowed_redirect
from cas_auth.domain.refusals import EmailExists, InvalidRequest, UserNotFound
from cas_auth.models import User
from cas_auth.operations.administration import Act
from cas_auth.operations.hooks import allow_user
from cas_auth.operations.letters import link_of
from cas_auth.operations.mails import MailedLink, request_link
from cas_auth.operations.one_time import make_token
from cas_auth.operations.passwords import check_new_password
from cas_auth.operations.tools import Tools
from cas_auth.repository.one_time_tokens import delete_tokens
from cas_auth.repository.users import add_email_user, find_credentials, find_user_by_email
from cas_kit.db import Database


class LinkType(StrEnum):
    """What a generated link is for; the words of the protocol."""

    SIGNUP = "signup"
    INVITE = "invite"
    MAGICLINK = "magiclink"
    RECOVERY = "recovery"
    EMAIL_CHANGE_CURRENT = "email_change_current"
    EMAIL_CHANGE_NEW = "email_change_new"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """The link somebody wants.

    :param new_email: the address to change to.
    :param password: of somebody who signs up.
    :param data: what somebody new says of themselves.
    :param redirect_to: where the link leads in the end.
    """

    type: LinkType
    email: str
    new_email: str | None = None
    password: str | None = None
    data: Mapping[str, Any] | None = None
    redirect_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedLink:
    """A link, and its secrets by themselves: whoever has one of them is taken for the reader of the user's mail.

    :param type: what it is for; somebody new signs up where a sign-in was asked for.
    :param link_token: the secret in the link.
    """

    user: User
    type: LinkType
    link: str
    code: str
    link_token: str
    redirect_to: str


def invite_user(
    database: Database,
    tools: Tools,
    *,
    email: str,
    data: Mapping[str, Any] | None,
    link: MailedLink,
    act: Act,
) -> User:
    """Add somebody who never asked for it, and mail them. Whoever has not come yet is mailed once more.

    :raises InvalidRequest: it is no address, or the metadata cannot be accepted.
    :raises EmailExists: they are here already.
    :raises HookRefused: the operator does not want this user.
    """
    newcomer = _Newcomer.of(tools, email=email, data=data, password=None)
    newcomer.ask(database, tools, act=act)
    with database.transaction() as session:
        user = _expected(session, tools, newcomer, now=act.now)
        user.invited_at = user.confirmation_sent_at = act.now
        request_link(
            session,
            tools,
            kind=MailKind.INVITE,
            address=newcomer.address,
            user_id=user.id,
            link=link,
            now=act.now,
        )
        act.record(session, AuditAction.USER_INVITED, user.id)
    return user


def generate_link(database: Database, tools: Tools, *, wanted: LinkRequest, act: Act) -> GeneratedLink:
    """Make a link and its secrets; an earlier one of the same kind is worthless from now on. Nobody is mailed.

    :raises InvalidRequest: an address, the password or the metadata cannot be accepted.
    :raises WeakPassword: nobody should choose the password.
    :raises EmailExists: somebody who is here already would sign up, or has the new address.
    :raises UserNotFound: nobody has the address, and the link is for somebody who is here.
    :raises HookRefused: the operator does not want this user.
    :raises Unavailable: too many passwords are being hashed.
    """
    newcomer = _Newcomer.of(tools, email=wanted.email, data=wanted.data, password=wanted.password)
    kind = wanted.type
    if kind in _MAY_ADD:
        is_new = newcomer.ask(database, tools, act=act)
        if is_new and kind is LinkType.MAGICLINK:
            kind = LinkType.SIGNUP
        elif is_new and kind is LinkType.SIGNUP:
            newcomer.hash_password(tools)
    with database.transaction() as session:
        user = _subject(session, tools, kind, newcomer, now=act.now)
        address = _address(session, tools, kind, user, wanted, now=act.now)
        secret = make_token(session, tools, user, _TOKENS[kind], address=address, now=act.now)
        _stamp(user, kind, now=act.now)
        act.record(session, _ACTIONS[kind], user.id, link=kind)
    redirect_to = _redirect_to(tools, wanted.redirect_to)
    return GeneratedLink(
        user=user,
        type=kind,
        link=link_of(tools, _TOKENS[kind], secret, redirect_to=redirect_to),
        code=secret.code,
        link_token=secret.link,
        redirect_to=redirect_to,
    )


@dataclass(slots=True, kw_only=True)
class _Newcomer:
    """Somebody who is added where they are not here yet."""

    address: str
    metadata: dict[str, Any]
    password: str | None
    password_hash: str | None = None

    @classmethod
    def of(
        cls, tools: Tools, *, email: str, data: Mapping[str, Any] | None, password: str | None
    ) -> "_Newcomer":
        return cls(
            address=canonical_email(email, allow_test_domains=tools.settings.allows_test_domains),
            metadata=merge_metadata({}, data),
            password=password,
        )

    def ask(self, database: Database, tools: Tools, *, act: Act) -> bool:
        """Whether they are not here yet; then the operator is asked about them."""
        with database.autocommit() as connection:
            is_new = find_credentials(connection, email=self.address) is None
        if is_new:
            allow_user(tools, email=self.address, user_metadata=self.metadata, origin=act.origin, now=act.now)
        return is_new

    def hash_password(self, tools: Tools) -> None:
        """Have the hash of the password that somebody new signs up with."""
        if not self.password:
            raise InvalidRequest("Signup requires a valid password")
        check_new_password(tools, self.password)
        self.password_hash = tools.hasher.hash(self.password)


def _subject(session: Session, tools: Tools, kind: LinkType, newcomer: _Newcomer, *, now: datetime) -> User:
    """The locked user the link is for."""
    if kind in {LinkType.SIGNUP, LinkType.INVITE}:
        return _expected(session, tools, newcomer, now=now)
    user = find_user_by_email(session, email=newcomer.address, lock=True)
    if user is None:
        raise UserNotFound("User with this email not found")
    return user


def _expected(session: Session, tools: Tools, newcomer: _Newcomer, *, now: datetime) -> User:
    """The locked user of this address, added if need be, as long as they have never been here.

    :raises EmailExists: they have.
    """
    user = find_user_by_email(session, email=newcomer.address, lock=True) or add_email_user(
        session,
        user_id=tools.new_id(),
        identity_id=tools.new_id(),
        email=newcomer.address,
        password_hash=newcomer.password_hash,
        user_metadata={},
        confirmed_at=None,
        now=now,
    )
    if user is None or user.email_confirmed_at is not None:
        raise EmailExists
    user.merge_metadata(newcomer.metadata, now=now)
    return user


def _address(
    session: Session, tools: Tools, kind: LinkType, user: User, wanted: LinkRequest, *, now: datetime
) -> str:
    """Whose mail the link proves to be read; a change of address is asked for where it was not."""
    current = user.email or ""
    if kind not in _CHANGES:
        return current
    if kind is LinkType.EMAIL_CHANGE_CURRENT and not tools.settings.secure_email_change:
        raise InvalidRequest("Enable secure email change to generate link for current email")
    new = canonical_email(wanted.new_email or "", allow_test_domains=tools.settings.allows_test_domains)
    if find_user_by_email(session, email=new) is not None:
        raise EmailExists
    if user.new_email != new:
        delete_tokens(session, user_id=user.id, kinds=KINDS_OF[VerifyType.EMAIL_CHANGE])
        user.ask_for_email(new, now=now)
    return current if kind is LinkType.EMAIL_CHANGE_CURRENT else new


def _redirect_to(tools: Tools, wanted: str | None) -> str:
    settings = tools.settings
    return allowed_redirect(wanted, site_url=settings.site_url, patterns=settings.redirect_urls)


def _stamp(user: User, kind: LinkType, *, now: datetime) -> None:
    match kind:
        case LinkType.SIGNUP:
            user.confirmation_sent_at = now
        case LinkType.INVITE:
            user.confirmation_sent_at = user.invited_at = now
        case LinkType.MAGICLINK | LinkType.RECOVERY:
            user.recovery_sent_at = now
        case LinkType.EMAIL_CHANGE_CURRENT | LinkType.EMAIL_CHANGE_NEW:
            user.email_change_sent_at = now


_MAY_ADD = frozenset({LinkType.SIGNUP, LinkType.INVITE, LinkType.MAGICLINK})
_CHANGES = frozenset({LinkType.EMAIL_CHANGE_CURRENT, LinkType.EMAIL_CHANGE_NEW})
_TOKENS: Mapping[LinkType, TokenKind] = {
    LinkType.SIGNUP: TokenKind.CONFIRMATION,
    LinkType.INVITE: TokenKind.INVITE,
    LinkType.MAGICLINK: TokenKind.MAGIC_LINK,
    LinkType.RECOVERY: TokenKind.RECOVERY,
    LinkType.EMAIL_CHANGE_CURRENT: TokenKind.EMAIL_CHANGE_CURRENT,
    LinkType.EMAIL_CHANGE_NEW: TokenKind.EMAIL_CHANGE_NEW,
}
_ACTIONS: Mapping[LinkType, AuditAction] = {
    LinkType.SIGNUP: AuditAction.USER_CONFIRMATION_REQUESTED,
    LinkType.INVITE: AuditAction.USER_INVITED,
    LinkType.MAGICLINK: AuditAction.USER_RECOVERY_REQUESTED,
    LinkType.RECOVERY: AuditAction.USER_RECOVERY_REQUESTED,
    LinkType.EMAIL_CHANGE_CURRENT: AuditAction.USER_CONFIRMATION_REQUESTED,
    LinkType.EMAIL_CHANGE_NEW: AuditAction.USER_CONFIRMATION_REQUESTED,
}
