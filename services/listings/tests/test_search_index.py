"""The search index stays as the listings are, whoever writes when (docs/adr/0028)."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr
from services.listings.tests.conftest import PUBLISHABLE
from services.listings.tests.market import found_by, in_order, offers, store
from sqlalchemy import delete, select, text, update

from cas_kit import migrations
from cas_kit.db import Database
from cas_kit.testing import until
from cas_listings import metrics
from cas_listings.commands.reindex import Progress
from cas_listings.domain.listing import Changes
from cas_listings.domain.owner import Owner
from cas_listings.domain.search.document import document_of
from cas_listings.domain.search.reading import read_search
from cas_listings.domain.states import Action, Status
from cas_listings.models import ServiceListing, listing_search
from cas_listings.operations.listings import change_listing, create_listing, move_listing
from cas_listings.operations.owners import refresh_owner
from cas_listings.operations.reindex import ReindexUnderWay, reindex
from cas_listings.operations.search import SearchLimits, find_listings
from cas_listings.operations.search_index import find_drift, index_outdated
from cas_listings.repository import search_rebuild as rebuild
from cas_listings.repository.search_index import Drift, write_documents
from cas_listings.tasks import repair_search

NO_DRIFT = Drift(outdated=0, hidden=0)
LIMITS = SearchLimits(timeout=timedelta(milliseconds=500), exact_total=10_000)


def found(database, **parameters) -> list[UUID]:
    with database.transaction() as session:
        result = find_listings(session, search=read_search(parameters), limits=LIMITS)
    return [listing.id for listing in result.listings]


@pytest.fixture
def published(database, owner, terms) -> ServiceListing:
    with database.transaction() as session:
        changes = Changes(dict(PUBLISHABLE), status=Status.PUBLISHED)
        return create_listing(session, owner=owner, changes=changes, terms=terms)


def retitle(database, listing, title, terms) -> ServiceListing:
    with database.transaction() as session:
        return change_listing(
            session,
            listing_id=listing.id,
            owner=listing.profile_id,
            changes=Changes({"title": title}),
            check_version=lambda _: None,
            terms=terms,
        )


def unpublish(database, listing, terms) -> None:
    with database.transaction() as session:
        move_listing(
            session,
            listing_id=listing.id,
            owner=listing.profile_id,
            action=Action.UNPUBLISH,
            check_version=lambda _: None,
            terms=terms,
        )


class TestLateJobs:
    def test_never_write_an_older_version(self, database, published, terms):
        late = document_of(published)
        retitle(database, published, "Chess with patience", terms)
        with database.transaction() as session:
            assert write_documents(session, [late]) == 0
        assert found(database, q="chess") == [published.id]

    def test_never_bring_back_what_is_hidden(self, database, published, terms):
        late = document_of(published)
        unpublish(database, published, terms)
        with database.transaction() as session:
            assert write_documents(session, [late]) == 0
        assert found(database) == []

    def test_leave_what_is_being_changed_to_whoever_changes_it(self, database, published, terms):
        late = document_of(published)
        with database.transaction() as changing:
            changing.execute(update(ServiceListing).values(version=ServiceListing.version + 1))
            with database.transaction() as session:
                assert write_documents(session, [late]) == 0

    def test_that_run_twice_or_end_early_change_nothing(self, database):
        market = offers(300, seed=11)
        store(database, market)
        with database.transaction() as session:
            session.execute(listing_search.delete())
        with pytest.raises(ZeroDivisionError):
            index_some_and_die(database)
        with ThreadPoolExecutor(3) as workers:
            list(workers.map(lambda _: index_outdated(database), range(3)))
        assert index_outdated(database) == 0
        assert (
            found(database, limit=100)
            == [offer.id for offer in in_order([offer for offer in market if found_by(offer)], "newest")][
                :100
            ]
        )


class TestPagingWhileListingsComeAndGo:
    @pytest.mark.parametrize(
        "parameters", [{"q": "for all"}, {"sort": "newest"}, {"sort": "price_desc"}, {"sort": "popular"}]
    )
    def test_shows_what_stays_exactly_once(self, database, parameters):
        """*Prevents*: results shown twice or never because others moved them to another page."""
        market = offers(700, seed=13)
        store(database, market[:500])
        staying = {offer.id for offer in market[:500] if found_by(offer)}
        newcomers, leaving = market[500:], sorted(staying)[::9]
        shown: list[UUID] = []
        cursor = None
        while cursor is not None or not shown:
            with database.transaction() as session:
                search = read_search({**parameters, "cursor": cursor, "limit": 40, "facets": False})
                page = find_listings(session, search=search, limits=LIMITS)
            shown += [listing.id for listing in page.listings]
            cursor = page.next_cursor
            if newcomers:
                store(database, newcomers[:40])
                newcomers = newcomers[40:]
            if leaving:
                with database.transaction() as session:
                    session.execute(delete(ServiceListing).where(ServiceListing.id == leaving.pop()))
        assert len(shown) == len(set(shown))
        assert staying - set(sorted(staying)[::9]) <= set(shown)


class TestDrift:
    def test_is_found_and_repaired(self, database, published, terms):
        assert find_drift(database) == NO_DRIFT
        with database.transaction() as session:
            session.execute(update(listing_search).values(format="older"))
        assert find_drift(database) == Drift(outdated=1, hidden=0)
        assert index_outdated(database) == 1
        with database.transaction() as session:
            session.execute(update(ServiceListing).values(status="unpublished"))
        assert find_drift(database) == Drift(outdated=0, hidden=1)
        assert found(database) == []
        assert index_outdated(database) == 1
        assert find_drift(database) == NO_DRIFT

    def test_is_measured_however_long_that_takes(self, database, settings):
        """Longer than the statements of the service's role may take."""
        url = f"{settings.database_url.get_secret_value()}?options=-c%20statement_timeout%3D100"
        hurried = Database(settings, application_name="hurried", url=SecretStr(url))
        with ThreadPoolExecutor(1) as other, database.transaction() as session:
            session.execute(text("LOCK TABLE listing_search IN ACCESS EXCLUSIVE MODE"))
            drift = other.submit(find_drift, hurried)
            until(lambda: drift.done() or has_waited(database))
        assert drift.result() == NO_DRIFT
        hurried.dispose()

    def test_is_told_and_repaired_from_time_to_time(self, database, published):
        with database.transaction() as session:
            session.execute(listing_search.delete())
        repair_search(database)
        assert metrics.SEARCH_DRIFT.labels("outdated")._value.get() == 1
        assert found(database) == [published.id]
        repair_search(database)
        assert metrics.SEARCH_DRIFT.labels("outdated")._value.get() == 0

    def test_does_not_come_from_changes(self, database, published, terms):
        retitle(database, published, "Chess with patience", terms)
        unpublish(database, published, terms)
        assert find_drift(database) == NO_DRIFT

    def test_of_an_owners_new_name_ends_when_the_message_is_delivered(
        self, database, published, owner, relay
    ):
        renamed = Owner(
            user_id=owner.user_id, display_name="Augusta King", avatar_url=None, version=owner.version + 1
        )
        with database.transaction() as session:
            refresh_owner(session, owner=renamed)
        assert find_drift(database) == Drift(outdated=1, hidden=0)
        relay.run_once()
        assert find_drift(database) == NO_DRIFT
        assert found(database, q="augusta") == [published.id]


