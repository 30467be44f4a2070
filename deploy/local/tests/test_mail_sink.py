"""The mail sink: what it takes, what it shows, and whom it answers."""

import re
import smtplib
from email.message import EmailMessage
from importlib.resources import files

import httpx
import pytest

from cas_local.mail.mailbox import KEPT, Mailbox
from cas_local.mail_sink import mail_sink
from cas_local.ports import Ports, free_port


@pytest.fixture(scope="module")
def ports():
    return Ports(
        gateway=0, gateway_admin=0, postgres=0, redis=0, rest={}, grpc={}, smtp=free_port(), mail=free_port()
    )


@pytest.fixture(scope="module")
def sink(ports, tmp_path_factory):
    sink = mail_sink(ports, log=tmp_path_factory.mktemp("sink") / "log")
    sink.start()
    yield sink
    sink.stop()
    assert sink.process.returncode == 0


@pytest.fixture
def page(sink, ports):
    with httpx.Client(base_url=f"http://127.0.0.1:{ports.mail}") as client:
        client.delete("/api/messages")
        yield client


@pytest.fixture
def send(sink, ports):
    def send_one(message, **options):
        with smtplib.SMTP("127.0.0.1", ports.smtp) as server:
            server.send_message(message, **options)

    return send_one


def mail(subject="Hello", to="ada@example.com", text="Good morning."):
    message = EmailMessage()
    message["From"] = "Tutors <no-reply@tutors.example>"
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    return message


class TestMessages:
    def test_are_listed_newest_first(self, page, send):
        for subject in ("one", "two", "three"):
            send(mail(subject))
        assert [shown["subject"] for shown in page.get("/api/messages").json()] == ["three", "two", "one"]

    def test_say_everything_a_test_wants_to_know(self, page, send):
        message = mail("Confirm, Zoë", to="zoë@example.com", text="Go to https://a.example/verify?x=1&y=2.")
        message.add_alternative('<a href="https://a.example/verify?x=1&amp;y=2">Go</a>', subtype="html")
        send(message)
        (shown,) = page.get("/api/messages").json()
        assert shown["from"] == "no-reply@tutors.example"
        assert shown["to"] == ["zoë@example.com"]
        assert shown["subject"] == "Confirm, Zoë"
        assert shown["text"].strip() == "Go to https://a.example/verify?x=1&y=2."
        assert shown["html"].strip().startswith("<a href=")
        assert shown["links"] == ["https://a.example/verify?x=1&y=2"]
        assert ["From", "Tutors <no-reply@tutors.example>"] in shown["headers"]

    def test_have_lines_as_they_were_written(self, page, send):
        send(mail(text="one\n\n    two\n"))
        assert page.get("/api/messages").json()[0]["text"] == "one\n\n    two\n"

    def test_can_be_asked_for_by_address(self, page, send):
        send(mail("hers", to="ada@example.com"))
        send(mail("his", to="bob+1@example.com"))
        (shown,) = page.get("/api/messages", params={"to": "bob+1@example.com"}).json()
        assert shown["subject"] == "his"

    def test_can_be_deleted(self, page, send):
        send(mail())
        before = page.get("/api/messages").json()[0]["id"]
        assert page.delete("/api/messages").status_code == 204
        assert page.get("/api/messages").json() == []
        send(mail())
        assert page.get("/api/messages").json()[0]["id"] == before + 1

    def test_of_more_than_5_megabytes_are_refused(self, page, send):
        with pytest.raises(smtplib.SMTPException):
            send(mail(text="x" * 5_300_000))
        assert page.get("/api/messages").json() == []


class TestMailbox:
    def test_forgets_the_oldest(self):
        mailbox = Mailbox()
        for number in range(KEPT + 1):
            mailbox.add(b"Subject: %d\r\n\r\n" % number, sender="", to=())
        assert len(mailbox.list()) == KEPT
        assert mailbox.list()[-1].subject == "1"

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\xff\x00\xfe",
            b"Subject: =?utf-8?b?!!!?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xe4",
            b"Content-Type: multipart/alternative\r\n\r\n",
            b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n!",
        ],
    )
    def test_keeps_what_is_broken_too(self, raw):
        mailbox = Mailbox()
        mailbox.add(raw, sender="a@example.com", to=("b@example.com",))
        assert mailbox.list()[0].to == ("b@example.com",)

    def test_shows_the_mail_and_not_what_is_attached(self):
        message = mail()
        message.add_attachment("<p>attached</p>", subtype="html", filename="page.html")
        mailbox = Mailbox()
        mailbox.add(message.as_bytes(), sender="", to=())
        assert mailbox.list()[0].html == ""


class TestPage:
    def test_is_there_and_loads_nothing_from_elsewhere(self, page):
        answer = page.get("/")
        assert "<h1>Mail" in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        for path in re.findall(r'(?:src|href)="([^"#][^"]*)"', answer.text):
            assert path.startswith(("/", "data:"))
            assert path == "data:," or page.get(path).status_code == 200

    def test_shows_mails_without_scripts(self):
        page = files("cas_local.mail").joinpath("page.html").read_text()
        (sandbox,) = re.findall(r'sandbox="([^"]*)"', page)
        assert set(sandbox.split()) == {"allow-popups", "allow-popups-to-escape-sandbox"}
        assert "innerHTML" not in files("cas_local.mail").joinpath("page.js").read_text()

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
    def test_answers_nobody_who_comes_by_another_name(self, page, send, host):
        send(mail())
        assert page.get("/api/messages", headers={"Host": host}).status_code == 403
        assert page.delete("/api/messages", headers={"Host": host}).status_code == 403

    def test_knows_its_addresses(self, page):
        assert page.get("/health").status_code == 200
        assert page.get("/etc/passwd").status_code == 404
        assert page.get("/page.py").status_code == 404
        assert page.delete("/").status_code == 404
