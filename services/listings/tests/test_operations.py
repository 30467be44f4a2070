"""Operations on a real database: slugs, owners, copies, versions, and what is put on record."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete as sql_delete
from sqlalchemy import select, text

from cas_kit.errors import Unavailable
from cas_kit.testing import until
from cas_listings.domain.listing import ListingNotFound, read_changes
from cas_listings.domain.roles import Role, RoleNotHeld
from cas_listings.domain.states import Action, IllegalTransition, Status
from cas_listings.models import AuditEntry, ListingSlug
from cas_listings.operations import listings as operations
from cas_listings.operations.listings import Terms
from cas_listings.operations.owners import meet_owner, refresh_owner

from .conftest import GRACE, NOW, PUBLISHABLE

LATER = Terms(now=NOW + timedelta(hours=1), grace=GRACE)


def whatever(version):
    """A caller that knows no version."""


@pytest.fixture
def make(database, owner, terms):
    """Make a listing of Ada's: `make(title="...")`."""

    def create(**document):
        with database.transaction() as session:
            return operations.create_listing(
                session, owner=owner, changes=read_changes(document), terms=terms
            )

    return create


@pytest.fixture
def change(database):
    def write(listing, *, terms=LATER, **document):
        with database.transaction() as session:
            return operations.change_listing(
                session,
                listing_id=listing.id,
                owner=listing.profile_id,
                changes=read_changes(document),
                check_version=whatever,
                terms=terms,
            )

    return write


@pytest.fixture
def move(database):
    def go(listing, action, *, terms=LATER):
        with database.transaction() as session:
            return operations.move_listing(
                session,
                listing_id=listing.id,
                owner=listing.profile_id,
                action=action,
                check_version=whatever,
                terms=terms,
            )

    return go


@pytest.fixture
def read(database):
    def get(listing, viewer=None):
        with database.autocommit() as connection:
            return operations.get_listing(connection, listing_id=listing.id, viewer=viewer)

    return get


@pytest.fixture
def by_slug(database):
    def get(slug, viewer=None):
        with database.autocommit() as connection:
            return operations.get_listing_by_slug(connection, slug=slug, viewer=viewer)

    return get


def actions(database):
    with database.autocommit() as connection:
        rows = connection.execute(select(AuditEntry.action).order_by(AuditEntry.created_at))
        return [action for (action,) in rows]


