"""From a rendered mail to the message that travels."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from cas_auth.mailing.rendering import Brand, Rendered


class Unaddressable(Exception):
    """The address cannot stand in a mail."""


def compose_message(
    rendered: Rendered, *, brand: Brand, sender: str, to: str, mail_id: UUID, attempt: int, now: datetime
) -> EmailMessage:
    """The message, text first and HTML after it. Each attempt is one of its own: it carries another token.

    :raises Unaddressable: one of the addresses is none.
    """
    from_address = _address(sender, display_name=brand.name)
    message = EmailMessage(policy=SMTP)
    message["From"] = from_address
    message["To"] = _address(to)
    message["Subject"] = rendered.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail_id}.{attempt}@{from_address.domain}>"
    if brand.support_address:
        message["Reply-To"] = _address(brand.support_address)
    # RFC 3834: out-of-office programs do not answer; the second is what Exchange knows.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(rendered.text, cte="quoted-printable")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    return message


def _address(text: str, *, display_name: str = "") -> Address:
    """With the domain as name servers spell it; a part before the @ beyond ASCII stays as it is (RFC 6531)."""
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Unaddressable from error
    return Address(display_name, username=found.local_part, domain=found.ascii_domain)
