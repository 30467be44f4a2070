"""Every mail says what it must, on every client, whatever people call themselves."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser
from uuid import UUID

import pytest

from cas_auth.domain.mails import MailKind
from cas_auth.mailing.messages import Unaddressable, compose_message
from cas_auth.mailing.rendering import (
    Brand,
    Facts,
    Incomplete,
    presentable_name,
    render,
    spoken_duration,
    spoken_instant,
)

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
BRAND = Brand(name="Tutors & Friends", support_address="help@tutors.example")
LINK = "https://api.tutors.example/auth/v1/verify?token=pkce_1&type=signup&redirect_to=https%3A%2F%2Fa.example%2F"
CODE = "482913"
SECRETS = {"link": LINK, "code": CODE, "valid_for": timedelta(hours=1)}
FACTS = {
    MailKind.CONFIRMATION: SECRETS,
    MailKind.ALREADY_REGISTERED: {"link": "https://tutors.example"},
    MailKind.INVITE: SECRETS,
    MailKind.MAGIC_LINK: SECRETS,
    MailKind.RECOVERY: SECRETS,
    MailKind.EMAIL_CHANGE: SECRETS,
    MailKind.EMAIL_CHANGE_CURRENT: {**SECRETS, "new_address": "new@example.com"},
    MailKind.REAUTHENTICATION: {"code": CODE, "valid_for": timedelta(minutes=15)},
    MailKind.PASSWORD_CHANGED: {"happened_at": NOW},
    MailKind.EMAIL_CHANGED: {"new_address": "new@example.com", "happened_at": NOW},
    MailKind.IDENTITY_LINKED: {"provider": "Google", "happened_at": NOW},
    MailKind.IDENTITY_UNLINKED: {"provider": "Google", "happened_at": NOW},
    MailKind.FACTOR_ENROLLED: {"factor": "An authenticator app", "happened_at": NOW},
    MailKind.FACTOR_UNENROLLED: {"factor": "An authenticator app", "happened_at": NOW},
}
WITH_LINK = [kind for kind, facts in FACTS.items() if "link" in facts]
WITH_CODE = [kind for kind, facts in FACTS.items() if "code" in facts]
NOTICES = [kind for kind, facts in FACTS.items() if "happened_at" in facts]
VOID = {"meta", "br"}


class Page(HTMLParser):
    """The tags of a mail; fails where they do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.hrefs, self.tags, self.text = [], [], set(), []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        values = dict(attributes)
        assert "src" not in values, "nothing is loaded"
        assert not any(name.startswith("on") for name in values)
        if "href" in values:
            self.hrefs.append(values["href"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def facts(kind, **changes):
    return Facts(kind=kind, **{**FACTS[kind], **changes})


def said(kind, **changes):
    return render(facts(kind, **changes), brand=BRAND)


def flat(text):
    return " ".join(text.split())


class TestEveryMail:
    @pytest.fixture(params=MailKind, ids=str)
    def kind(self, request):
        return request.param

    def test_is_well_formed_and_loads_nothing(self, kind):
        page = Page(said(kind).html)
        assert {"html", "body", "table", "h1", "title"} <= page.tags
        assert not page.tags & {"img", "script", "link", "iframe", "object", "form", "svg", "video"}
        assert "url(" not in said(kind).html
        assert "@import" not in said(kind).html

    def test_says_who_writes_and_why_and_what_to_do_if_it_was_somebody_else(self, kind):
        mail = said(kind)
        for words in (flat(mail.text), flat("".join(Page(mail.html).text))):
            assert "Tutors & Friends" in words
            assert "You get this mail because" in words
            assert "Not you?" in words or "Not expected?" in words
            assert "help@tutors.example" in words

    def test_has_a_subject_of_its_own_in_one_line(self, kind):
        subject = said(kind).subject
        assert 10 < len(subject) <= 78
        assert "\n" not in subject
        assert [said(other).subject for other in MailKind].count(subject) == 1

    def test_leaves_nothing_unsaid(self, kind):
        mail = said(kind)
        for text in (mail.html, mail.text, mail.subject):
            assert "None" not in text
            assert "{" not in text.replace("{ color", "").partition("</style>")[2]

    def test_has_short_lines_of_text(self, kind):
        lines = said(kind).text.splitlines()
        assert all(len(line) <= 72 or line in {LINK, "https://tutors.example"} for line in lines)
        assert not any("  " in line.strip() for line in lines)

    def test_is_small(self, kind):
        """Gmail cuts off what is longer than 102 KB."""
        assert len(said(kind).html.encode()) < 20_000

    def test_does_without_a_support_address(self, kind):
        mail = render(facts(kind), brand=Brand(name="Tutors"))
        assert "None" not in mail.html + mail.text
        assert not any(words in mail.html + mail.text for words in ("Questions?", "and write to", "Write to"))


@pytest.mark.parametrize("kind", WITH_LINK, ids=str)
def test_a_link_is_there_once_to_press_and_once_to_read(kind):
    mail = said(kind)
    link = FACTS[kind]["link"]
    assert Page(mail.html).hrefs == [link]
    assert flat("".join(Page(mail.html).text)).count(link) == 1
    assert mail.text.splitlines().count(link) == 1


@pytest.mark.parametrize("kind", WITH_CODE, ids=str)
def test_a_code_stands_alone_and_says_how_long_it_works(kind):
    mail = said(kind)
    assert mail.html.count(f">{CODE}<") == 1
    assert mail.text.splitlines().count(f"    {CODE}") == 1
    assert f"for {spoken_duration(FACTS[kind]['valid_for'])}, and only once" in flat(mail.text)


@pytest.mark.parametrize("kind", NOTICES, ids=str)
def test_a_notice_has_nothing_to_press_and_says_when(kind):
    mail = said(kind)
    assert Page(mail.html).hrefs == []
    assert "on 1 March 2026 at 12:05 UTC" in flat(mail.text)


def test_the_new_address_is_not_told_of_the_old_one():
    assert "@" not in said(MailKind.EMAIL_CHANGE).text.replace(BRAND.support_address, "")


def test_the_old_address_is_told_of_the_new_one():
    assert "new@example.com" in said(MailKind.EMAIL_CHANGE_CURRENT).text
    assert "new@example.com" in said(MailKind.EMAIL_CHANGED).text


@pytest.mark.parametrize("kind", [MailKind.EMAIL_CHANGE_CURRENT, MailKind.IDENTITY_LINKED], ids=str)
def test_a_mail_that_lacks_something_is_not_written(kind):
    with pytest.raises(Incomplete):
        said(kind, new_address=None, provider=None)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "/verify", "https://a\nb"])
