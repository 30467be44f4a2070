"""The sink as a program: `python -m cas_local.mail.sink --smtp-port 1025 --page-port 8025`."""

import argparse
import signal
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from cas_local.mail.mailbox import Mailbox
from cas_local.mail.web import MailPage
from cas_local.ports import HOST

MAIL_LIMIT = 5 * 1024 * 1024  # bytes


class Collector:
    """Takes every mail; the method's name is what aiosmtpd looks for."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        del server, session
        content = envelope.content
        self._mailbox.add(
            content if isinstance(content, bytes) else (content or "").encode(),
            sender=envelope.mail_from or "",
            to=tuple(envelope.rcpt_tos),
        )
        return "250 OK"


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--page-port", type=int, required=True)
    options = parser.parse_args()
    mailbox = Mailbox()
    smtp = Controller(
        Collector(mailbox),
        hostname=HOST,
        port=options.smtp_port,
        server_hostname="mail.localhost",
        data_size_limit=MAIL_LIMIT,
        enable_SMTPUTF8=True,
    )
    smtp.start()
    page = MailPage((HOST, options.page_port), mailbox)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=page.shutdown).start())
    with page:
        page.serve_forever()
    smtp.stop()


if __name__ == "__main__":
    main()