class TestSlugs:
    def test_follow_the_title_of_a_draft_and_leave_nothing_behind(self, make, change, database, by_slug):
        draft = make(title="First title")
        second = change(draft, title="Second title")
        assert second.slug == f"second-title-{draft.id.hex[:8]}"
        assert claimed(database) == [second.slug]
        with pytest.raises(ListingNotFound):
            by_slug(draft.slug, viewer=draft.profile_id)

    def test_that_the_public_saw_lead_to_the_listing_for_ever(self, make, change, by_slug):
        listing = make(**PUBLISHABLE, status="published")
        change(listing, title="Mathematics for everybody")
        newest = change(listing, title="Mathematics for nobody")
        for slug in (listing.slug, f"mathematics-for-everybody-{listing.id.hex[:8]}", newest.slug):
            assert by_slug(slug).slug == newest.slug

    def test_can_return_to_an_old_one(self, make, change, by_slug):
        listing = make(**PUBLISHABLE, status="published")
        change(listing, title="Mathematics for everybody")
        back = change(listing, title=PUBLISHABLE["title"])
        assert (back.slug, by_slug(back.slug).slug) == (listing.slug, listing.slug)

    def test_of_a_hidden_listing_lead_nowhere_for_others(self, make, move, by_slug):
        listing = make(**PUBLISHABLE, status="published")
        move(listing, Action.UNPUBLISH)
        assert by_slug(listing.slug, viewer=listing.profile_id).id == listing.id
        with pytest.raises(ListingNotFound):
            by_slug(listing.slug, viewer=uuid4())

    @pytest.mark.parametrize("gone", [False, True])
    def test_are_never_given_to_another_listing(self, make, move, database, monkeypatch, gone):
        """Two ids that begin alike are one in four thousand million; one that is deleted keeps its slugs."""
        first = UUID("0f1e2d3c-0000-4000-8000-000000000001")
        second = UUID("0f1e2d3c-9999-4000-8000-000000000002")
        ids = iter([first, uuid4(), second, uuid4(), *(uuid4() for _ in range(4))])
        monkeypatch.setattr(operations, "uuid4", lambda: next(ids))
        one = make(**PUBLISHABLE, status="published")
        assert one.id == first
        if gone:
            remove(database, move, one)
        next(ids)
        other = make(**PUBLISHABLE)
        assert other.id == second
        assert (one.slug[-9:], other.slug[-13:]) == ("-0f1e2d3c", "-0f1e2d3c9999")

    def test_of_a_draft_go_with_it(self, make, move, database):
        draft, archived = make(title="One"), make(title="Two")
        move(archived, Action.ARCHIVE)
        for listing in (draft, archived):
            delete(database, listing)
        assert claimed(database) == []

    def test_of_a_copy_are_its_own(self, make, database, owner):
        original = make(title="One")
        with database.transaction() as session:
            copy = operations.duplicate_listing(
                session, listing_id=original.id, owner=owner.user_id, check_version=whatever, terms=LATER
            )
        assert claimed(database) == sorted([original.slug, copy.slug])

    @pytest.mark.parametrize("commits", [True, False], ids=["commits", "does not commit"])
    def test_wanted_by_two_at_once_belong_to_the_first_that(
        self, make, database, owner, terms, monkeypatch, commits
    ):
        """The second waits for what becomes of the first."""
        ids = iter([UUID(f"0f1e2d3c-{number}000-4000-8000-000000000000") for number in (1, 2)])
        monkeypatch.setattr(operations, "uuid4", lambda: next(ids))
        with ThreadPoolExecutor(1) as thread:
            with database.transaction() as session:
                changes = read_changes({"title": "One"})
                operations.create_listing(session, owner=owner, changes=changes, terms=terms)
                second = thread.submit(make, title="One")
                until(lambda: somebody_waits(database))
                if not commits:
                    session.rollback()
            taken = ["one-0f1e2d3c"] if commits else []
            free = "one-0f1e2d3c2000" if commits else "one-0f1e2d3c"
            assert second.result().slug == free
        assert claimed(database) == [*taken, free]

    def test_of_a_draft_that_has_none_of_its_own_lead_there_once_it_is_published(
        self, make, move, database, by_slug
    ):
        """Processes of versions before migration 0006 made drafts whose slugs were nowhere else."""
        draft = make(**PUBLISHABLE)
        with database.transaction() as session:
            session.execute(sql_delete(ListingSlug))
        move(draft, Action.PUBLISH)
        assert by_slug(draft.slug).id == draft.id


def claimed(database):
    with database.autocommit() as connection:
        return list(connection.scalars(select(ListingSlug.slug).order_by(ListingSlug.slug)))


def somebody_waits(database):
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = current_user"
    with database.autocommit() as connection:
        return bool(connection.scalar(text(f"SELECT EXISTS ({waiting})")))


def remove(database, move, listing):
    move(listing, Action.UNPUBLISH)
    move(listing, Action.ARCHIVE)
    delete(database, listing)


def delete(database, listing):
    with database.transaction() as session:
        operations.delete_listing(
            session,
            listing_id=listing.id,
            owner=listing.profile_id,
            check_version=whatever,
            now=LATER.now + GRACE,
        )


