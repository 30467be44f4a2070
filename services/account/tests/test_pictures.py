"""Uploading, showing and removing the two pictures of a profile (docs/spec/domain.md 3.4)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from cas_account.domain.pictures import AVATAR, files_of_user
from cas_account.models import AuditEntry, outbox_messages
from cas_account.operations.pictures import make_picture, store_picture
from cas_kit.errors import Unavailable
from cas_kit.images import UnsupportedImageType, inspect
from cas_kit.images.inspection import ImageLimits
from cas_kit.testing.hostile_images import SPECIMENS
from cas_kit.testing.photos import CANARY, drawn, photo, tagged

AVATAR_PATH, COVER_PATH, BY_NAME = "/api/account/avatar", "/api/account/cover", "/api/avatar/upload"
# All of them: libs/kit/tests/test_images.py.
SOME_OF_EACH_KIND = [*SPECIMENS][::8]
FIVE_MEGABYTES = 5 * 1024 * 1024
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def bearer(issuer, user_id):
    return issuer.bearer(user_id)


@pytest.fixture
def upload(client, bearer):
    """`upload(data)`: the answer to an avatar sent as the body."""

    def send(data=None, path=AVATAR_PATH, **headers):
        return client.post(
            path, content=photo() if data is None else data, headers={**bearer, **JPEG, **headers}
        )

    return send


@pytest.fixture
def deliver_all(database, relay):
    """Do everything the outbox has to do, now."""

    def deliver():
        with database.autocommit() as connection:
            found = connection.scalars(select(outbox_messages.c.id)).all()
        for message_id in found:
            relay.deliver(message_id)

    return deliver


def files(storage, user_id):
    return storage.list_prefix(files_of_user(user_id))


def profile(client, bearer):
    return client.get("/api/profile", headers=bearer).json()


class TestUpload:
    def test_shows_the_picture_in_every_size(self, client, bearer, upload, storage, user_id, settings):
        answer = upload(photo(image=drawn(1000, 600)))
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) == {"success", "message", "avatar_url", "custom_picture_url", "url", "variants"}
        assert list(body["variants"]) == ["64", "128", "256", "400"]
        assert body["url"] == body["avatar_url"] == body["custom_picture_url"] == body["variants"]["400"]
        assert body["url"].startswith(f"{settings.media_url}profiles/{user_id}/")
        shown = profile(client, bearer)
        assert (shown["avatar_url"], shown["custom_picture_url"]) == (body["url"], body["url"])
        assert answer.headers["ETag"] == f'"{shown["version"]}"'
        assert len(files(storage, user_id)) == 4
        for width, url in body["variants"].items():
            picture = client.get("/media/" + url.removeprefix(settings.media_url))
            assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/webp")
            header = inspect(picture.content, ImageLimits())
            assert (header.width, header.height) == (int(width), int(width))

    def test_of_a_cover_keeps_the_shape(self, client, bearer, upload, settings):
        body = upload(photo(image=drawn(2000, 1000)), path=COVER_PATH).json()
        assert list(body["variants"]) == ["640", "1280", "1920"]
        assert profile(client, bearer)["cover_photo_url"] == body["cover_photo_url"] == body["url"]
        largest = client.get("/media/" + body["url"].removeprefix(settings.media_url))
        header = inspect(largest.content, ImageLimits())
        assert (header.width, header.height) == (1920, 960)

    def test_never_enlarges(self, upload):
        variants = upload(photo(image=drawn(100, 100))).json()["variants"]
        assert variants["128"] == variants["400"] != variants["64"]

    @pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
    def test_takes_a_form(self, client, bearer, kind):
        files = {"file": ("../../etc/me.php", photo(kind), "text/plain")}
        assert client.post(AVATAR_PATH, files=files, headers=bearer).status_code == 200

    def test_keeps_nothing_of_what_the_picture_says_beside(self, client, upload, settings):
        url = upload(tagged() + CANARY).json()["url"]
        served = client.get("/media/" + url.removeprefix(settings.media_url)).content
        assert CANARY not in served
        assert b"Exif" not in served

    def test_by_name_is_the_same_for_the_existing_web_client(self, upload, client, bearer):
        answer = upload(path=f"{BY_NAME}?filename=me.jpg")
        assert (answer.status_code, answer.json()["url"]) == (200, profile(client, bearer)["avatar_url"])

    def test_by_name_wants_a_name(self, upload):
        answer = upload(path=BY_NAME)
        assert (answer.status_code, answer.json()["code"]) == (400, "filename-missing")


class TestRefusals:
    @pytest.mark.parametrize("name", SOME_OF_EACH_KIND)
    def test_leave_the_old_picture_in_place(self, client, bearer, upload, name):
        specimen = SPECIMENS[name]
        before = upload().json()["url"]
        answer = upload(specimen.make())
        assert answer.status_code in ({413, 415, 422} if specimen.refusal else {200}), answer.text
        if specimen.refusal is not None:
            assert answer.json()["code"] == specimen.refusal
            assert answer.json()["detail"].endswith(".")
            assert profile(client, bearer)["avatar_url"] == before

    def test_of_more_than_five_megabytes_and_not_of_five(self, upload):
        exactly = photo() + bytes(FIVE_MEGABYTES - len(photo()))
        assert upload(exactly).status_code == 200
        answer = upload(exactly + b"\0")
        assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")

    @pytest.mark.parametrize(
        "sent",
        [{"files": {"other": b"x"}}, {"content": b""}, {"files": {"file": b""}}],
        ids=["other", "none", "empty"],
    )
    def test_of_nothing(self, client, bearer, sent):
        answer = client.post(AVATAR_PATH, headers=bearer, **sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "file-missing")

    def test_of_a_json_body(self, client, bearer):
        assert client.post(AVATAR_PATH, json={}, headers=bearer).status_code == 415

    def test_of_another_version_keep_the_picture(self, client, bearer, upload, storage, user_id):
        url = upload().json()["url"]
        answer = upload(photo(image=drawn(50, 50)), **{"If-Match": '"1"'})
        assert answer.status_code == 412
        assert profile(client, bearer)["avatar_url"] == url

    def test_without_a_token(self, client):
        assert client.post(AVATAR_PATH, content=photo(), headers=JPEG).status_code == 401


class TestIdempotency:
    def test_repeats_the_answer_for_the_same_file_in_another_form(self, client, bearer):
        keyed = {**bearer, "Idempotency-Key": "once"}
        first = client.post(AVATAR_PATH, files={"file": photo()}, headers=keyed)
        again = client.post(AVATAR_PATH, files={"file": photo()}, headers=keyed)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
        other = client.post(AVATAR_PATH, files={"file": photo(".png")}, headers=keyed)
        assert other.json()["code"] == "idempotency-key-reused"

    def test_repeats_a_refusal(self, upload):
        first = upload(b"no picture", **{"Idempotency-Key": "once"})
        again = upload(b"no picture", **{"Idempotency-Key": "once"})
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (first.status_code, "true")


class TestOldFiles:
    def test_go_when_another_picture_is_shown(self, upload, deliver_all, storage, user_id):
        upload()
        before = files(storage, user_id)
        upload(photo(image=drawn(300, 300)))
        deliver_all()
        after = files(storage, user_id)
        assert after
        assert not set(before) & set(after)

    def test_stay_when_the_same_picture_is_sent_again(
        self, client, upload, deliver_all, storage, user_id, settings
    ):
        url = upload().json()["url"]
        assert upload().json()["url"] == url
        deliver_all()
        assert client.get("/media/" + url.removeprefix(settings.media_url)).status_code == 200

    @pytest.mark.parametrize("path", [AVATAR_PATH, COVER_PATH])
    def test_go_when_the_picture_is_removed(
        self, client, bearer, upload, deliver_all, storage, user_id, path
    ):
        upload(path=path)
        for _ in range(2):
            answer = client.delete(path, headers=bearer)
            assert (answer.status_code, answer.json()) == (200, {"success": True})
        deliver_all()
        assert files(storage, user_id) == []
        shown = profile(client, bearer)
        assert (shown["avatar_url"], shown["custom_picture_url"], shown["cover_photo_url"]) == ("", "", "")

    def test_go_when_the_owner_clears_the_address(
        self, client, bearer, upload, deliver_all, storage, user_id
    ):
        upload()
        client.patch("/api/profile", json={"avatar_url": ""}, headers=bearer)
        deliver_all()
        assert files(storage, user_id) == []
        assert profile(client, bearer)["custom_picture_url"] == ""

    def test_stay_when_the_whole_profile_is_sent_back(
        self, client, bearer, upload, deliver_all, storage, user_id
    ):
        upload()
        kept = files(storage, user_id)
        read = profile(client, bearer)
        assert client.post("/api/profile", json=read, headers=bearer).json()["user"] == read
        deliver_all()
        assert files(storage, user_id) == kept

    def test_of_an_upload_that_was_never_shown_go(self, database, storage, images, user_id, deliver_all):
        """The process died between the files and the row."""
        picture = make_picture(images, place=AVATAR, data=photo())
        store_picture(database, storage, user_id=user_id, picture=picture)
        assert len(files(storage, user_id)) > 0
        deliver_all()
        assert files(storage, user_id) == []

    def test_removals_are_on_record_without_an_address(self, client, bearer, upload, database):
        upload()
        client.delete(AVATAR_PATH, headers=bearer)
        with database.autocommit() as connection:
            found = connection.execute(
                select(AuditEntry.details).where(AuditEntry.action == "picture_removed")
            ).scalars()
            assert [*found] == [{"picture": "avatar"}]


class TestLeaving:
    def test_tells_where_the_pictures_are(self, upload, parts, user_id):
        url = upload().json()["url"]
        [account] = (part for part in parts if part.name == "account")
        told = [item.document for item in account.export_user(user_id) if item.section == "images"]
        assert [json.loads(document) for document in told] == [{"picture": "avatar", "url": url}]

    def test_takes_the_files_along(self, client, upload, parts, storage, user_id, settings):
        url = upload().json()["url"]
        upload(path=COVER_PATH)
        [account] = (part for part in parts if part.name == "account")
        assert account.erase_user(user_id).objects == 4
        assert files(storage, user_id) == []
        assert client.get("/media/" + url.removeprefix(settings.media_url)).status_code == 404


class TestAtTheSameTime:
    def test_one_upload_wins_and_no_file_is_left_over(
        self, client, bearer, upload, deliver_all, storage, user_id, settings
    ):
        pictures = [photo(image=drawn(200 + 20 * number, 200)) for number in range(4)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(upload, pictures))
        assert {answer.status_code for answer in answers} == {200}
        deliver_all()
        url = profile(client, bearer)["avatar_url"]
        kept = url.removeprefix(settings.media_url).rpartition("/")[0]
        assert {key.rpartition("/")[0] for key in files(storage, user_id)} == {kept}

    def test_files_that_are_being_removed_cannot_be_shown(self, database, storage, images, user_id):
        picture = make_picture(images, place=AVATAR, data=photo())
        store_picture(database, storage, user_id=user_id, picture=picture)
        with database.transaction() as session:
            session.execute(update(outbox_messages).values(attempts=1))
        with pytest.raises(Unavailable):
            store_picture(database, storage, user_id=user_id, picture=picture)


def test_what_is_no_picture_costs_no_process(images):
    with pytest.raises(UnsupportedImageType):
        make_picture(images, place=AVATAR, data=b"<svg/>")
