"""Files that no row names go, and never those that are about to be used (docs/adr/0022)."""

from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from cas_kit.errors import Unavailable
from cas_kit.files import FileClaims

TOPIC = "pictures.remove_unused"
ADAS, ALSO_ADAS, GRACES = "public/ada/1234", "private/ada/5678", "public/grace/1234"


@pytest.fixture
def files(outbox):
    return FileClaims(outbox, topic=TOPIC)


@pytest.fixture
def relay(make_relay, handler):
    return make_relay(handler, topic=TOPIC)


@pytest.fixture
def do(database):
    """One step in a transaction of its own: `do(files.claim, [path])`."""

    def do_it(step, *arguments):
        with database.transaction() as session:
            return step(session, *arguments)

    return do_it


@pytest.fixture
def removed(relay, handler):
    """The paths that are looked at now, to be removed if nothing uses them."""

    def look() -> list[str]:
        handler.seen.clear()
        relay.run_once()
        return [message.payload["path"] for message in handler.seen]

    return look


class TestClaimedFiles:
    def test_stay_for_a_while_and_go_when_nobody_uses_them(self, files, do, removed, make_due):
        do(files.claim, [ADAS])
        assert removed() == []
        make_due()
        assert removed() == [ADAS]

    def test_that_are_used_have_nothing_that_could_remove_them(self, files, do, removed, make_due):
        do(files.use, do(files.claim, [ADAS, ALSO_ADAS]))
        make_due()
        assert removed() == []

    def test_that_may_be_gone_are_not_used(self, files, do, removed, make_due):
        claims = do(files.claim, [ADAS, ALSO_ADAS])
        make_due()
        assert removed()
        with pytest.raises(Unavailable):
            do(files.use, claims)

    def test_that_are_claimed_twice_stay_for_the_second(self, files, do, removed, make_due):
        first, second = do(files.claim, [ADAS]), do(files.claim, [ADAS])
        do(files.use, first)
        do(files.use, second)
        make_due()
        assert removed() == []

    def test_are_named_by_path_alone(self, files, do, outbox):
        """So that messages outlive the rows of their owner, and hold nothing personal."""
        do(files.claim, [ADAS])
        payload = select(outbox.table.c.payload)
        assert do(lambda session: session.scalars(payload).all()) == [{"path": ADAS}]


class TestReleasedFiles:
    def test_go_at_once(self, files, do, removed):
        do(files.release, [ADAS, ADAS, GRACES])
        assert sorted(removed()) == [ADAS, GRACES]

    def test_of_nobody_are_no_work(self, files, do, removed):
        do(files.release, [])
        assert removed() == []

    def test_stay_for_a_claim_that_came_before(self, files, do, removed):
        claims = do(files.claim, [ADAS])
        do(files.release, [ADAS, ALSO_ADAS])
        assert removed() == [ALSO_ADAS]
        do(files.use, claims)

    def test_stay_for_a_claim_that_comes_before_they_went(self, files, do, removed):
        do(files.release, [ADAS])
        claims = do(files.claim, [ADAS])
        assert removed() == []
        do(files.use, claims)


class TestFilesThatAreBeingRemoved:
    def test_are_not_claimed(self, files, do, relay, handler):
        handler.failure = Unavailable()
        do(files.release, [ADAS])
        relay.run_once()
        with pytest.raises(Unavailable):
            do(files.claim, [ADAS])
        do(files.claim, [ALSO_ADAS])

    def test_can_be_claimed_when_that_was_given_up(self, files, do, outbox):
        do(files.release, [ADAS])
        given_up = update(outbox.table).values(attempts=60, parked_at=text("now()"))
        do(lambda session: session.execute(given_up))
        do(files.use, do(files.claim, [ADAS]))


def test_the_files_of_one_owner_change_hands_one_after_the_other(files, database, do):
    def hurry(session, path):
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        files.claim(session, [path])

    with database.transaction() as session:
        files.claim(session, [ADAS])
        with pytest.raises(Unavailable):
            do(hurry, ALSO_ADAS)
        do(hurry, GRACES)
    do(hurry, ALSO_ADAS)


def test_a_claim_that_never_was_uses_nothing(files, do):
    with pytest.raises(Unavailable):
        do(files.use, {ADAS: uuid4()})