class TestOwners:
    def test_are_shown_as_account_knows_them(self, make, owner):
        listing = make()
        assert (listing.owner_display_name, listing.owner_version) == ("Ada Lovelace", 3)

    def test_that_account_does_not_tell_about_are_unknown_until_it_does(
        self, database, account, owner, terms, relay
    ):
        account.away = True
        stranger = meet_owner(account, user_id=owner.user_id, claims={})
        with database.transaction() as session:
            listing = operations.create_listing(
                session, owner=stranger, changes=read_changes({}), terms=terms
            )
        assert (listing.owner_display_name, listing.created_as_role) == ("", Role.TUTOR)
        relay.run_once()
        account.away = False

        def known():
            relay.run_once()
            return self.shown(database, listing) != ("", None)

        until(known)
        assert self.shown(database, listing) == ("Ada Lovelace", "https://pictures.example/ada.webp")

    def test_that_changed_meanwhile_are_asked_for_again(self, database, account, owner, make, relay):
        listing = make()
        account.owners[owner.user_id] = replace(owner, display_name="Ada King", version=4)
        relay.run_once()
        assert self.shown(database, listing) == ("Ada King", "https://pictures.example/ada.webp")

    def test_are_never_replaced_by_what_was_known_before(self, database, owner, make):
        listing = make()
        older = replace(owner, display_name="Miss Byron", version=2)
        with database.transaction() as session:
            assert refresh_owner(session, owner=older) == 0
        assert self.shown(database, listing)[0] == "Ada Lovelace"

    def test_that_changed_show_in_all_their_listings_and_in_no_other(self, database, owner, make, terms):
        mine = [make(), make()]
        other = replace(owner, user_id=uuid4())
        with database.transaction() as session:
            others = operations.create_listing(session, owner=other, changes=read_changes({}), terms=terms)
        with database.transaction() as session:
            assert refresh_owner(session, owner=replace(owner, display_name="Ada King", version=9)) == 2
        assert [self.shown(database, listing)[0] for listing in mine] == ["Ada King"] * 2
        assert self.shown(database, others)[0] == "Ada Lovelace"

    def test_whose_name_changed_make_a_new_version_but_no_update(self, database, owner, make, read):
        listing = make()
        for version, name in ((4, "Ada King"), (5, "Ada King")):
            with database.transaction() as session:
                refresh_owner(session, owner=replace(owner, display_name=name, version=version))
        after = read(listing, viewer=owner.user_id)
        assert (after.version, after.updated_at) == (listing.version + 1, listing.updated_at)

    def shown(self, database, listing):
        with database.autocommit() as connection:
            found = operations.get_listing(connection, listing_id=listing.id, viewer=listing.profile_id)
        return found.owner_display_name, found.owner_avatar_url


class TestRoles:
    def test_of_a_listing_are_the_active_one_unless_it_says(self, make, owner):
        assert make().created_as_role is Role.TUTOR

    def test_that_are_not_held_are_refused_when_others_are(self, make):
        with pytest.raises(RoleNotHeld):
            make(created_as_role="agent")

    def test_are_free_for_somebody_without_any(self, database, owner, terms):
        newcomer = replace(owner, roles=(), active_role=None)
        made = []
        with database.transaction() as session:
            for document in ({}, {"created_as_role": "seeker"}):
                changes = read_changes(document)
                listing = operations.create_listing(session, owner=newcomer, changes=changes, terms=terms)
                made.append(listing.created_as_role)
        assert made == [Role.TUTOR, Role.CLIENT]

    def test_come_from_the_token_while_account_is_away(self, account):
        account.away = True
        claims = {"app_metadata": {"roles": ["agent", "king", 5], "active_role": "agent"}}
        owner = meet_owner(account, user_id=uuid4(), claims=claims)
        assert (owner.roles, owner.active_role, owner.version) == ((Role.AGENT,), Role.AGENT, 0)

    @pytest.mark.parametrize(
        ("metadata", "name"),
        [
            ({"full_name": " Grace Hopper "}, "Grace Hopper"),
            ({"full_name": "G", "name": "Grace"}, "Grace"),
            ({"full_name": 5}, ""),
            (None, ""),
        ],
    )
    def test_and_names_come_from_the_token_of_somebody_whom_account_does_not_know(
        self, account, metadata, name
    ):
        claims = {"user_metadata": metadata}
        assert meet_owner(account, user_id=uuid4(), claims=claims).display_name == name
        account.away = True
        assert meet_owner(account, user_id=uuid4(), claims=claims).display_name == ""

    @pytest.mark.parametrize("claims", [{}, {"app_metadata": None}, {"app_metadata": {"roles": "tutor"}}])
    def test_are_none_where_the_token_says_nothing(self, account, claims):
        assert meet_owner(account, user_id=uuid4(), claims=claims).roles == ()


