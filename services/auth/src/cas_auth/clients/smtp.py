"""Hand one message to a mail server."""

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from pydantic import SecretStr

from cas_auth.settings import SmtpSecurity

ENHANCED_STATUS = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
PERMANENT = range(500, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mails are handed in.

    :param ca_file: trusts these authorities instead of the system's.
    :param timeout: for each answer of the server.
    """

    host: str
    port: int
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    timeout: timedelta = timedelta(seconds=10)


class MailNotTaken(Exception):
    """The server did not take the message.

    :param reason: says what happened, without addresses or the server's words, which may repeat them.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailNotTakenNow(MailNotTaken):
    """Try again later: the server is away, busy, or set up wrongly on one of the two sides."""


class MailRefused(MailNotTaken):
    """Trying again is of no use: the server will never take this message for this address."""


def send(message: EmailMessage, *, server: SmtpServer) -> None:
    """Hand over the message; returns when the server has taken responsibility for it.

    Not safe to repeat: a connection that is lost at the very end leaves it open whether the server took it.

    :raises MailNotTakenNow: try again later.
    :raises MailRefused: never try again.
    """
    connection = _connected(server, name=message["From"].addresses[0].domain)
    try:
        connection.send_message(message)
    except smtplib.SMTPNotSupportedError as error:
        raise MailRefused("the server knows only addresses in ASCII") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(*next(iter(error.recipients.values()))) from error
    except smtplib.SMTPDataError as error:
        raise _refusal(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailNotTakenNow(_described(error)) from error
    else:
        with suppress(smtplib.SMTPException, OSError):  # the message is taken; how we part does not matter
            connection.quit()
    finally:
        connection.close()


def _connected(server: SmtpServer, *, name: str) -> smtplib.SMTP:
    """A connection that is encrypted and signed in as the server's settings say.

    What fails here fails for every message, so none of them is to blame.
    """
    connection = None
    try:
        connection = _opened(server, name=name)
        if server.security is SmtpSecurity.STARTTLS:
            connection.starttls(context=_trust(server))
        if server.username is not None and server.password is not None:
            connection.login(server.username, server.password.get_secret_value())
    except (smtplib.SMTPException, OSError) as error:
        if connection is not None:
            connection.close()
        raise MailNotTakenNow(_described(error)) from error
    return connection


def _opened(server: SmtpServer, *, name: str) -> smtplib.SMTP:
    """:param name: how we introduce ourselves; the host's own name would have to be looked up, which can hang."""
    timeout = server.timeout.total_seconds()
    if server.security is SmtpSecurity.TLS:
        return smtplib.SMTP_SSL(
            server.host, server.port, local_hostname=name, timeout=timeout, context=_trust(server)
        )
    return smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=timeout)


def _trust(server: SmtpServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca_file)


def _refusal(code: int, words: bytes | str) -> MailNotTaken:
    kind = MailRefused if code in PERMANENT else MailNotTakenNow
    return kind(_status(code, words))


def _described(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _status(error.smtp_code, error.smtp_error)
    return type(error).__name__


def _status(code: int, words: bytes | str) -> str:
    raw = words if isinstance(words, bytes) else words.encode()
    enhanced = ENHANCED_STATUS.match(raw)
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)
