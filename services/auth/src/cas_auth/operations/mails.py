"""Ask for mails. Whoever sends one makes its token, so that no secret waits in the database (docs/adr/0014)."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy.orm import Session

from cas_auth.domain.mails import MailKind
from cas_auth.operations.tools import Tools
from cas_auth.repository.mails import add_mail


class MailData(TypedDict, total=False):
    """What a mail needs beside its address.

    :param redirect_to: where its link leads in the end; allowed already.
    :param flow_id: the PKCE flow that the link continues.
    """

    redirect_to: str
    flow_id: str


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