class TestCopies:
    def test_have_everything_but_the_past(self, make, database, examples, terms, owner):
        original = make(**examples | PUBLISHABLE, status="published")
        with database.transaction() as session:
            copy = operations.duplicate_listing(
                session,
                listing_id=original.id,
                owner=owner.user_id,
                check_version=whatever,
                terms=LATER,
            )
        assert copy.fields == original.fields | {"title": f"{PUBLISHABLE['title']} (copy)"}
        assert (copy.status, copy.published_at, copy.last_published_at) == (Status.DRAFT, None, None)
        assert (copy.version, copy.created_at, copy.view_count) == (1, LATER.now, 0)
        assert copy.id != original.id
        assert copy.slug.startswith("gcse-mathematics-with-patience-copy-")
        assert (copy.owner_display_name, copy.created_as_role) == ("Ada Lovelace", Role.TUTOR)

    def test_can_be_made_of_an_archived_listing(self, make, move, database, owner):
        archived = make(title="Old")
        move(archived, Action.ARCHIVE)
        with database.transaction() as session:
            copy = operations.duplicate_listing(
                session, listing_id=archived.id, owner=owner.user_id, check_version=whatever, terms=LATER
            )
        assert (copy.title, copy.status, copy.archived_at) == ("Old (copy)", Status.DRAFT, None)


class TestVersions:
    def test_grow_by_one_with_every_change_and_stay_without(self, make, change, move):
        listing = make(**PUBLISHABLE)
        assert change(listing, title=f" {PUBLISHABLE['title']} ").version == 1
        assert change(listing, hourly_rate=40, status="published").version == 2
        assert change(listing, hourly_rate=40.0).version == 2
        assert move(listing, Action.PUBLISH).version == 2
        after = move(listing, Action.UNPUBLISH)
        assert (after.version, after.updated_at) == (3, LATER.now)


class TestStatusInAChange:
    def test_hides_before_it_edits(self, make, change):
        listing = make(**PUBLISHABLE, status="published")
        hidden = change(listing, status="paused", title="")
        assert (hidden.status, hidden.title) == (Status.UNPUBLISHED, "")

    def test_edits_before_it_publishes(self, make, change):
        published = change(make(), **PUBLISHABLE, status="published")
        assert (published.status, published.published_at) == (Status.PUBLISHED, LATER.now)

    def test_is_all_or_nothing(self, make, change, read):
        listing = make(**PUBLISHABLE, status="published")
        with pytest.raises(IllegalTransition):
            change(listing, title="Mathematics for everybody", status="archived")
        assert read(listing).title == PUBLISHABLE["title"]

    def test_makes_no_draft_of_what_was_published(self, make, change):
        with pytest.raises(IllegalTransition, match="cannot become a draft again"):
            change(make(**PUBLISHABLE, status="published"), status="draft")

    def test_that_it_has_already_changes_nothing(self, make, change):
        listing = make(title="x")
        assert change(listing, status="draft").version == 1


class TestRecord:
    def test_tells_of_transitions_by_id_alone(self, make, move, database, owner):
        listing = make(**PUBLISHABLE)
        for hours, action in enumerate((Action.PUBLISH, Action.PUBLISH, Action.UNPUBLISH, Action.ARCHIVE), 1):
            move(listing, action, terms=Terms(now=NOW + timedelta(hours=hours), grace=GRACE))
        assert actions(database) == [
            "listing_created",
            "listing_published",
            "listing_unpublished",
            "listing_archived",
        ]
        with database.autocommit() as connection:
            entry = connection.execute(select(AuditEntry.__table__)).first()
        assert (entry.actor_id, entry.thing) == (owner.user_id, f"listing/{listing.id}")
        assert (entry.acting_role, entry.details) == (Role.TUTOR, {})


def test_account_that_is_away_never_stops_a_listing(account, owner):
    account.away = True
    with pytest.raises(Unavailable):
        account.find_owner(owner.user_id)
    assert meet_owner(account, user_id=owner.user_id, claims={}).display_name == ""
