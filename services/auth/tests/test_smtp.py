"""Handing mails to real SMTP servers that behave, refuse, hang up, hang and cheat."""

import socket
import ssl
import threading
from contextlib import ExitStack
from datetime import timedelta
from email.message import EmailMessage

import pytest
import trustme
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr
from services.auth.tests.mail_server import Mailbox, serving

from cas_auth.clients.smtp import MailNotTakenNow, MailRefused, SmtpServer, send
from cas_auth.settings import SmtpSecurity
from cas_local.ports import free_port


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def start(mailbox):
    """Start a server in front of the mailbox; returns how to reach it."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(serving(mailbox, **options))


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def certificate(authority):
    """What a server shows whose name is 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def changed(server, **values):
    return SmtpServer(**{name: getattr(server, name) for name in SmtpServer.__slots__} | values)


def mail(to="ada@example.com"):
    message = EmailMessage()
    message["From"] = "Tutors <no-reply@tutors.example>"
    message["To"] = to
    message["Subject"] = "Hello"
    message.set_content("Good morning.")
    return message


class TestDelivery:
    def test_hands_the_message_over(self, start, mailbox):
        send(mail(), server=start())
        ((session, envelope),) = mailbox.mails
        assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@tutors.example", ["ada@example.com"])
        assert b"Good morning." in envelope.content
        assert session.host_name == "tutors.example"

    @pytest.mark.parametrize("answer", ["421 Too tired", "500 What?"])
    def test_does_not_mind_how_the_server_says_goodbye(self, start, mailbox, answer):
        mailbox.answers["QUIT"] = answer
        send(mail(), server=start())
        assert len(mailbox.mails) == 1

    def test_uses_addresses_beyond_ascii_where_the_server_does(self, start, mailbox):
        send(mail("zoë@example.com"), server=start(enable_SMTPUTF8=True))
        assert mailbox.mails[0][1].rcpt_tos == ["zoë@example.com"]


class TestEncryption:
    @pytest.mark.parametrize("security", [SmtpSecurity.TLS, SmtpSecurity.STARTTLS])
    def test_encrypts(self, start, mailbox, certificate, ca_file, security):
        send(mail(), server=changed(start(security=security, certificate=certificate), ca_file=ca_file))
        assert mailbox.encrypted

    @pytest.mark.parametrize("security", [SmtpSecurity.TLS, SmtpSecurity.STARTTLS])
    def test_trusts_no_unknown_certificate(self, start, mailbox, certificate, security):
        with pytest.raises(MailNotTakenNow) as refusal:
            send(mail(), server=start(security=security, certificate=certificate))
        assert refusal.value.reason == "SSLCertVerificationError"
        assert mailbox.mails == []

    @pytest.mark.parametrize("security", [SmtpSecurity.TLS, SmtpSecurity.STARTTLS])
    def test_trusts_no_certificate_of_another_host(self, start, mailbox, certificate, ca_file, security):
        server = start(security=security, certificate=certificate)
        with pytest.raises(MailNotTakenNow):
            send(mail(), server=changed(server, host="localhost", ca_file=ca_file))
        assert mailbox.mails == []

    def test_sends_nothing_where_starttls_is_not_offered(self, start, mailbox):
        with pytest.raises(MailNotTakenNow):
            send(mail(), server=changed(start(), security=SmtpSecurity.STARTTLS))
        assert mailbox.mails == []


class TestSigningIn:
    @pytest.fixture
    def guarded(self, start, certificate, ca_file):
        def check(server, session, envelope, mechanism, data):
            return AuthResult(success=(data.login, data.password) == (b"tutors", b"secret"), handled=False)

        server = start(
            security=SmtpSecurity.STARTTLS, certificate=certificate, auth_required=True, authenticator=check
        )
        return changed(server, ca_file=ca_file)

    def test_with_the_right_password(self, guarded, mailbox):
        send(mail(), server=changed(guarded, username="tutors", password=SecretStr("secret")))
        assert mailbox.mails[0][0].authenticated

    def test_with_a_wrong_one_is_nobodys_mails_fault(self, guarded, mailbox):
        with pytest.raises(MailNotTakenNow) as refusal:
            send(mail(), server=changed(guarded, username="tutors", password=SecretStr("wrong")))
        assert refusal.value.reason == "535 5.7.8"

    def test_missing_where_it_is_needed_is_nobodys_mails_fault(self, guarded):
        with pytest.raises(MailNotTakenNow, match="530"):
            send(mail(), server=guarded)


class TestRefusal:
    @pytest.mark.parametrize("step", ["RCPT", "DATA"])
    @pytest.mark.parametrize(
        ("answer", "error", "reason"),
        [
            ("450 4.2.1 ada@example.com is busy", MailNotTakenNow, "450 4.2.1"),
            ("421 Come back later, ada@example.com", MailNotTakenNow, "421"),
            ("550 5.1.1 ada@example.com is not here", MailRefused, "550 5.1.1"),
            ("554 No", MailRefused, "554"),
        ],
    )
    def test_is_temporary_or_final_as_the_server_says(self, start, mailbox, step, answer, error, reason):
        mailbox.answers[step] = answer
        with pytest.raises(error) as refusal:
            send(mail(), server=start())
        assert refusal.value.reason == reason
        assert type(refusal.value) is error

    def test_of_the_sender_is_nobodys_mails_fault(self, start, mailbox):
        mailbox.answers["MAIL"] = "550 5.7.1 Who are you?"
        with pytest.raises(MailNotTakenNow, match=r"550 5\.7\.1"):
            send(mail(), server=start())

    def test_of_an_address_the_server_cannot_spell_is_final(self, start):
        with pytest.raises(MailRefused):
            send(mail("zoë@example.com"), server=start(enable_SMTPUTF8=False))


class TestTrouble:
    def test_nobody_there(self):
        with pytest.raises(MailNotTakenNow, match="ConnectionRefusedError"):
            send(mail(), server=SmtpServer(host="127.0.0.1", port=free_port(), security=SmtpSecurity.NONE))

    def test_connection_lost_after_the_message(self, start, mailbox):
        mailbox.answers["DATA"] = "hang up"
        with pytest.raises(MailNotTakenNow, match="SMTPServerDisconnected"):
            send(mail(), server=start())

    @pytest.mark.parametrize(
        "words", [b"", b"220-welcome\r\n", b"\xff\x00\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
    )
    def test_somebody_who_never_gets_to_the_point(self, words):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            kept = []

            def answer():
                connection, _ = listener.accept()
                connection.sendall(words)
                kept.append(connection)

            thread = threading.Thread(target=answer)
            thread.start()
            server = SmtpServer(
                host="127.0.0.1",
                port=listener.getsockname()[1],
                security=SmtpSecurity.NONE,
                timeout=timedelta(milliseconds=200),
            )
            with pytest.raises(MailNotTakenNow):
                send(mail(), server=server)
            thread.join()
            for connection in kept:
                connection.close()
