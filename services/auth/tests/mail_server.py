"""A mail server that does what a test tells it to."""

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller

from cas_auth.clients.smtp import SmtpServer
from cas_auth.settings import SmtpSecurity
from cas_local.ports import free_port


class Mailbox:
    """Takes mails, and answers each step as it was told to."""

    def __init__(self):
        self.mails = []
        self.answers = {}
        self.held = 0
        self.release = threading.Event()
        self.release.set()
        self.encrypted = None

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = self.answers.get("DATA", "250 OK")
        if not self.release.is_set():
            self.held += 1
            await asyncio.get_running_loop().run_in_executor(None, self.release.wait, 30)
        if answer == "hang up":
            server.transport.abort()
        elif answer.startswith("250"):
            self.mails.append((session, envelope))
            self.encrypted = server.transport.get_extra_info("ssl_object") is not None
        return answer

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802
        return self.answers.get("QUIT", "221 Bye")

    @property
    def messages(self):
        """What came in, as messages, oldest first."""
        return [message_from_bytes(envelope.content, policy=default) for _, envelope in self.mails]

    @property
    def addresses(self):
        return [envelope.rcpt_tos[0] for _, envelope in self.mails]

    def hold(self):
        """Answer no mail before `release` is set."""
        self.release.clear()


@contextmanager
def serving(mailbox, *, security=SmtpSecurity.NONE, certificate=None, **options):
    """Serve in front of the mailbox; gives how to reach it."""
    if security is SmtpSecurity.TLS:
        options["ssl_context"] = certificate
    if security is SmtpSecurity.STARTTLS:
        options |= {"tls_context": certificate, "require_starttls": True}
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield SmtpServer(
            host="127.0.0.1", port=controller.port, security=security, timeout=timedelta(seconds=5)
        )
    finally:
        mailbox.release.set()
        controller.stop()
