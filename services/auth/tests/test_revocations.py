"""However a session ends, every service refuses its access tokens from then on."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import jwt
import pytest
from redis import Redis
from sqlalchemy import select

import cas_auth
from cas_auth.domain.audit import Origin
from cas_auth.domain.sessions import LogoutScope
from cas_auth.models import RevokedSession, UserSession, outbox_messages
from cas_auth.operations.directory import erase_user
from cas_auth.operations.revocations import complete_feed, forget_ended_sessions
from cas_kit.revocations import STREAM, RevocationFeed, RevokedSessions
from cas_kit.tokens import LEEWAY

LIFETIME = timedelta(hours=1)


@pytest.fixture
def url(redis_server):
    """A Redis database of this test alone."""
    with Redis.from_url(redis_server.url(9)) as redis:
        redis.flushdb()
    return redis_server.url(9)


@pytest.fixture
def redis(url):
    with Redis.from_url(url, decode_responses=True) as client:
        yield client


@pytest.fixture
def feed(url):
    writing = RevocationFeed(url)
    yield writing
    writing.close()


@pytest.fixture
def known(url):
    """The sessions another service knows to have ended, as of now."""

    def read():
        reader = RevokedSessions(url, now=lambda: 0)  # some tests live in the past
        reader.catch_up()
        reader.close()
        return reader

    return read


def remembered(database):
    with database.transaction() as session:
        return {row.session_id: row.until for row in session.scalars(select(RevokedSession))}


def session_id(session):
    return jwt.decode(session["access_token"], options={"verify_signature": False})["session_id"]


class TestTheEndOfASession:
    """...is known to others before the answer is there."""

    @pytest.fixture
    def auth(self, start, url):
        return start(revocations_url=url, refresh_reuse_interval=timedelta(0))

    @pytest.fixture
    def devices(self, auth):
        """Two sessions of one user."""
        return auth.sign_up().json(), auth.sign_in().json()

    def test_by_signing_out_everywhere(self, auth, devices, known):
        assert auth.sign_out(devices[0]["access_token"]).status_code == 204
        assert all(session_id(device) in known() for device in devices)

    def test_by_signing_out_here(self, auth, devices, known):
        auth.sign_out(devices[0]["access_token"], scope="local")
        assert [session_id(device) in known() for device in devices] == [True, False]

    def test_by_signing_out_elsewhere(self, auth, devices, known):
        auth.sign_out(devices[0]["access_token"], scope="others")
        assert [session_id(device) in known() for device in devices] == [False, True]

    def test_by_a_new_password(self, auth, devices, known):
        auth.update(devices[0]["access_token"], password="another long password")
        assert [session_id(device) in known() for device in devices] == [False, True]

    def test_by_a_stolen_refresh_token(self, auth, devices, known):
        renewed = auth.refresh(devices[0]["refresh_token"]).json()
        auth.refresh(renewed["refresh_token"])
        stolen = auth.refresh(devices[0]["refresh_token"])
        assert stolen.json()["code"] == "refresh_token_already_used"
        assert [session_id(device) in known() for device in devices] == [True, False]

    def test_by_erasing_the_user(self, auth, devices, known):
        with auth.service.app.state.dependencies.database.transaction() as session:
            erase_user(
                session,
                user_id=UUID(devices[0]["user"]["id"]),
                origin=Origin(request_id="r"),
                now=datetime.now(UTC),
            )
        assert all(session_id(device) in known() for device in devices)

    def test_leaves_nothing_to_deliver(self, auth, devices, database):
        auth.sign_out(devices[0]["access_token"])
        with database.autocommit() as connection:
            assert connection.execute(select(outbox_messages)).all() == []

    def test_is_delivered_later_when_redis_is_away(self, start, database):
        away = start(revocations_url="redis://127.0.0.1:1/0")
        session = away.sign_up().json()
        assert away.sign_out(session["access_token"]).status_code == 204
        with database.autocommit() as connection:
            (waiting,) = connection.execute(select(outbox_messages)).all()
        assert (waiting.payload, waiting.attempts) == ({"session_ids": [session_id(session)]}, 1)


class TestWhatIsRemembered:
    def test_lasts_as_long_as_the_newest_access_token(self, desk, ada, database):
        later = desk.now + timedelta(minutes=30)
        desk.at(later).refresh(ada.refresh_token)
        desk.sign_out(ada, LogoutScope.LOCAL)
        assert remembered(database) == {ada.session.id: later + LIFETIME + LEEWAY}

    def test_counts_a_token_that_was_handed_out_again(self, desk, ada, database):
        """The answer was lost: the refresh token is the same, the access token a new one."""
        desk.refresh(ada.refresh_token)
        again = desk.at(desk.now + timedelta(seconds=5)).refresh(ada.refresh_token)
        desk.sign_out(ada, LogoutScope.LOCAL)
        assert remembered(database) == {ada.session.id: again.expires_at + LEEWAY}

    def test_is_not_shortened_by_a_clock_that_is_behind(self, desk, ada, database):
        desk.at(desk.now - timedelta(minutes=10)).refresh(ada.refresh_token)
        desk.sign_out(ada, LogoutScope.LOCAL)
        assert remembered(database) == {ada.session.id: ada.expires_at + LEEWAY}

    def test_lasts_a_day_for_sessions_from_before(self, desk, ada, database):
        with database.transaction() as session:
            session.get(UserSession, ada.session.id).tokens_until = None
        desk.sign_out(ada, LogoutScope.LOCAL)
        assert ada.session.id in remembered(database)

    def test_is_nothing_when_the_transaction_fails(self, desk, ada, database):
        with pytest.raises(RuntimeError):
            self._sign_out_and_fail(desk, ada, database)
        assert remembered(database) == {}

    def _sign_out_and_fail(self, desk, ada, database):
        with database.transaction() as session:
            erase_user(session, user_id=ada.user.id, origin=desk.origin, now=desk.now)
            raise RuntimeError


class TestTheFeed:
    @pytest.fixture
    def gone(self, desk, ada):
        desk.sign_out(ada, LogoutScope.LOCAL)
        return str(ada.session.id)

    def test_is_completed_after_redis_was_emptied(self, desk, gone, database, feed, known, redis):
        complete_feed(database, feed, now=desk.now)
        assert gone in known()
        redis.flushdb()
        assert gone not in known()
        complete_feed(database, feed, now=desk.now)
        assert gone in known()

    def test_is_left_alone_while_it_is_whole(self, desk, gone, database, feed, redis):
        for _ in range(3):
            complete_feed(database, feed, now=desk.now)
        assert redis.xlen(STREAM) == 1

    def test_forgets_what_has_expired(self, desk, gone, database, feed, redis):
        complete_feed(database, feed, now=desk.now)
        forget_ended_sessions(database, feed, now=desk.now + LIFETIME)
        assert (len(remembered(database)), redis.xlen(STREAM)) == (1, 1)
        forget_ended_sessions(database, feed, now=desk.now + LIFETIME + LEEWAY)
        assert (remembered(database), redis.xlen(STREAM)) == ({}, 0)

    def test_has_nothing_of_sessions_that_have_expired(self, desk, gone, database, feed, redis):
        complete_feed(database, feed, now=desk.now + 2 * LIFETIME)
        assert redis.xlen(STREAM) == 0
        assert feed.is_whole()

    def test_is_looked_after_by_the_service(self, start, url, feed, desk, gone, known):
        service = start(revocations_url=url).service
        jobs = {periodic.name: periodic.job for periodic in service.periodic}
        jobs["complete-revocations"]()
        assert feed.is_whole()
        jobs["forget-revocations"]()


def test_sessions_end_in_one_place_only():
    """Or else somebody would end one of which no service learns."""
    source = Path(cas_auth.__file__).parent
    ending = re.compile(r"delete\(\s*UserSession|delete\(\s*User\)")
    found = {
        str(file.relative_to(source)) for file in source.rglob("*.py") if ending.search(file.read_text())
    }
    assert found == {"repository/sessions.py", "repository/erasure.py"}
