"""Whatever happens between files and rows: no file without a use, no use without its file (docs/adr/0022)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from cas_account.domain.pictures import AVATAR, files_of_user
from cas_account.models import Profile, outbox_messages
from cas_account.operations.cards import CARD_CHANGED
from cas_account.operations.erasure import begin_erasure
from cas_account.operations.files import REMOVE_UNUSED
from cas_account.operations.own_part import AccountPart
from cas_account.operations.pictures import make_picture, show_picture, store_picture
from cas_kit.errors import Unavailable
from cas_kit.storage import Storage
from cas_kit.testing.photos import drawn, photo

AVATAR_PATH, COVER_PATH = "/api/account/avatar", "/api/account/cover"
FIRST, SECOND = photo(image=drawn(500, 500)), photo(image=drawn(500, 480))


def form(data: bytes, name="me.jpg"):
    return {"file": (name, data, "image/jpeg")}


@pytest.fixture
def files(storage, user_id):
    """The names of Ada's files, by the prefix of their picture."""

    def list_them() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for key in storage.list_prefix(files_of_user(user_id)):
            path, _, name = key.rpartition("/")
            found.setdefault(path, set()).add(name)
        return found

    return list_them


@pytest.fixture
def deliver(database, relay):
    """Deliver everything that waits, as if its time had come."""

    def deliver_all() -> None:
        with database.transaction() as session:
            session.execute(update(outbox_messages).values(next_attempt_at=func.now()))
        while relay.run_once():
            pass

    return deliver_all


def row(database, user_id) -> Profile:
    with database.transaction() as session:
        return session.get(Profile, user_id)


class TestReplacing:
    def test_there_and_back_again_keeps_the_one_that_is_shown(self, ada, files, deliver):
        for data in (FIRST, SECOND, FIRST):
            url = ada.post(AVATAR_PATH, files=form(data)).json()["url"]
        deliver()
        assert [*files()] == [url.partition("/media/")[2].rpartition("/")[0]]

    def test_keeps_files_that_avatar_and_cover_share_until_neither_shows_them(self, ada, files, deliver):
        tiny = photo(".png", image=drawn(8, 8))
        avatar = ada.post(AVATAR_PATH, files=form(tiny)).json()["url"]
        assert ada.post(COVER_PATH, files=form(tiny)).json()["url"] == avatar
        ada.delete(AVATAR_PATH)
        deliver()
        assert len(files()) == 1

    def test_fails_whole_while_the_storage_is_away(self, ada, files, deliver, monkeypatch):
        ada.post(AVATAR_PATH, files=form(FIRST))
        before, kept = ada.get("/api/profile").json(), files()

        def fail_at_the_last(self, key, data, put=Storage.put):
            if key.endswith("400.webp"):
                raise Unavailable
            put(self, key, data)

        with monkeypatch.context() as broken:
            broken.setattr(Storage, "put", fail_at_the_last)
            answer = ada.post(AVATAR_PATH, files=form(SECOND))
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        deliver()
        assert (ada.get("/api/profile").json(), files()) == (before, kept)

    def test_by_another_address_in_the_profile_removes_the_files(self, ada, files, deliver):
        ada.post(COVER_PATH, files=form(FIRST))
        ada.patch("/api/profile", json={"cover_photo_url": "https://cdn.example/c.png"})
        deliver()
        assert files() == {}


class TestListings:
    def test_are_told_of_a_picture_only_when_it_changed(self, ada, database, deliver):
        told = []
        for data in (FIRST, FIRST, SECOND):
            deliver()
            ada.post(AVATAR_PATH, files=form(data))
            with database.transaction() as session:
                topics = list(session.scalars(select(outbox_messages.c.topic)))
            told.append(topics.count(CARD_CHANGED))
        assert told == [1, 0, 1]

    def test_hear_nothing_of_covers(self, ada, database, deliver):
        deliver()
        ada.post(COVER_PATH, files=form(FIRST))
        with database.transaction() as session:
            topics = set(session.scalars(select(outbox_messages.c.topic)))
        assert CARD_CHANGED not in topics


class TestAKey:
    def test_repeats_the_first_answer_although_forms_differ(self, ada, files, deliver):
        keyed = {"Idempotency-Key": "k1"}
        first = ada.post(AVATAR_PATH, files=form(FIRST), headers=keyed)
        second = ada.post(AVATAR_PATH, files=form(SECOND)).json()["url"]
        again = ada.post(AVATAR_PATH, files=form(FIRST), headers=keyed)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
        deliver()
        assert ada.get("/api/profile").json()["avatar_url"] == second
        assert len(files()) == 1

    def test_repeats_a_removal(self, ada):
        keyed = {"Idempotency-Key": "k1"}
        ada.delete(AVATAR_PATH, headers=keyed)
        ada.post(AVATAR_PATH, files=form(FIRST))
        assert ada.delete(AVATAR_PATH, headers=keyed).headers["Idempotency-Replayed"] == "true"
        assert ada.get("/api/profile").json()["avatar_url"]