class TestReindex:
    def test_makes_the_same_index(self, database, settings):
        market = offers(400, seed=5)
        store(database, market)
        before = rows(database)
        told = []
        assert reindex(database, tell=lambda done, total: told.append((done, total))) == len(before)
        assert rows(database) == before
        assert told[-1] == (len(before), len(before))
        schema_is_as_the_models_say(settings)

    def test_can_be_repeated_after_it_was_killed(self, database, published):
        with database.transaction() as session:
            rebuild.patient(session, lock_timeout="1s")
            rebuild.create_next(session)
        assert found(database) == [published.id]
        assert reindex(database, tell=lambda *_: None) == 1
        assert reindex(database, tell=lambda *_: None) == 1
        assert found(database) == [published.id]

    def test_can_be_repeated_after_it_ended_before_the_last_step(self, database, published, monkeypatch):
        def be_killed(session) -> None:
            raise ZeroDivisionError

        steps = [rebuild.drop_others, be_killed]

        def next_step(session) -> None:
            steps.pop(0)(session)

        with monkeypatch.context() as killed:
            killed.setattr(rebuild, "drop_others", next_step)
            with pytest.raises(ZeroDivisionError):
                reindex(database, tell=lambda *_: None)
        assert reindex(database, tell=lambda *_: None) == 1
        assert found(database) == [published.id]

    def test_leaves_nothing_when_it_is_killed_but_for_a_minute(self, database, published, monkeypatch):
        def be_killed(session) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as killed:
            killed.setattr(rebuild, "create_indexes", be_killed)
            with pytest.raises(ZeroDivisionError):
                reindex(database, tell=lambda *_: None)
        assert exists(database, rebuild.NEXT)
        repair_search(database)
        assert not exists(database, rebuild.NEXT)
        assert found(database) == [published.id]

    def test_is_left_alone_while_it_goes_on(self, database, published):
        assert reindex(database, tell=lambda *_: repair_search(database)) == 1
        assert not exists(database, rebuild.OLD)

    def test_is_done_by_one_at_a_time(self, database):
        with database.autocommit() as connection:
            assert rebuild.reserve(connection)
            try:
                with pytest.raises(ReindexUnderWay):
                    reindex(database, tell=lambda *_: None)
            finally:
                rebuild.release(connection)

    def test_keeps_nothing_of_what_is_deleted_or_hidden_meanwhile(self, database, published, owner, terms):
        with database.transaction() as session:
            changes = Changes(dict(PUBLISHABLE), status=Status.PUBLISHED)
            hidden = create_listing(session, owner=owner, changes=changes, terms=terms)

        def remove_both(*_) -> None:
            unpublish(database, hidden, terms)
            with database.transaction() as session:
                session.execute(delete(ServiceListing).where(ServiceListing.id == published.id))

        assert reindex(database, tell=remove_both) == 2
        assert rows(database) == []

    def test_fails_no_search_and_loses_no_change(self, database, owner, terms):
        """Searches and owners go on all the while, and nothing differs in the end."""
        store(database, offers(1200, seed=9))
        with database.transaction() as session:
            own = [
                create_listing(
                    session,
                    owner=owner,
                    changes=Changes(dict(PUBLISHABLE), status=Status.PUBLISHED),
                    terms=terms,
                )
                for _ in range(8)
            ]
        done = threading.Event()
        with ThreadPoolExecutor(3) as people:
            searching = [people.submit(search_until, database, done) for _ in range(2)]
            changing = people.submit(change_until, database, done, own, terms)
            for _ in range(3):
                reindex(database, tell=lambda *_: None)
            done.set()
            assert sum(each.result() for each in searching) > 10
            assert changing.result() > 3
        assert find_drift(database) == NO_DRIFT
        assert {each.id for each in own} <= set(found(database, q="bicycles", limit=100))

    def test_repairs_what_changed_after_its_last_look(self, database, published, owner, terms, monkeypatch):
        with database.transaction() as session:
            changes = Changes(dict(PUBLISHABLE), status=Status.PUBLISHED)
            hidden = create_listing(session, owner=owner, changes=changes, terms=terms)
        rename = rebuild.rename

        def change_and_rename(session) -> None:
            retitle(database, published, "Bicycles and more", terms)
            unpublish(database, hidden, terms)
            rename(session)

        monkeypatch.setattr(rebuild, "rename", change_and_rename)
        reindex(database, tell=lambda *_: None)
        assert find_drift(database) == NO_DRIFT
        assert found(database, q="bicycles") == [published.id]

    def test_tells_how_far_it_is(self):
        terminal, file = io.StringIO(), io.StringIO()
        terminal.isatty = lambda: True
        for stream in (terminal, file):
            progress = Progress(stream, clock=lambda: 1.0)
            progress.tell(15_000, 20_000)
            progress.tell(20_000, 20_000)
        assert "75%  15,000 listings" in terminal.getvalue()
        assert file.getvalue() == "15,000 of 20,000 listings\n20,000 of 20,000 listings\n"


