"""The mails as a page and as JSON: `GET /`, `GET /api/messages`, `DELETE /api/messages`; for this machine only."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

from cas_local.mail.mailbox import Mailbox, ReceivedMail

# A page elsewhere may lead its own name to this port; only these names are answered.
NAMES = {"127.0.0.1", "localhost"}
# Mails are shown inside the page, in a frame without scripts. They inherit this: nothing in them is fetched.
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}


class MailPage(ThreadingHTTPServer):
    """Shows one mailbox."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: MailPage
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        path, query = self._asked()
        if path in ASSETS:
            name, content_type = ASSETS[path]
            self._answer(HTTPStatus.OK, files(__package__).joinpath(name).read_bytes(), content_type)
        elif path == "/api/messages":
            mails = self.server.mailbox.list(to=query.get("to"))
            self._answer(HTTPStatus.OK, json.dumps([_described(mail) for mail in mails]).encode())
        else:
            self._answer(HTTPStatus.OK if path == "/health" else HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        path, _ = self._asked()
        if path == "/api/messages":
            self.server.mailbox.clear()
        self._answer(HTTPStatus.NO_CONTENT if path == "/api/messages" else HTTPStatus.NOT_FOUND)

    def parse_request(self) -> bool:
        """Refuse whoever came by another name."""
        if not super().parse_request():
            return False
        if self.headers.get("Host", "").partition(":")[0] in NAMES:
            return True
        self._answer(HTTPStatus.FORBIDDEN)
        return False

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path, {name: values[-1] for name, values in parse_qs(parts.query).items()}

    def _answer(
        self, status: HTTPStatus, content: bytes = b"", content_type: str = "application/json"
    ) -> None:
        self.send_response(status)
        headers: Mapping[str, str] = {
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: the page asks every second."""


def _described(mail: ReceivedMail) -> dict[str, object]:
    described = asdict(mail)
    described["from"] = described.pop("sender")
    return described
