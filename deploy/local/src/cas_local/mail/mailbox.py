"""The mails that came in, newest first, as people and tests read them; kept in memory, the oldest forgotten."""

import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from itertools import count

KEPT = 200
# Where a link in plain text ends: before white space, quotes, brackets, and punctuation that ends a sentence.
LINK = re.compile(r"https?://[^\s<>\"'()\[\]{}]*[^\s<>\"'()\[\]{}.,;:!?]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """One mail; `sender` and `to` are those of its envelope."""

    id: int
    received_at: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]


class Mailbox:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._mails: deque[ReceivedMail] = deque(maxlen=KEPT)
        self._numbers = count(1)
        self._lock = threading.Lock()

    def add(self, content: bytes, *, sender: str, to: tuple[str, ...]) -> None:
        """Keep a mail as it came over the wire."""
        message = message_from_bytes(content, policy=default)
        text, html = _part(message, "plain"), _part(message, "html")
        with self._lock:
            self._mails.appendleft(
                ReceivedMail(
                    id=next(self._numbers),
                    received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                    sender=sender,
                    to=to,
                    subject=str(message["Subject"] or ""),
                    text=text,
                    html=html,
                    links=tuple(dict.fromkeys([*_Hrefs(html).found, *LINK.findall(text)])),
                    headers=tuple((name, str(value)) for name, value in message.items()),
                )
            )

    def list(self, *, to: str | None = None) -> list[ReceivedMail]:
        """All mails, or those to one address, newest first."""
        with self._lock:
            return [mail for mail in self._mails if to is None or to in mail.to]

    def clear(self) -> None:
        """Forget all mails; numbers go on."""
        with self._lock:
            self._mails.clear()


def _part(message: EmailMessage, kind: str) -> str:
    """The first part of that kind, readable whatever it claims about its encoding."""
    part = next(_parts(message, f"text/{kind}"), None)
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = raw.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


def _parts(message: EmailMessage, content_type: str) -> Iterator[EmailMessage]:
    for part in message.walk():
        if part.get_content_type() == content_type and not part.is_attachment():
            yield part


class _Hrefs(HTMLParser):
    """The addresses that a page links to, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.found += [value for name, value in attrs if name == "href" and value]