def exists(database, table) -> bool:
    with database.autocommit() as connection:
        return connection.scalar(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table})


def index_some_and_die(database) -> None:
    with database.transaction() as session:
        listings = session.scalars(select(ServiceListing).where(ServiceListing.status == "published")).all()
        write_documents(session, [document_of(listing) for listing in listings[:50]])
        raise ZeroDivisionError


def has_waited(database) -> bool:
    with database.autocommit() as connection:
        return bool(
            connection.scalar(
                text(
                    "SELECT clock_timestamp() - query_start > interval '300 ms' FROM pg_stat_activity "
                    "WHERE application_name = 'hurried' AND wait_event_type = 'Lock'"
                )
            )
        )


def search_until(database, done) -> int:
    searches = 0
    while not done.is_set():
        assert found(database, q="patient", levels="GCSE")
        searches += 1
    return searches


def change_until(database, done, own, terms) -> int:
    changes = 0
    while not done.is_set():
        for listing in own:
            retitle(database, listing, f"Bicycles and more, part {changes}", terms)
        unpublish(database, own[0], terms)
        with database.transaction() as session:
            move_listing(
                session,
                listing_id=own[0].id,
                owner=own[0].profile_id,
                action=Action.PUBLISH,
                check_version=lambda _: None,
                terms=terms,
            )
        changes += 1
    return changes


def rows(database) -> list[dict[str, object]]:
    with database.autocommit() as connection:
        return [dict(row) for row in connection.execute(select(listing_search).order_by("id")).mappings()]


def schema_is_as_the_models_say(settings) -> None:
    migrations.check(settings.database_url.get_secret_value(), package="cas_listings")
