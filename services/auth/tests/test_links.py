"""Invitations and generated links."""

from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from services.auth.tests.counting import count

from cas_auth.domain.audit import AuditAction
from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import (
    EmailExists,
    InvalidRequest,
    TokenExpired,
    UserNotFound,
    WeakPassword,
)
from cas_auth.models import Mail, User
from cas_auth.operations.administration import Act
from cas_auth.operations.links import LinkRequest, LinkType, generate_link, invite_user
from cas_auth.operations.mails import MailedLink
from cas_auth.operations.verification import HalfChanged

from .conftest import PASSWORD
from .test_rest_admin import refusal

ADMIN = uuid4()


@dataclass(frozen=True)
class Office:
    desk: object

    @property
    def act(self) -> Act:
        return Act(ADMIN, self.desk.origin, self.desk.now)

    def link(self, link_type, email="ada@example.com", **wanted):
        return generate_link(
            self.desk.database,
            self.desk.tools,
            wanted=LinkRequest(type=link_type, email=email, **wanted),
            act=self.act,
        )

    def invite(self, email="ada@example.com", data=None, redirect_to=None):
        return invite_user(
            self.desk.database,
            self.desk.tools,
            email=email,
            data=data,
            link=MailedLink(redirect_to),
            act=self.act,
        )


@pytest.fixture
def office(confirming) -> Office:
    return Office(confirming)


class TestInvite:
    def test_adds_the_user_and_mails_them(self, office, confirming, audit):
        user = office.invite("Ada@Example.com", data={"name": "Ada"})
        assert (user.email, user.user_metadata, user.invited_at) == (
            "ada@example.com", {"name": "Ada"}, confirming.now,
        )  # fmt: skip
        entry = audit()[-1]
        assert (entry.action, entry.actor_id, entry.traits) == (
            AuditAction.USER_INVITED, ADMIN, {"user_id": str(user.id)},
        )  # fmt: skip
        letter = confirming.letter()
        assert (letter.kind, letter.address) == (MailKind.INVITE, "ada@example.com")
        grant = confirming.verify(link=letter.link_token, type="invite")
        assert (grant.user.id, grant.user.email_confirmed_at) == (user.id, confirming.now)
        assert audit()[-2].action is AuditAction.INVITE_ACCEPTED

    def test_mails_those_who_have_not_come_yet_once_more(self, office, confirming, database):
        first = office.invite()
        assert office.invite(data={"name": "Ada"}).id == first.id
        old, new = confirming.letters()
        with pytest.raises(TokenExpired):
            confirming.verify(link=old.link_token, type="invite")
        assert confirming.verify(link=new.link_token, type="invite").user.user_metadata == {"name": "Ada"}

    def test_refuses_those_who_are_here(self, office, desk, ada, database):
        with pytest.raises(EmailExists):
            office.invite()
        with pytest.raises(InvalidRequest):
            office.invite("no address")
        assert count(database, Mail) == 0


