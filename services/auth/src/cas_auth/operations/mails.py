"""Ask for mails. Whoever sends one makes its token, so that no secret waits in the database (docs/adr/0014)."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.domain.mails import MailKind
from cas_auth.domain.pkce import Challenge
from cas_auth.models import User
from cas_auth.operations.flows import begin_flow
from cas_auth.operations.tools import Tools
from cas_auth.repository.mails import add_mail

BY_MAIL = "email"  # the provider of flows that go through a mailed link


@dataclass(frozen=True, slots=True)
class MailedLink:
    """Where a mailed link leads in the end, and who may use what it yields.

    :param redirect_to: as the client wishes; held against the allowed addresses when the link is used.
    :param challenge: what binds the link's session to the client that asked; None: whoever opens the link has it.
    """

    redirect_to: str | None = None
    challenge: Challenge | None = None


PLAIN_LINK = MailedLink()


class MailData(TypedDict, total=False):
    """What a mail needs beside its address.

    :param redirect_to: where its link leads in the end.
    :param flow_id: the PKCE flow that the link continues.
    :param provider: which way to sign in was added or removed.
    """

    redirect_to: str
    flow_id: str
    provider: str


def request_mail(
    session: Session,
    tools: Tools,
    *,
    kind: MailKind,
    address: str,
    user_id: UUID | None = None,
    data: MailData | None = None,
    now: datetime,
) -> None:
    """Queue a mail with this transaction; it costs the same whether or not the address is known.

    :param user_id: None where whoever sends it has to look up by the address whether there is a user.
    """
    add_mail(
        session,
        mail_id=tools.new_id(),
        kind=kind,
        address=address,
        user_id=user_id,
        data=data or {},
        now=now,
    )


def request_link(
    session: Session,
    tools: Tools,
    *,
    kind: MailKind,
    address: str,
    user_id: UUID | None = None,
    link: MailedLink,
    now: datetime,
) -> None:
    """Queue a mail with a link, and begin the flow that the link continues where its client wants one."""
    data = MailData()
    if link.redirect_to:
        data["redirect_to"] = link.redirect_to
    if link.challenge is not None:
        data["flow_id"] = str(
            begin_flow(session, tools, provider=BY_MAIL, challenge=link.challenge, now=now).id
        )
    request_mail(session, tools, kind=kind, address=address, user_id=user_id, data=data, now=now)


def request_email_change(
    session: Session, tools: Tools, user: User, *, link: MailedLink, now: datetime
) -> None:
    """Ask those concerned whether the user may have the address they want: its owner, and that of the present one."""
    asked = {MailKind.EMAIL_CHANGE: user.new_email}
    if tools.settings.secure_email_change:
        asked[MailKind.EMAIL_CHANGE_CURRENT] = user.email
    for kind, address in asked.items():
        if address:
            request_link(session, tools, kind=kind, address=address, user_id=user.id, link=link, now=now)
