"""Who takes letters to people: a mail server, or a program of the operator."""

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from pydantic import SecretStr

from cas_auth.clients import smtp
from cas_auth.clients.hooks import Hook
from cas_auth.clients.smtp import MailNotTakenNow, MailRefused, SmtpServer
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import HookRefused
from cas_auth.mailing.messages import Unaddressable, compose_message
from cas_auth.mailing.rendering import Brand, Facts, render
from cas_auth.models import Mail, User
from cas_auth.operations.letters import Letter
from cas_auth.settings import Settings
from cas_kit.errors import DomainError

DescribeUser = Callable[[User], Mapping[str, Any]]

SEND_EMAIL = "send-email"


class Carrier(Protocol):
    """Takes letters to people."""

    def pack(self, letter: Letter, *, mail: Mail, now: datetime) -> Callable[[], None] | None:
        """Write the letter out; calling what this returns sends it, when no transaction is open any more.

        None when this carrier does not take letters of the kind.

        :raises MailNotTakenNow: (the call) try again later.
        :raises MailRefused: never try again; also at once, where the address cannot be written to.
        """


class SmtpCarrier:
    """Hands mails to a mail server."""

    def __init__(self, *, server: SmtpServer, brand: Brand, sender: str, sign_in_page: str) -> None:
        self._server = server
        self._brand = brand
        self._sender = sender
        self._sign_in_page = sign_in_page

    def pack(self, letter: Letter, *, mail: Mail, now: datetime) -> Callable[[], None]:
        """A message in our own words."""
        facts = facts_of(letter, mail=mail, sign_in_page=self._sign_in_page)
        try:
            message = compose_message(
                render(facts, brand=self._brand),
                brand=self._brand,
                sender=self._sender,
                to=letter.address,
                mail_id=mail.id,
                attempt=mail.attempts,
                now=now,
            )
        except Unaddressable as error:
            raise MailRefused("no address that mails can go to") from error
        return lambda: smtp.send(message, server=self._server)


class HookCarrier:
    """Asks the send-email hook, in the protocol's words."""

    def __init__(self, hook: Hook, *, site_url: str, describe: DescribeUser) -> None:
        self._hook = hook
        self._site_url = site_url
        self._describe = describe

    def pack(self, letter: Letter, *, mail: Mail, now: datetime) -> Callable[[], None] | None:
        """What the hook is sent; None for the kinds its authors cannot know."""
        action = _ACTIONS.get(letter.kind)
        if action is None:
            return None
        payload = {
            "metadata": {"uuid": str(mail.id), "time": now.isoformat(), "name": SEND_EMAIL},
            "user": self._describe(letter.user),
            "email_data": {
                **_tokens(letter),
                "redirect_to": letter.redirect_to,
                "email_action_type": action,
                "site_url": self._site_url,
                "email": letter.address,
            },
        }
        return lambda: _ask(self._hook, payload)

    def close(self) -> None:
        """Close the connections to the hook."""
        self._hook.close()


def carrier_of(settings: Settings, *, describe: DescribeUser) -> Carrier | None:
    """The carrier these settings name; the hook where there are two, None where there is none."""
    if settings.send_email_hook_url:
        secrets = settings.send_email_hook_secrets or SecretStr("")
        hook = Hook(name=SEND_EMAIL, url=settings.send_email_hook_url, secrets=secrets)
        return HookCarrier(hook, site_url=settings.site_url, describe=describe)
    if settings.smtp_host is None or settings.mail_sender is None:
        return None
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=settings.smtp_password,
        ca_file=settings.smtp_ca_file,
        timeout=settings.smtp_timeout,
    )
    return SmtpCarrier(
        server=server,
        brand=Brand(name=settings.mail_brand, support_address=settings.mail_support_address),
        sender=settings.mail_sender,
        sign_in_page=settings.site_url,
    )


def facts_of(letter: Letter, *, mail: Mail, sign_in_page: str) -> Facts:
    """What our own mail says of a letter."""
    user = letter.user
    new_address = user.new_email if letter.kind is MailKind.EMAIL_CHANGE_CURRENT else user.email
    return Facts(
        kind=letter.kind,
        link=sign_in_page if letter.kind is MailKind.ALREADY_REGISTERED else letter.link,
        code=letter.code,
        valid_for=letter.valid_for,
        name=_name(user),
        new_address=new_address,
        provider=str(mail.data.get("provider", "another account")).title(),
        factor="An authenticator app",
        happened_at=mail.created_at,
    )


def _name(user: User) -> str | None:
    names = (user.user_metadata.get(key) for key in ("full_name", "name"))
    return next((name for name in names if isinstance(name, str)), None)


def _tokens(letter: Letter) -> dict[str, str]:
    """The protocol names the link to the present address `token_hash_new`; hooks tell two addresses apart by it."""
    link, code = letter.link_token or "", letter.code or ""
    is_to_present = letter.kind is MailKind.EMAIL_CHANGE_CURRENT
    return {
        "token": code,
        "token_hash": "" if is_to_present else link,
        "token_new": "",
        "token_hash_new": link if is_to_present else "",
    }


def _ask(hook: Hook, payload: Mapping[str, Any]) -> None:
    try:
        hook.call(payload)
    except HookRefused as refusal:
        if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise MailNotTakenNow("hook refused: 429") from refusal
        raise MailRefused(f"hook refused: {refusal.status}") from refusal
    except DomainError as error:
        raise MailNotTakenNow(error.code) from error


# `already_registered` is ours alone: hooks that were written for the protocol would stumble over it.
_ACTIONS: Mapping[MailKind, str] = {
    MailKind.CONFIRMATION: "signup",
    MailKind.INVITE: "invite",
    MailKind.MAGIC_LINK: "magiclink",
    MailKind.RECOVERY: "recovery",
    MailKind.EMAIL_CHANGE: "email_change",
    MailKind.EMAIL_CHANGE_CURRENT: "email_change",
    MailKind.REAUTHENTICATION: "reauthentication",
    MailKind.PASSWORD_CHANGED: "password_changed_notification",
    MailKind.EMAIL_CHANGED: "email_changed_notification",
    MailKind.IDENTITY_LINKED: "identity_linked_notification",
    MailKind.IDENTITY_UNLINKED: "identity_unlinked_notification",
    MailKind.FACTOR_ENROLLED: "mfa_factor_enrolled_notification",
    MailKind.FACTOR_UNENROLLED: "mfa_factor_unenrolled_notification",
}