class TestFiles:
    @pytest.fixture
    def picture(self, images):
        return make_picture(images, place=AVATAR, data=FIRST)

    @pytest.fixture
    def show(self, database, settings, user_id, now):
        def show_it(stored):
            with database.transaction() as session:
                show_picture(
                    session,
                    user_id=user_id,
                    place=AVATAR,
                    stored=stored,
                    media_url=settings.media_url,
                    check_version=lambda _: None,
                    now=now,
                )

        return show_it

    def test_of_an_upload_that_was_cut_off_go_after_a_while(
        self, database, storage, relay, user_id, picture, files, deliver
    ):
        store_picture(database, storage, user_id=user_id, picture=picture)
        relay.run_once()
        assert files(), "not before its time"
        deliver()
        assert files() == {}

    def test_that_went_before_they_were_shown_are_not_shown(
        self, database, storage, user_id, picture, show, deliver
    ):
        stored = store_picture(database, storage, user_id=user_id, picture=picture)
        deliver()
        with pytest.raises(Unavailable):
            show(stored)
        assert row(database, user_id).avatar_url == ""

    def test_that_are_being_removed_are_not_claimed(self, ada, storage, deliver, monkeypatch):
        """An upload of the same picture meets its removal: it is told to come again, and then it is whole."""
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.delete(AVATAR_PATH)
        removing, go_on = threading.Event(), threading.Event()

        def slowly(self, prefix, delete=Storage.delete_prefix):
            removing.set()
            assert go_on.wait(10)
            return delete(self, prefix)

        monkeypatch.setattr(Storage, "delete_prefix", slowly)
        with ThreadPoolExecutor(1) as threads:
            delivered = threads.submit(deliver)
            assert removing.wait(10)
            assert ada.post(AVATAR_PATH, files=form(FIRST)).status_code == 503
            go_on.set()
            delivered.result()
        url = ada.post(AVATAR_PATH, files=form(FIRST)).json()["url"]
        deliver()
        assert storage.exists(url.partition("/media/")[2])

    def test_that_wait_to_be_removed_stay_for_an_upload_of_the_same(
        self, ada, database, storage, user_id, picture, show, relay, deliver
    ):
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.delete(AVATAR_PATH)
        stored = store_picture(database, storage, user_id=user_id, picture=picture)
        relay.run_once()
        show(stored)
        deliver()
        assert storage.exists(f"{stored.path}/400.webp")

    def test_released_during_an_upload_of_the_same_stay_for_it(
        self, ada, database, storage, user_id, picture, show, relay, deliver
    ):
        stored = store_picture(database, storage, user_id=user_id, picture=picture)
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.delete(AVATAR_PATH)
        relay.run_once()
        show(stored)
        deliver()
        assert storage.exists(f"{stored.path}/400.webp")

    @pytest.mark.parametrize("same", [True, False])
    def test_of_uploads_at_once_are_those_of_the_one_that_won(self, ada, files, deliver, same):
        pictures = [FIRST if same else photo(image=drawn(300 + number, 300)) for number in range(4)]
        with ThreadPoolExecutor(4) as threads:
            answers = [*threads.map(lambda data: ada.post(AVATAR_PATH, files=form(data)), pictures)]
        assert {answer.status_code for answer in answers} == {200}
        deliver()
        shown = ada.get("/api/profile").json()["avatar_url"]
        assert shown in {answer.json()["url"] for answer in answers}
        assert {f"/media/{path}/" in shown for path in files()} == {True}

    def test_are_written_while_no_transaction_is_open(self, ada, database, monkeypatch):
        seen = []

        def look(self, key, data, put=Storage.put):
            seen.append(database.engine.pool.checkedout())
            put(self, key, data)

        monkeypatch.setattr(Storage, "put", look)
        ada.post(AVATAR_PATH, files=form(FIRST))
        assert seen == [0] * 4

    def test_go_with_their_user(self, ada, database, storage, limiter, user_id, now, files, deliver):
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.post(COVER_PATH, files=form(FIRST))
        with database.transaction() as session:
            begin_erasure(session, user_id=user_id, parts=["account"], now=now)
        receipt = AccountPart(database, limiter, storage).erase_user(user_id)
        assert (receipt.objects, files()) == (5, {})

    def test_of_an_upload_that_an_erasure_overtook_go_too(
        self, database, storage, limiter, user_id, picture, show, now, files, deliver
    ):
        stored = store_picture(database, storage, user_id=user_id, picture=picture)
        AccountPart(database, limiter, storage).erase_user(user_id)
        for variant in picture.variants:
            storage.put(f"{stored.path}/{variant.file_name}", variant.data)
        deliver()
        assert files() == {}

    def test_of_somebody_else_stay(self, ada, storage, files, deliver):
        others = f"{files_of_user(uuid4())}/{'ab' * 32}/400.webp"
        storage.put(others, b"x")
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.delete(AVATAR_PATH)
        deliver()
        assert storage.exists(others)

    def test_are_named_by_path_alone_in_messages(self, ada, database):
        """So that they outlive the rows of their user, and hold nothing personal."""
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.delete(AVATAR_PATH)
        with database.transaction() as session:
            found = session.execute(
                select(outbox_messages.c.payload).where(outbox_messages.c.topic == REMOVE_UNUSED)
            ).scalars()
            assert [[*payload] for payload in found] == [["path"]]


