"""What administrators do to users, on a real database."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.auth.tests.counting import count
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from cas_auth.domain.accounts import canonical_phone
from cas_auth.domain.administration import AdminRefused, PhoneExists, UserIdExists
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.bans import NO_BAN, ban_length
from cas_auth.domain.mails import MailKind
from cas_auth.domain.one_time_tokens import TokenKind
from cas_auth.domain.refusals import (
    BadJwt,
    BannedFromSigningIn,
    EmailExists,
    EmailNotConfirmed,
    InvalidCredentials,
    InvalidRequest,
    RefreshTokenNotFound,
    SessionNotFound,
    UserNotFound,
    WeakPassword,
)
from cas_auth.domain.sessions import LogoutScope
from cas_auth.domain.user_list import UserCursor, UserMatch
from cas_auth.models import Identity, Mail, OneTimeToken, User, UserSession
from cas_auth.operations import administration
from cas_auth.operations.administration import Act, UserAttributes, authorize_admin
from cas_auth.operations.directory import set_app_roles
from cas_auth.operations.mails import request_mail
from cas_auth.operations.one_time import make_token

DAY = timedelta(days=1)
ADMIN = uuid4()
HASH = bcrypt.hashpw(b"imported password", bcrypt.gensalt(4)).decode()


@dataclass(frozen=True)
class Office:
    """The operations of an administrator with the arguments that do not matter filled in."""

    desk: object
    act: Act

    def create(self, email: str | None = "ada@example.com", *, user_id: UUID | None = None, **said) -> User:
        attributes = UserAttributes(email=email, **said)
        return administration.create_user(
            self.desk.database, self.desk.tools, user_id=user_id, attributes=attributes, act=self.act
        )

    def update(self, user_id: UUID, **said) -> User:
        attributes = UserAttributes(**said)
        return administration.update_user(
            self.desk.database, self.desk.tools, user_id=user_id, attributes=attributes, act=self.act
        )

    def delete(self, user_id: UUID, *, keep_id: bool = False) -> None:
        self._within(administration.delete_user, user_id=user_id, keep_id=keep_id, act=self.act)

    def get(self, user_id: UUID) -> User:
        return self._within(administration.get_user, user_id=user_id)

    def page(self, page: int = 1, per_page: int = 50, **match):
        return self._within(
            administration.list_user_page, match=UserMatch(**match), page=page, per_page=per_page
        )

    def after(self, cursor: UserCursor | None = None, per_page: int = 50, **match):
        return self._within(
            administration.list_users_after, match=UserMatch(**match), cursor=cursor, per_page=per_page
        )

    def _within(self, operation: Callable, **arguments):
        with self.desk.database.transaction() as session:
            return operation(session, **arguments)


@pytest.fixture
def office(desk) -> Office:
    return Office(desk, Act(ADMIN, desk.origin, desk.now))


def acts(audit) -> list[tuple[AuditAction, UUID | None, str]]:
    return [(entry.action, entry.actor_id, entry.traits.get("user_id")) for entry in audit()]


class TestBanLength:
    @pytest.mark.parametrize(
        ("written", "length"),
        [
            ("24h", DAY),
            ("1h30m", timedelta(minutes=90)),
            ("1.5h", timedelta(minutes=90)),
            ("2h45m10s", timedelta(hours=2, minutes=45, seconds=10)),
            ("300ms", timedelta(milliseconds=300)),
            (".5s", timedelta(milliseconds=500)),
            ("876000h", timedelta(hours=876_000)),
            ("none", NO_BAN),
            ("0", NO_BAN),
            ("0s", NO_BAN),
        ],
    )
    def test_reads_what_the_protocol_writes(self, written, length):
        assert ban_length(written) == length

    @pytest.mark.parametrize(
        "written", ["", "24", "24 h", "-24h", "1d", "h", "1h-", "None", "forever", "99999999h", "१h", "1e3h"]
    )
    def test_refuses_anything_else(self, written):
        with pytest.raises(InvalidRequest):
            ban_length(written)

    @given(st.text("0123456789.hmsun ", max_size=40))
    def test_gives_an_instant_or_refuses(self, written):
        with suppress(InvalidRequest):
            assert datetime(2026, 1, 1, tzinfo=UTC) + ban_length(written)


class TestPhoneNumbers:
    @pytest.mark.parametrize("written", ["+44 20 7946 0000", "442079460000", "44 2079460000"])
    def test_are_kept_as_digits(self, written):
        assert canonical_phone(written) == "442079460000"

    @pytest.mark.parametrize("written", ["", "+", "020 7946 0000", "44-20", "1" * 16, "4४"])
    def test_are_refused_in_any_other_form(self, written):
        with pytest.raises(InvalidRequest, match=r"E\.164"):
            canonical_phone(written)


class TestCreateUser:
    def test_adds_a_user_who_can_sign_in(self, office, desk, audit):
        user = office.create(
            "Ada@Example.com",
            password="correct horse battery",
            email_confirm=True,
            user_metadata={"full_name": "Ada"},
            app_metadata={"plan": "gold", "provider": "email"},
            role="editor",
        )
        assert (user.email, user.email_confirmed_at, user.role) == ("ada@example.com", desk.now, "editor")
        assert user.app_metadata == {"provider": "email", "providers": ["email"], "plan": "gold"}
        assert user.identities[0].identity_data == {
            "sub": str(user.id), "email": "ada@example.com", "email_verified": True, "phone_verified": False,
        }  # fmt: skip
        assert desk.sign_in().claims["role"] == "editor"
        assert acts(audit)[0] == (AuditAction.USER_SIGNEDUP, ADMIN, str(user.id))

    def test_leaves_the_address_unconfirmed_unless_told(self, office, desk):
        user = office.create(password="correct horse battery")
        assert user.email_confirmed_at is None
        assert not user.identities[0].identity_data["email_verified"]
        with pytest.raises(EmailNotConfirmed):
            desk.sign_in()

    def test_takes_an_id_and_a_hash(self, office, desk):
        user = office.create(user_id=ADMIN, password_hash=HASH, email_confirm=True)
        assert user.id == ADMIN
        assert desk.sign_in(password="imported password").user.id == ADMIN

    def test_takes_a_number_alone(self, office):
        user = office.create(None, phone="+44 20 7946 0000", phone_confirm=True, ban_duration="1h")
        assert (user.phone, user.email, user.app_metadata["provider"]) == ("442079460000", None, "phone")
        assert user.identities[0].identity_data["phone_verified"]
        assert user.is_banned(office.act.now)

    def test_mails_nobody(self, office, desk, database):
        office.create()
        assert count(database, Mail) == 0

    @pytest.mark.parametrize(
        ("said", "refusal"),
        [
            ({"email": None}, InvalidRequest),
            ({"email": "no address"}, InvalidRequest),
            ({"phone": "12"}, None),
            ({"phone": "call me"}, InvalidRequest),
            ({"password": "short"}, WeakPassword),
            ({"password": "correct horse battery", "password_hash": HASH}, InvalidRequest),
            ({"password_hash": "plain text"}, InvalidRequest),
            ({"ban_duration": "forever"}, InvalidRequest),
            ({"role": " "}, InvalidRequest),
            ({"role": "x" * 64}, InvalidRequest),
            ({"user_metadata": {"text": "x" * 5000}}, InvalidRequest),
            ({"app_metadata": {"text": "x" * 5000}}, InvalidRequest),
        ],
    )
    def test_adds_nobody_when_something_is_wrong(self, office, database, said, refusal):
        if refusal is None:
            assert office.create(**said)
            return
        with pytest.raises(refusal):
            office.create(**said)
        assert count(database, User) == count(database, Identity) == 0

    @pytest.mark.parametrize(
        ("said", "refusal"),
        [
            ({"email": "ADA@example.com"}, EmailExists),
            ({"email": "eve@example.com", "phone": "442079460000"}, PhoneExists),
            ({"email": "eve@example.com", "user_id": ADMIN}, UserIdExists),
        ],
    )
    def test_takes_nothing_from_others(self, office, database, said, refusal):
        office.create(user_id=ADMIN, phone="442079460000")
        with pytest.raises(refusal):
            office.create(**said)
        assert count(database, User) == 1


class TestUpdateUser:
    def test_merges_metadata(self, office, ada):
        office.update(ada.user.id, user_metadata={"a": 1, "b": 2}, app_metadata={"plan": "gold"})
        user = office.update(ada.user.id, user_metadata={"a": None}, app_metadata={"plan": None, "x": [1]})
        assert user.user_metadata == {"b": 2}
        assert user.app_metadata == {"provider": "email", "providers": ["email"], "x": [1]}

    def test_bans_and_ends_sessions_until_it_is_lifted(self, office, desk, ada, audit):
        user = office.update(ada.user.id, ban_duration="24h")
        assert user.banned_until == desk.now + DAY
        with pytest.raises(RefreshTokenNotFound):
            desk.refresh(ada.refresh_token)
        with pytest.raises(BannedFromSigningIn):
            desk.sign_in()
        assert (AuditAction.USER_BANNED, ADMIN, str(user.id)) in acts(audit)
        assert office.update(ada.user.id, ban_duration="none").banned_until is None
        assert desk.sign_in()

    def test_changes_the_password_and_ends_sessions_and_links(self, office, desk, ada, database, audit):
        with database.transaction() as session:
            user = session.get(User, ada.user.id)
            make_token(session, desk.tools, user, TokenKind.RECOVERY, address="ada@example.com", now=desk.now)
        office.update(ada.user.id, password="another password")
        assert count(database, OneTimeToken) == count(database, UserSession) == 0
        with pytest.raises(InvalidCredentials):
            desk.sign_in()
        assert desk.sign_in(password="another password")
        assert (AuditAction.USER_UPDATED_PASSWORD, ADMIN, str(ada.user.id)) in acts(audit)

    def test_takes_a_hash_instead_of_a_password(self, office, desk, ada):
        office.update(ada.user.id, password_hash=HASH)
        assert desk.sign_in(password="imported password")

    def test_changes_the_address_and_makes_earlier_links_worthless(self, office, desk, ada, database):
        with database.transaction() as session:
            user = session.get(User, ada.user.id)
            make_token(session, desk.tools, user, TokenKind.RECOVERY, address="ada@example.com", now=desk.now)
        user = office.update(ada.user.id, email="Lovelace@example.com")
        assert (user.email, user.email_confirmed_at) == ("lovelace@example.com", desk.now)
        assert user.identities[0].identity_data["email"] == "lovelace@example.com"
        assert count(database, OneTimeToken) == 0
        assert desk.refresh(ada.refresh_token)
        assert desk.sign_in("lovelace@example.com")

    def test_gives_an_anonymous_user_an_address(self, office, desk, database):
        with database.transaction() as session:
            nobody = User.anonymous(user_id=uuid4(), user_metadata={}, now=desk.now)
            session.add(nobody)
        user = office.update(
            nobody.id, email="ada@example.com", email_confirm=True, password="correct horse battery"
        )
        assert not user.is_anonymous
        assert [identity.provider for identity in user.identities] == ["email"]
        assert user.app_metadata == {"provider": "email", "providers": ["email"]}
        assert desk.sign_in()

    def test_adds_a_number_beside_the_address(self, office, ada):
        user = office.update(ada.user.id, phone="442079460000")
        assert user.app_metadata["providers"] == ["email", "phone"]
        assert user.phone_confirmed_at is None
        confirmed = office.update(ada.user.id, phone_confirm=True)
        assert confirmed.phone_confirmed_at == office.act.now
        data = {identity.provider: identity.identity_data for identity in confirmed.identities}
        assert data["phone"]["phone_verified"]

    def test_confirms_nothing_that_is_not_there(self, office, ada):
        assert office.update(ada.user.id, phone_confirm=True).phone_confirmed_at is None

    def test_leaves_sessions_alone_otherwise(self, office, desk, ada):
        office.update(ada.user.id, role="editor", email_confirm=True)
        assert desk.refresh(ada.refresh_token).claims["role"] == "editor"

    def test_takes_no_address_of_somebody_else(self, office, desk, ada):
        eve = desk.sign_up("eve@example.com")
        with pytest.raises(EmailExists):
            office.update(ada.user.id, email="eve@example.com", ban_duration="1h")
        assert desk.refresh(ada.refresh_token)
        assert desk.stored(eve).email == "eve@example.com"

    def test_knows_no_other_user(self, office):
        with pytest.raises(UserNotFound):
            office.update(uuid4(), role="editor")


class TestDeleteUser:
    def test_forgets_everything(self, office, desk, ada, database, audit):
        office.delete(ada.user.id)
        assert count(database, User) == count(database, Identity) == count(database, UserSession) == 0
        assert acts(audit)[-1] == (AuditAction.USER_DELETED, ADMIN, str(ada.user.id))
        assert {entry.ip for entry in audit() if entry.actor_id == ada.user.id} == {None}
        with pytest.raises(UserNotFound):
            office.delete(ada.user.id)

    def test_can_keep_the_id_and_nothing_else(self, office, desk, ada, database):
        office.update(ada.user.id, phone="442079460000", user_metadata={"full_name": "Ada"})
        with database.transaction() as session:
            request_mail(session, desk.tools, kind=MailKind.RECOVERY, address="ada@example.com", now=desk.now)
        office.delete(ada.user.id, keep_id=True)
        user = office.get(ada.user.id)
        assert (user.email, user.phone, user.password_hash) == (None, None, None)
        assert (user.user_metadata, user.app_metadata, user.identities) == ({}, {}, [])
        assert user.deleted_at == desk.now
        assert count(database, UserSession) == count(database, Mail) == 0
        with pytest.raises(InvalidCredentials):
            desk.sign_in()
        assert desk.sign_up().user.id != ada.user.id

    def test_is_not_undone_by_a_change(self, office, desk, ada):
        office.delete(ada.user.id, keep_id=True)
        with pytest.raises(UserNotFound):
            office.update(ada.user.id, email="ada@example.com", password=desk.password, email_confirm=True)
        with pytest.raises(InvalidCredentials):
            desk.sign_in()

    def test_can_be_repeated_and_then_be_made_complete(self, office, desk, ada, database):
        office.delete(ada.user.id, keep_id=True)
        with database.transaction() as session:
            set_app_roles(
                session, user_id=ada.user.id, roles=["tutor"], active_role=None, version=1, now=desk.now
            )
        Office(desk, Act(ADMIN, desk.origin, desk.now + DAY)).delete(ada.user.id, keep_id=True)
        assert (office.get(ada.user.id).app_metadata, office.get(ada.user.id).deleted_at) == ({}, desk.now)
        office.delete(ada.user.id)
        with pytest.raises(UserNotFound):
            office.get(ada.user.id)


@pytest.fixture
def crowd(desk, database) -> list[UUID]:
    """Fifty users, newest first; every ten signed up at the same instant."""
    rows = [
        {
            "id": uuid4(),
            "email": f"user{number:02}@example.com",
            "app_metadata": {},
            "user_metadata": {},
            "app_roles_version": 0,
            "created_at": desk.now + timedelta(minutes=number // 10),
            "updated_at": desk.now,
        }
        for number in range(50)
    ]
    with database.transaction() as session:
        session.execute(insert(User), rows)
    return [row["id"] for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)]


def ids(page) -> list[UUID]:
    return [user.id for user in page.users]


class TestListUsers:
    def test_shows_numbered_pages_newest_first(self, office, crowd):
        pages = [office.page(number, 20) for number in (1, 2, 3, 4)]
        assert [user_id for page in pages for user_id in ids(page)] == crowd
        assert {page.total for page in pages} == {50}
        assert pages[3].users == []

    def test_finds_one_by_the_whole_address(self, office, crowd):
        found = office.page(email="user07@example.com")
        assert ([user.email for user in found.users], found.total) == (["user07@example.com"], 1)
        assert office.page(email="user07").total == 0

    def test_finds_those_whose_address_begins_alike(self, office, crowd):
        assert office.page(email_prefix="user1").total == 10
        assert office.page(email_prefix="user_1").total == 0
        assert office.page(email_prefix="%").total == 0
        assert office.page(email_prefix="ser1").total == 0

    @pytest.mark.parametrize("per_page", [1, 7, 10, 49, 50, 51])
    def test_goes_on_from_a_cursor_whoever_signs_up_meanwhile(self, office, crowd, desk, per_page):
        seen, cursor, number = [], None, 0
        while True:
            page = office.after(cursor, per_page)
            seen += ids(page)
            cursor = page.next_cursor
            if cursor is None:
                break
            number += 1
            replace(office, act=replace(office.act, now=desk.now + DAY)).create(f"new{number}@example.com")
        assert seen == crowd

    def test_goes_on_after_a_user_who_was_deleted(self, office, crowd):
        first = office.after(per_page=10)
        office.delete(first.users[-1].id)
        assert ids(office.after(first.next_cursor, 40)) == crowd[10:]

    def test_combines_cursors_with_addresses(self, office, crowd):
        first = office.after(per_page=6, email_prefix="user1")
        assert len(office.after(first.next_cursor, 6, email_prefix="user1").users) == 4

    def test_reads_indexes_however_many_there_are(self, database, desk):
        with database.transaction() as session:
            session.execute(
                text(
                    "INSERT INTO users (id, email, app_metadata, app_roles_version, user_metadata, created_at, "
                    "updated_at) SELECT gen_random_uuid(), md5(n::text) || '@example.com', '{}', 0, '{}', "
                    "now() - n * interval '1 second', now() FROM generate_series(1, 20000) AS n"
                )
            )
            session.execute(text("ANALYZE users"))
            for condition in (
                "email = 'a@example.com'",
                "email LIKE 'abc%'",
                f"(created_at, id) < (now() - interval '1 hour', '{ADMIN}')",
            ):
                assert "Seq Scan" not in plan(session, f"SELECT * FROM users WHERE {condition} {NEWEST}")


NEWEST = "ORDER BY created_at DESC, id DESC LIMIT 50"


def plan(session: Session, statement: str) -> str:
    return "\n".join(session.execute(text(f"EXPLAIN {statement}")).scalars())


class TestAuthorizeAdmin:
    def authorize(self, desk, *, role="service_role", user_id=None, session_id=None):
        desk.run(
            authorize_admin,
            role=role,
            user_id=user_id,
            session_id=session_id,
        )

    def test_lets_programs_in(self, desk):
        self.authorize(desk)
        self.authorize(desk, role="supabase_admin")

    def test_lets_people_in_while_their_session_lasts(self, desk, ada):
        self.authorize(desk, user_id=ada.user.id, session_id=ada.session.id)
        desk.sign_out(ada, LogoutScope.LOCAL)
        with pytest.raises(SessionNotFound):
            self.authorize(desk, user_id=ada.user.id, session_id=ada.session.id)

    def test_wants_a_session_of_people(self, desk, ada):
        with pytest.raises(BadJwt):
            self.authorize(desk, user_id=ada.user.id)

    @pytest.mark.parametrize("role", ["authenticated", "", None, 1, ["service_role"], "SERVICE_ROLE"])
    def test_refuses_everybody_else_and_records_it(self, desk, ada, audit, role):
        with pytest.raises(AdminRefused):
            self.authorize(desk, role=role, user_id=ada.user.id, session_id=ada.session.id)
        refused = audit()[-1]
        assert (refused.action, refused.actor_id, refused.session_id) == (
            AuditAction.ADMIN_REFUSED,
            ada.user.id,
            ada.session.id,
        )
        assert str(refused.ip) == "203.0.113.9"
