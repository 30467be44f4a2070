"""What the service can do, on a real database."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from cas_account.domain.professional_info import NoProfessionalInfo
from cas_account.domain.profile import (
    Identity,
    ProfileChanges,
    ProfileNotFound,
    TooManyIds,
    UserErased,
    read_changes,
)
from cas_account.domain.roles import AskedRole, Role, RoleNotHeld
from cas_account.models import (
    AppliedCompletion,
    AuditEntry,
    Profile,
    RoleDetails,
    outbox_messages,
)
from cas_account.operations.erasure import begin_erasure
from cas_account.operations.onboarding import Completion, apply_onboarding
from cas_account.operations.professional_info import (
    get_own_professional_info,
    get_professional_info,
    remove_professional_info,
    save_professional_info,
)
from cas_account.operations.profiles import (
    change_profile,
    get_card,
    get_own_profile,
    list_cards,
    new_agent_id,
    welcome,
)
from cas_kit.errors import Unauthenticated, VersionMismatch
from cas_kit.testing.plugin import rolled_back_session


@pytest.fixture
def session(database, user_id):
    yield from rolled_back_session(database)


def any_version(current):
    """A caller who does not mind."""


def refuse_every_version(current):
    raise VersionMismatch(current)


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


def actions(session):
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.action)))


@pytest.fixture
def save(session, user_id, now):
    def save(role=Role.TUTOR, *, replace=False, check_version=any_version, **values):
        return save_professional_info(
            session,
            user_id=user_id,
            role=role,
            values=values,
            check_version=check_version,
            now=now,
            replace=replace,
        )

    return save


class TestWelcome:
    def test_creates_once(self, session, now):
        identity = Identity(user_id=uuid4(), email="a@example.com", email_verified=False, display_name="")
        first = welcome(session, identity=identity, agent_id="A", now=now)
        second = welcome(session, identity=identity, agent_id="B", now=now)
        assert (second.id, second.agent_id, second.version) == (first.id, "A", 1)

    def test_refuses_an_erased_user(self, session, user_id, now):
        begin_erasure(session, user_id=user_id, parts=["account"], now=now)
        identity = Identity(user_id=user_id, email="a@example.com", email_verified=False, display_name="")
        with pytest.raises(Unauthenticated):
            welcome(session, identity=identity, agent_id="A", now=now)
        assert session.get(Profile, user_id).erasing_at == now

    @pytest.fixture
    def see(self, session, now):
        """Welcome Ada, by a token of some minutes ago."""
        ada = uuid4()

        def see(email, *, minutes_ago, verified=True):
            identity = Identity(
                user_id=ada,
                email=email,
                email_verified=verified,
                display_name="Ada",
                issued_at=now - timedelta(minutes=minutes_ago),
            )
            return welcome(session, identity=identity, agent_id="A", now=now)

        return see

    def test_takes_the_email_of_a_token_that_is_not_older(self, see):
        see("old@example.com", minutes_ago=9)
        for minutes_ago, email in [(5, "new@example.com"), (5, "same-second@example.com")]:
            profile = see(email, minutes_ago=minutes_ago)
            assert (profile.email, profile.email_verified) == (email, True)
        assert profile.version == 3

    def test_keeps_the_email_when_an_older_token_comes_later(self, see, now):
        see("new@example.com", minutes_ago=5)
        profile = see("old@example.com", minutes_ago=9, verified=False)
        assert (profile.email, profile.email_verified, profile.version) == ("new@example.com", True, 1)
        see("", minutes_ago=3)
        assert see("newest@example.com", minutes_ago=4).email == "newest@example.com"

    def test_takes_the_email_where_nobody_knows_how_old_the_known_one_is(self, see):
        see("old@example.com", minutes_ago=5).identity_as_of = None
        assert see("new@example.com", minutes_ago=9).email == "new@example.com"

    def test_agent_ids_differ(self):
        assert len({new_agent_id() for _ in range(100)}) == 100


class TestProfile:
    def change(self, session, user_id, now, document, check_version=any_version):
        changes = read_changes(document, media_url="http://media/")
        return change_profile(session, user_id=user_id, changes=changes, check_version=check_version, now=now)

    def test_changing_nothing_keeps_the_version(self, session, user_id, now):
        later = now.replace(year=2027)
        same = self.change(session, user_id, later, {"display_name": "Ada Lovelace", "bio": ""})
        assert (same.version, same.updated_at) == (1, now)
        changed = self.change(session, user_id, later, {"bio": "Hello"})
        assert (changed.version, changed.updated_at) == (2, later)

    @pytest.mark.parametrize(("before", "after"), [(True, 1), ([0], [False]), ({"a": 1}, {"a": True})])
    def test_tells_numbers_from_yes_and_no(self, session, user_id, now, before, after):
        self.change(session, user_id, now, {"preferences": {"x": before}})
        changed = self.change(session, user_id, now, {"preferences": {"x": after}})
        session.flush()
        session.expire_all()
        assert changed.version == 3
        assert repr(changed.preferences) == repr({"x": after})

    def test_refuses_another_version(self, session, user_id, now):
        with pytest.raises(VersionMismatch):
            self.change(session, user_id, now, {"bio": "x"}, check_version=refuse_every_version)

    def test_switches_between_held_roles_and_tells_auth(self, session, user_id, now):
        profile = session.get(Profile, user_id)
        for role in (Role.TUTOR, Role.CLIENT):
            profile.complete_onboarding(role, bio="", completed_at=now, now=now)
        assert self.change(session, user_id, now, {"active_role": "client"}).active_role == "client"
        assert count(session, outbox_messages) == 0
        version = profile.version
        switched = self.change(session, user_id, now, {"active_role": "provider", "bio": "Hello"})
        assert (switched.active_role, switched.version) == ("tutor", version + 1)
        assert count(session, outbox_messages) == 1
        with pytest.raises(RoleNotHeld):
            self.change(session, user_id, now, {"active_role": "agent"})

    def test_of_somebody_unknown_is_refused(self, database, session, now):
        with pytest.raises(Unauthenticated):
            self.change(session, uuid4(), now, {})
        with database.autocommit() as connection, pytest.raises(Unauthenticated):
            get_own_profile(connection, user_id=uuid4())

    def test_is_shown_to_other_services_without_anything_private(self, database, user_id):
        with database.autocommit() as connection:
            card = get_card(connection, user_id=user_id)
            assert (card.display_name, card.email) == ("Ada Lovelace", None)
            assert len(list_cards(connection, user_ids=[user_id, uuid4()])) == 1
            with pytest.raises(ProfileNotFound):
                get_card(connection, user_id=uuid4())
            with pytest.raises(TooManyIds):
                list_cards(connection, user_ids=[uuid4()] * 501)


class TestInvariants:
    """The database refuses what no operation does."""

    @pytest.mark.parametrize(
        "values",
        [
            {"roles": ["tutor"], "active_role": None},
            {"roles": ["tutor"], "active_role": "client"},
            {"roles": [], "active_role": "tutor"},
            {"roles": ["king"], "active_role": "king"},
            {"roles": [], "onboarding_completed": {"tutor": "2026-01-01T00:00:00Z"}},
        ],
    )
    def test_completed_held_and_active_roles_agree(self, session, user_id, values):
        profile = session.get(Profile, user_id)
        for name, value in values.items():
            setattr(profile, name, value)
        with pytest.raises(Exception, match="violates check constraint"):
            session.flush()


class TestSaveProfessionalInfo:
    def test_creates_merges_and_replaces(self, save, session):
        assert save(bio="one", subjects=["Maths"]).created is True
        merged = save(bio="two")
        assert (merged.created, merged.details.fields) == (False, {"bio": "two", "subjects": ["Maths"]})
        replaced = save(bio="three", replace=True)
        assert (replaced.created, replaced.details.fields) == (False, {"bio": "three"})
        assert (replaced.details.version, actions(session)) == (3, ["professional_info_replaced"])

    def test_keeps_the_ids_of_texts_beside_them(self, save):
        assert save(subjects=["Maths", "Juggling"]).details.entry_ids == {"subjects": ["mathematics", None]}
        assert save(subjects=["Physics"]).details.entry_ids == {"subjects": ["physics"]}

    def test_changing_nothing_keeps_the_version(self, save):
        save(bio="one")
        assert save(bio="one").details.version == 1
        assert save(bio="one", replace=True).details.version == 1

    def test_tells_a_grade_from_a_choice(self, save, session):
        save(skill_levels={"GCSE": True})
        details = save(skill_levels={"GCSE": 1}).details
        session.flush()
        session.expire_all()
        assert details.version == 2
        assert details.fields["skill_levels"]["GCSE"] is not True

    def test_refuses_another_version(self, save, session):
        with pytest.raises(VersionMismatch) as raised:
            save(bio="x", check_version=refuse_every_version)
        assert raised.value.current is None
        save(bio="x")
        with pytest.raises(VersionMismatch) as raised:
            save(bio="y", check_version=refuse_every_version)
        assert raised.value.current == 1

    def test_of_somebody_unknown_is_refused(self, session, now):
        with pytest.raises(Unauthenticated):
            save_professional_info(
                session, user_id=uuid4(), role=Role.TUTOR, values={}, check_version=any_version, now=now
            )

    def test_is_found_by_role_and_removed(self, database, save, session, user_id):
        save(bio="x")
        session.commit()
        remove = {"user_id": user_id, "role": Role.TUTOR, "check_version": any_version}
        with pytest.raises(VersionMismatch):
            remove_professional_info(session, **{**remove, "check_version": refuse_every_version})
        assert remove_professional_info(session, **remove) is True
        assert remove_professional_info(session, **remove) is False

    def test_nothing_saved_is_told_from_nobody_there(self, database, user_id):
        asked = AskedRole.read("seeker")
        with database.autocommit() as connection:
            with pytest.raises(NoProfessionalInfo, match="for role: seeker"):
                get_own_professional_info(connection, user_id=user_id, role=asked)
            with pytest.raises(Unauthenticated):
                get_own_professional_info(connection, user_id=uuid4(), role=asked)
            for unknown in (user_id, uuid4()):
                with pytest.raises(NoProfessionalInfo, match="for role: client"):
                    get_professional_info(connection, user_id=unknown, role=Role.CLIENT)


@pytest.fixture
def complete(session, user_id, now):
    def complete(**changes):
        values = {
            "id": uuid4(),
            "user_id": user_id,
            "role": Role.TUTOR,
            "fields": {"subjects": ["Maths"]},
            "profile_bio": "I teach.",
            "completed_at": now,
        }
        return apply_onboarding(session, completion=Completion(**(values | changes)), now=now)

    return complete


class TestApplyOnboarding:
    def test_does_everything(self, complete, session, user_id):
        applied = complete()
        profile = session.get(Profile, user_id)
        assert applied.roles == ("tutor",)
        assert (profile.roles, profile.active_role, profile.bio) == (["tutor"], "tutor", "I teach.")
        assert profile.onboarding_completed == {"tutor": "2026-03-01T12:00:00Z"}
        assert session.scalars(select(RoleDetails.fields)).all() == [{"subjects": ["Maths"]}]
        assert actions(session) == ["onboarding_completed", "role_added"]
        message = session.execute(select(outbox_messages)).one()
        assert (message.id, message.payload) == (applied.message_id, {"user_id": str(user_id)})

    def test_happens_once_for_ever(self, complete, session, user_id):
        completion_id = uuid4()
        complete(id=completion_id)
        version = session.get(Profile, user_id).version
        again = complete(id=completion_id, fields={"subjects": ["Physics"]}, role=Role.AGENT)
        assert (again.roles, again.message_id) == (("tutor",), None)
        assert session.get(Profile, user_id).version == version
        assert count(session, RoleDetails) == count(session, AppliedCompletion) == 1
        assert count(session, outbox_messages) == 1

    def test_adds_roles_in_order_and_keeps_the_others(self, complete, session, user_id, save):
        save(Role.TUTOR, bio="kept")
        complete(fields={"subjects": ["Maths"]})
        complete(role=Role.CLIENT, fields={})
        assert complete(role=Role.TUTOR, fields={}).roles == ("tutor", "client")
        profile = session.get(Profile, user_id)
        assert profile.active_role == "tutor"
        assert set(profile.onboarding_completed) == {"tutor", "client"}
        assert session.scalars(select(RoleDetails.fields)).all() == [{"bio": "kept", "subjects": ["Maths"]}]
        assert actions(session).count("role_added") == 2

    def test_without_answers_creates_no_template(self, complete, session):
        assert complete(fields={}).roles == ("tutor",)
        assert count(session, RoleDetails) == 0

    def test_never_replaces_a_bio_and_cuts_a_long_one(self, complete, session, user_id, now):
        complete(profile_bio="word " * 200)
        bio = session.get(Profile, user_id).bio
        assert len(bio) <= 500
        assert bio.endswith("word")
        complete(profile_bio="another")
        assert session.get(Profile, user_id).bio == bio

    def test_creates_the_profile_of_a_user_who_never_called(self, complete, session):
        stranger = uuid4()
        complete(user_id=stranger)
        profile = session.get(Profile, stranger)
        assert (profile.roles, profile.email, profile.display_name) == (["tutor"], "", "")

    def test_refuses_an_erased_user(self, complete, session, user_id, now):
        begin_erasure(session, user_id=user_id, parts=["account"], now=now)
        with pytest.raises(UserErased):
            complete()
        assert session.get(Profile, user_id).roles == []


class TestChanges:
    def test_of_nothing_are_nothing(self):
        assert read_changes({}, media_url="") == ProfileChanges({}, None)