class TestAPostedProfile:
    def test_as_it_was_read_keeps_the_pictures(self, ada, files, deliver):
        """*Prevents:* an avatar that uploads well and is gone after reload."""
        ada.post(AVATAR_PATH, files=form(FIRST))
        ada.post(COVER_PATH, files=form(SECOND))
        before, kept = ada.get("/api/profile").json(), files()
        assert ada.post("/api/profile", json=before).json()["user"] == before
        deliver()
        assert (ada.get("/api/profile").json(), files()) == (before, kept)

    def test_that_shows_the_upload_as_custom_picture_only_keeps_it(self, ada, files, deliver):
        url = ada.post(AVATAR_PATH, files=form(FIRST)).json()["url"]
        for avatar in ("https://cdn.example/a.png", ""):
            posted = {"avatar_url": avatar, "custom_picture_url": url}
            user = ada.post("/api/profile", json=posted).json()["user"]
            assert (user["avatar_url"], user["custom_picture_url"]) == (avatar, url)
        deliver()
        assert len(files()) == 1

    @pytest.mark.parametrize("meanwhile", [SECOND, None], ids=["replaced", "removed"])
    def test_as_it_was_read_long_ago_keeps_what_became_of_the_pictures(self, ada, files, deliver, meanwhile):
        """*Prevents:* an avatar that uploads well and is gone after reload."""
        for path in (AVATAR_PATH, COVER_PATH):
            ada.post(path, files=form(FIRST))
        read = ada.get("/api/profile").json()
        for path in (AVATAR_PATH, COVER_PATH):
            if meanwhile:
                ada.post(path, files=form(meanwhile))
            else:
                ada.delete(path)
        deliver()
        before, kept = ada.get("/api/profile").json(), files()
        saved = ada.post("/api/profile", json=read | {"bio": "I teach."}).json()["user"]
        deliver()
        for field in ("avatar_url", "custom_picture_url", "cover_photo_url"):
            assert saved[field] == before[field] != read[field]
        assert (saved["bio"], files()) == ("I teach.", kept)

    def test_never_shows_the_upload_of_another(self, ada, client, issuer, settings, files, deliver):
        others = client.post(AVATAR_PATH, files=form(FIRST), headers=issuer.bearer(uuid4())).json()["url"]
        own = ada.post(AVATAR_PATH, files=form(SECOND)).json()["url"]
        for address in (others, settings.media_url + "profiles/nobody/a.webp"):
            answer = ada.post("/api/profile", json={"avatar_url": address, "custom_picture_url": address})
            assert answer.status_code == 200
        deliver()
        shown = ada.get("/api/profile").json()
        assert (shown["avatar_url"], shown["custom_picture_url"], len(files())) == (own, own, 1)

    def test_that_clears_the_avatar_beside_an_old_address_keeps_the_upload(self, ada, files, deliver):
        old = ada.post(AVATAR_PATH, files=form(FIRST)).json()["url"]
        new = ada.post(AVATAR_PATH, files=form(SECOND)).json()["url"]
        user = ada.post("/api/profile", json={"avatar_url": "", "custom_picture_url": old}).json()["user"]
        deliver()
        assert (user["avatar_url"], user["custom_picture_url"], len(files())) == ("", new, 1)


class TestPreconditions:
    def test_of_another_version_are_412_and_leave_no_files(self, ada, files, deliver):
        for method, path in (("POST", AVATAR_PATH), ("POST", COVER_PATH)):
            answer = ada.request(method, path, files=form(FIRST), headers={"If-Match": '"7"'})
            assert (answer.status_code, answer.json()["version"]) == (412, 1)
        assert ada.delete(AVATAR_PATH, headers={"If-Match": '"7"'}).status_code == 412
        deliver()
        assert files() == {}
        assert ada.post(AVATAR_PATH, files=form(FIRST), headers={"If-Match": '"1"'}).status_code == 200