def test_a_link_that_is_no_page_is_not_written(link):
    with pytest.raises(Incomplete):
        said(MailKind.RECOVERY, link=link)


class TestWhatPeopleTyped:
    def test_is_escaped(self):
        mail = said(MailKind.EMAIL_CHANGED, new_address='<img src=x onerror="a()">@example.com')
        assert "<img" not in mail.html
        assert "&lt;img" in mail.html
        Page(mail.html)

    def test_cannot_begin_a_line_of_the_text_or_a_header(self):
        mail = said(
            MailKind.IDENTITY_LINKED, provider="Google\r\nBcc: eve@example.com\r\n\r\nhttps://evil.example"
        )
        assert "\n" not in mail.subject
        assert "\r" not in mail.subject
        assert not any(line.startswith(("Bcc", "https")) for line in mail.text.splitlines())

    @pytest.mark.parametrize(
        "name", ["Ada Lovelace", "Zoë", "Seán O'Brien", "Anne-Marie von der Heide", "李小龍", "Мария Кюри"]
    )
    def test_greets_by_name(self, name):
        mail = said(MailKind.CONFIRMATION, name=name)
        assert f"Hello {name}," in mail.text
        assert f"Hello {name}," in "".join(Page(mail.html).text)

    @pytest.mark.parametrize(
        "name",
        [
            None,
            "",
            " ",
            "evil.example",
            "Claim £500 at evil.example/now",
            "<b>Ada</b>",
            "{{ 7 * 7 }}",
            "Ada\nBcc: eve@example.com",
            "Win1000",
            "A" * 41,
            "you have won a prize go and get it",
            "Ada\u202eevil",
        ],
    )
    def test_greets_nobody_by_what_is_no_name(self, name):
        assert presentable_name(name) is None
        assert "Hello" not in said(MailKind.CONFIRMATION, name=name).text


class TestSpoken:
    @pytest.mark.parametrize(
        ("duration", "words"),
        [
            (timedelta(seconds=20), "1 minute"),
            (timedelta(minutes=15), "15 minutes"),
            (timedelta(minutes=60), "1 hour"),
            (timedelta(minutes=90), "90 minutes"),
            (timedelta(hours=24), "1 day"),
            (timedelta(hours=36), "36 hours"),
        ],
    )
    def test_durations(self, duration, words):
        assert spoken_duration(duration) == words

    def test_instants_in_universal_time(self):
        zone = datetime.fromisoformat("2026-03-01T23:30:00-05:00")
        assert spoken_instant(zone) == "2 March 2026 at 04:30 UTC"


class TestMessage:
    ID = UUID("0194e3a1-0000-7000-8000-000000000001")

    def compose(self, *, to="ada@example.com", sender="no-reply@tutors.example", brand=BRAND, **facts):
        message = compose_message(
            said(MailKind.CONFIRMATION, **facts),
            brand=brand,
            sender=sender,
            to=to,
            mail_id=self.ID,
            attempt=2,
            now=NOW,
        )
        return message_from_bytes(message.as_bytes(), policy=policy.default)

    def test_carries_what_mail_programs_want_to_know(self):
        message = self.compose()
        assert message["From"] == "Tutors & Friends <no-reply@tutors.example>"
        assert message["To"] == "ada@example.com"
        assert message["Reply-To"] == "help@tutors.example"
        assert message["Date"].datetime == NOW
        assert message["Message-ID"] == f"<{self.ID}.2@tutors.example>"
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["MIME-Version"] == "1.0"

    def test_offers_text_first_and_html_as_the_better_choice(self):
        message = self.compose(name="Zoë")
        assert message.get_content_type() == "multipart/alternative"
        text, html = message.iter_parts()
        assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
        assert LINK in text.get_content()
        assert "Hello Zoë" in html.get_content()

    def test_travels_through_servers_that_know_only_ascii_and_short_lines(self):
        raw = self.compose(name="Zoë").as_bytes()
        raw.decode("ascii")
        assert max(map(len, raw.splitlines())) <= 998

    def test_survives_a_brand_beyond_ascii(self):
        message = self.compose(brand=Brand(name='Lernen "für" alle'))
        assert message["From"].addresses[0].display_name == 'Lernen "für" alle'
        assert message["Reply-To"] is None

    def test_spells_domains_as_name_servers_do(self):
        assert self.compose(to="ada@bücher.example")["To"] == "ada@xn--bcher-kva.example"

    @pytest.mark.parametrize(
        "address", ["", "ada", "ada@example.com\r\nBcc: eve@example.com", "a@b, c@d.example"]
    )
    def test_goes_to_one_address_or_nowhere(self, address):
        with pytest.raises(Unaddressable):
            self.compose(to=address)