class TestGenerateLink:
    def test_signs_up_with_a_password(self, office, confirming, audit):
        made = office.link(LinkType.SIGNUP, password=PASSWORD, data={"name": "Ada"})
        assert made.user.user_metadata == {"name": "Ada"}
        assert audit()[-1].traits == {"user_id": str(made.user.id), "link": "signup"}
        assert confirming.verify(link=made.link_token, type="signup").user.id == made.user.id
        assert confirming.sign_in().user.id == made.user.id

    def test_demands_a_good_password_of_somebody_new(self, office, database):
        with pytest.raises(InvalidRequest, match="valid password"):
            office.link(LinkType.SIGNUP)
        with pytest.raises(WeakPassword):
            office.link(LinkType.SIGNUP, password="short")
        assert count(database, User) == 0

    def test_confirms_whoever_signed_up_and_waits(self, office, confirming):
        waiting = confirming.sign_up()
        made = office.link(LinkType.SIGNUP)
        assert made.user.id == waiting.id
        assert confirming.verify(email="ada@example.com", code=made.code, type="signup")
        assert confirming.sign_in()

    def test_invites(self, office, confirming):
        made = office.link(LinkType.INVITE)
        assert made.user.invited_at == confirming.now
        assert confirming.verify(link=made.link_token, type="invite").user.email_confirmed_at

    def test_signs_in(self, office, confirming, ada):
        made = office.link(LinkType.MAGICLINK)
        assert (made.type, made.user.recovery_sent_at) == (LinkType.MAGICLINK, confirming.now)
        assert confirming.verify(email="ada@example.com", code=made.code, type="email").user.id == ada.user.id

    def test_signs_up_whoever_is_unknown_where_they_would_sign_in(self, office, confirming):
        made = office.link(LinkType.MAGICLINK, data={"name": "Ada"})
        assert made.type is LinkType.SIGNUP
        assert confirming.verify(link=made.link_token, type=made.type).user.user_metadata == {"name": "Ada"}

    def test_recovers(self, office, confirming, ada):
        made = office.link(LinkType.RECOVERY)
        grant = confirming.verify(link=made.link_token, type="recovery")
        assert grant.claims["amr"][0]["method"] == "recovery"

    def test_changes_an_address_when_both_agree(self, office, confirming, ada):
        wanted = {"new_email": "Lovelace@example.com"}
        current = office.link(LinkType.EMAIL_CHANGE_CURRENT, **wanted)
        new = office.link(LinkType.EMAIL_CHANGE_NEW, **wanted)
        assert (new.user.new_email, new.user.email) == ("lovelace@example.com", "ada@example.com")
        assert isinstance(confirming.verify(link=current.link_token, type="email_change"), HalfChanged)
        grant = confirming.verify(email="lovelace@example.com", code=new.code, type="email_change")
        assert grant.user.email == "lovelace@example.com"

    def test_begins_anew_when_another_address_is_wanted(self, office, confirming, ada):
        first = office.link(LinkType.EMAIL_CHANGE_CURRENT, new_email="lovelace@example.com")
        office.link(LinkType.EMAIL_CHANGE_NEW, new_email="byron@example.com")
        with pytest.raises(TokenExpired):
            confirming.verify(link=first.link_token, type="email_change")

    def test_asks_nobody_at_the_old_address_where_that_is_off(self, office, confirming, auth_settings, ada):
        lax = replace(office, desk=office.desk.with_settings(auth_settings(secure_email_change=False)))
        with pytest.raises(InvalidRequest, match="secure email change"):
            lax.link(LinkType.EMAIL_CHANGE_CURRENT, new_email="lovelace@example.com")

    @pytest.mark.parametrize(
        ("wanted", "refusal"),
        [
            ({"link_type": LinkType.SIGNUP, "password": PASSWORD}, EmailExists),
            ({"link_type": LinkType.INVITE}, EmailExists),
            ({"link_type": LinkType.MAGICLINK, "email": "no address"}, InvalidRequest),
            ({"link_type": LinkType.RECOVERY, "email": "eve@example.com"}, UserNotFound),
            (
                {"link_type": LinkType.EMAIL_CHANGE_NEW, "email": "eve@example.com", "new_email": "e@x.com"},
                UserNotFound,
            ),
            ({"link_type": LinkType.EMAIL_CHANGE_NEW}, InvalidRequest),
            ({"link_type": LinkType.EMAIL_CHANGE_NEW, "new_email": "ada@example.com"}, EmailExists),
        ],
    )
    def test_refuses_what_makes_no_sense(self, office, ada, wanted, refusal):
        with pytest.raises(refusal):
            office.link(**wanted)

    def test_mails_nobody_and_leads_only_where_it_may(self, office, confirming, database, auth_settings):
        made = office.link(LinkType.MAGICLINK, redirect_to="https://evil.example/")
        assert made.redirect_to == confirming.tools.settings.site_url
        assert count(database, Mail) == 0
        query = parse_qs(urlsplit(made.link).query)
        assert query == {
            "token": [made.link_token], "type": ["signup"], "redirect_to": [made.redirect_to],
        }  # fmt: skip


class TestRest:
    def test_answers_a_user_with_the_link_beside(self, call):
        body = {"type": "signup", "email": "ada@example.com", "password": PASSWORD, "redirectTo": "/x"}
        answer = call("POST", "/auth/v1/admin/generate_link", json=body).json()
        assert answer["email"] == "ada@example.com"
        assert answer["verification_type"] == "signup"
        assert answer["hashed_token"] in answer["action_link"]
        assert len(answer["email_otp"]) == 6
        assert answer["redirect_to"] == "http://localhost:3000"

    def test_makes_a_hash_that_clients_can_verify(self, auth, call):
        body = {"type": "magiclink", "email": "ada@example.com"}
        made = call("POST", "/auth/v1/admin/generate_link", json=body).json()
        verified = auth.post(
            "verify", {"token_hash": made["hashed_token"], "type": made["verification_type"]}
        )
        assert verified.json()["user"]["id"] == made["id"]

    def test_lets_links_lead_where_they_may(self, start, program):
        auth = start(redirect_urls=["https://app.example/**"])
        answer = auth.client.post(
            "/auth/v1/admin/generate_link",
            params={"redirect_to": "https://app.example/in"},
            json={"type": "magiclink", "email": "ada@example.com"},
            headers=program,
        )
        assert answer.json()["redirect_to"] == "https://app.example/in"

    def test_invites(self, auth, call):
        invited = call("POST", "/auth/v1/invite", json={"email": "ada@example.com", "data": {"name": "Ada"}})
        assert invited.json()["user_metadata"] == {"name": "Ada"}
        assert "invited_at" in invited.json()
        assert auth.letter().kind is MailKind.INVITE
        auth.sign_up("eve@example.com")
        again = call("POST", "/auth/v1/invite", json={"email": "eve@example.com"})
        assert refusal(again) == (422, "email_exists")

    @pytest.mark.parametrize(
        ("body", "answer"),
        [
            ({"type": "sms", "email": "ada@example.com"}, (400, "validation_failed")),
            ({"email": "ada@example.com"}, (400, "validation_failed")),
            ({"type": "magiclink"}, (400, "validation_failed")),
            ({"type": "recovery", "email": "ada@example.com"}, (404, "user_not_found")),
        ],
    )
    def test_refuses_in_the_words_of_the_protocol(self, call, body, answer):
        assert refusal(call("POST", "/auth/v1/admin/generate_link", json=body)) == answer
