"""Pictures of a listing: uploaded, processed, put in order, shown and removed (docs/spec/domain.md 6.6)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from cas_kit.errors import Unavailable
from cas_kit.testing.hostile_images import SPECIMENS
from cas_kit.testing.photos import CANARY, drawn, photo
from cas_listings.domain.images import LEASE, MAX_STRIKES, NEVER_FINISHED, UPLOAD_LOST
from cas_listings.models import AuditEntry, ListingImage, outbox
from cas_listings.operations.erasure import erase_user
from cas_listings.operations.export import export_user
from cas_listings.operations.files import REMOVE_UNUSED, remove_unused
from cas_listings.operations.processing import image_queue, picture_maker, process_image
from cas_listings.operations.search_index import index_outdated

from .conftest import PUBLISHABLE

PATH = "/api/listings"
SMALL = photo(image=drawn(64, 48))


def pictures(count):
    """So many files, all different."""
    return [photo(".png", image=drawn(40 + number, 30)) for number in range(count)]


def form(*contents, field="files"):
    return [(field, (f"photo-{number}.jpg", content)) for number, content in enumerate(contents)]


@pytest.fixture
def listing(ada):
    return ada.post(PATH, json=PUBLISHABLE).json()


@pytest.fixture
def url(listing):
    return f"{PATH}/{listing['id']}"


@pytest.fixture
def upload(ada, url):
    """Upload files and give the answer."""

    def send(*contents, **options):
        return ada.post(f"{url}/images", files=form(*contents), **options)

    return send


@pytest.fixture
def process(database, workshop):
    """Have everything that waits processed, as workers would."""

    def run(*, after=timedelta(0), **different):
        with database.autocommit() as connection:
            waiting = connection.scalars(select(ListingImage.id).where(ListingImage.state == "pending")).all()
        for image_id in waiting:
            process_image(
                different.get("workshop", workshop), image_id=image_id, now=datetime.now(UTC) + after
            )

    return run


@pytest.fixture
def settle(relay):
    """Have the relay deliver everything, also what is due later."""

    def run(database):
        with database.transaction() as session:
            session.execute(
                update(outbox.table)
                .where(outbox.table.c.topic == REMOVE_UNUSED)
                .values(next_attempt_at=datetime.now(UTC) - timedelta(hours=1))
            )
        while relay.run_once():
            pass

    return run


def stored(storage):
    return [*storage.list_prefix("uploads"), *storage.list_prefix("listings")]


def details(client, url):
    return client.get(url).json()["image_details"]


class TestUploading:
    def test_is_answered_at_once_with_pictures_that_wait(self, upload):
        answer = upload(*pictures(2))
        assert answer.status_code == 202
        assert answer.json()["rejected"] == []
        assert [image["state"] for image in answer.json()["images"]] == ["pending", "pending"]
        assert [(image["position"], image["is_cover"]) for image in answer.json()["images"]] == [
            (0, True),
            (1, False),
        ]
        assert answer.json()["images"][0]["url"] is None

    @pytest.mark.parametrize("field", ["files", "file", "images"])
    def test_takes_files_of_three_names(self, ada, url, field):
        assert ada.post(f"{url}/images", files=form(SMALL, field=field)).status_code == 202

    def test_judges_a_batch_file_by_file(self, upload):
        answer = upload(SMALL, b"just text", b"\x00" * (5 * 1024 * 1024 + 1))
        assert answer.status_code == 202
        assert len(answer.json()["images"]) == 1
        assert [(each["filename"], each["code"]) for each in answer.json()["rejected"]] == [
            ("photo-1.jpg", "unsupported-image-type"),
            ("photo-2.jpg", "file-too-large"),
        ]
        assert "JPEG, PNG or WebP" in answer.json()["rejected"][0]["message"]

    @pytest.mark.parametrize(
        ("content", "status", "code"),
        [
            pytest.param(b"\x00" * (5 * 1024 * 1024 + 1), 413, "file-too-large", id="too large"),
            pytest.param(b"just text", 415, "unsupported-image-type", id="no picture"),
            pytest.param(b"", 422, "file-missing", id="empty"),
        ],
    )
    def test_refuses_when_nothing_is_accepted(self, upload, content, status, code):
        answer = upload(content, b"<html>")
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_without_a_file_is_refused(self, ada, url):
        answer = ada.post(f"{url}/images", files={"comment": (None, "no file")})
        assert (answer.status_code, answer.json()["code"]) == (422, "file-missing")

    def test_keeps_the_file_as_it_was_received_where_nobody_can_read_it(self, upload, client, storage, owner):
        tagged = SPECIMENS["jpeg-with-gps"].make()
        upload(tagged)
        key = f"uploads/{owner.user_id}/{sha256(tagged).hexdigest()}/original"
        assert storage.get(key) == tagged
        assert client.get(f"/media/{key}").status_code == 404

    def test_of_an_eleventh_picture_is_refused_and_keeps_the_ten(self, upload, ada, url):
        assert upload(*pictures(10)).status_code == 202
        answer = upload(SMALL)
        assert (answer.status_code, answer.json()["code"]) == (409, "too-many-images")
        assert len(details(ada, url)) == 10

    def test_of_eleven_at_once_is_refused(self, upload):
        answer = upload(*pictures(11))
        assert (answer.status_code, answer.json()["code"]) == (409, "too-many-images")

    def test_of_the_same_file_twice_makes_one_picture(self, upload, ada, url, storage):
        first = upload(SMALL, SMALL).json()["images"]
        again = upload(SMALL)
        assert (again.status_code, again.json()["images"]) == (202, first)
        assert again.headers["ETag"] == ada.get(url).headers["ETag"]
        assert len(stored(storage)) == 1

    def test_to_another_persons_listing_finds_nothing(self, grace, url, storage):
        answer = grace.post(f"{url}/images", files=form(SMALL))
        assert (answer.status_code, answer.json()["code"]) == (404, "listing-not-found")
        assert stored(storage) == []

    def test_demands_a_token_before_the_files(self, client, url):
        assert client.post(f"{url}/images", files=form(SMALL)).status_code == 401

    def test_to_an_archived_listing_is_refused(self, ada, upload, url):
        ada.post(f"{url}/archive")
        answer = upload(SMALL)
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal-transition")

    def test_with_a_key_happens_once_whatever_the_forms_boundary(self, upload, ada, url):
        key = {"Idempotency-Key": "one"}
        first, second = upload(SMALL, headers=key), upload(SMALL, headers=key)
        assert (second.status_code, second.json()) == (202, first.json())
        assert second.headers["Idempotency-Replayed"] == "true"
        other = upload(*pictures(1), headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
        assert len(details(ada, url)) == 1

    def test_honours_the_version(self, upload, listing):
        stale = {"If-Match": f'"{listing["version"] + 1}"'}
        assert upload(SMALL, headers=stale).status_code == 412
        answer = upload(SMALL, headers={"If-Match": f'"{listing["version"]}"'})
        assert (answer.status_code, answer.headers["ETag"]) == (202, f'"{listing["version"] + 1}"')

    def test_that_no_listing_took_leaves_no_file(self, upload, storage, settle, database):
        """A crash between the files and the row: the claim on them finds nobody."""
        upload(*pictures(10))
        kept = stored(storage)
        orphan = f"uploads/{uuid4()}/{'a' * 64}/original"
        storage.put(orphan, b"x")
        with database.transaction() as session:
            outbox.add(session, topic=REMOVE_UNUSED, payload={"path": orphan.rpartition("/")[0]})
        settle(database)
        assert stored(storage) == kept


class TestProcessing:
    def test_makes_every_width_and_enlarges_nothing(self, upload, process, ada, url):
        upload(photo(image=drawn(1500, 1000)), SMALL)
        process()
        wide, small = details(ada, url)
        assert [variant["width"] for variant in wide["variants"]] == [320, 640, 1280, 1500]
        assert [variant["width"] for variant in small["variants"]] == [64]
        assert (wide["width"], wide["height"], wide["state"]) == (1500, 1000, "ready")
        assert wide["url"].endswith("/1280.webp")
        assert small["url"].endswith("/64.webp")
        assert wide["placeholder"].startswith("data:image/")
        assert len(wide["placeholder"]) <= 1024
        assert wide["dominant_colour"][0] == "#"

    def test_counts_as_another_version_and_not_as_an_update(self, upload, process, ada, url):
        version = int(upload(SMALL).headers["ETag"].strip('"'))
        before = ada.get(url).json()
        process()
        after = ada.get(url).json()
        assert (after["version"], after["updated_at"]) == (version + 1, before["updated_at"])

    def test_shows_files_to_everybody_for_ever(self, upload, process, ada, url, client):
        upload(SMALL)
        process()
        address = ada.get(url).json()["images"][0].partition("/media/")[2]
        answer = client.get(f"/media/{address}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        assert "immutable" in answer.headers["cache-control"]

    def test_again_changes_nothing(self, upload, process, ada, url, storage, database):
        upload(SMALL)
        process()
        before, files = ada.get(url).json(), stored(storage)
        with database.transaction() as session:
            session.execute(text("UPDATE listing_images SET run_after = now() - interval '1 hour'"))
        process()
        assert (ada.get(url).json(), stored(storage)) == (before, files)

    def test_in_avif_too_when_it_is_set(self, upload, process, ada, url, workshop, processor):
        upload(SMALL)
        process(workshop=replace(workshop, make=picture_maker(processor, also_avif=True)))
        (image,) = details(ada, url)
        assert [variant["format"] for variant in image["variants"]] == ["webp", "avif"]
        assert image["url"].endswith(".webp")

    def test_of_a_broken_file_fails_with_a_reason_for_its_owner_only(self, upload, process, ada, url, client):
        upload(SPECIMENS["png-garbled"].make(), SMALL)
        process()
        broken, good = details(ada, url)
        assert broken["state"] == "failed"
        assert "save it anew" in broken["reason"]
        ada.post(f"{url}/publish")
        shown = client.get(url).json()
        assert shown["images"] == [good["url"]]
        assert [(image["id"], image["is_cover"]) for image in shown["image_details"]] == [(good["id"], True)]

    def test_waits_while_the_storage_is_away_and_blames_nobody(self, upload, process, ada, url, workshop):
        upload(SMALL)
        for number in range(MAX_STRIKES + 2):
            process(workshop=replace(workshop, storage=Away()), after=timedelta(hours=number))
        assert details(ada, url)[0]["state"] == "pending"
        process(after=timedelta(days=1))
        assert details(ada, url)[0]["state"] == "ready"

    def test_gives_up_after_three_strikes(self, upload, process, ada, url, workshop):
        upload(SMALL)
        never = replace(workshop, make=busy)
        for number in range(MAX_STRIKES):
            assert details(ada, url)[0]["state"] == "pending"
            process(workshop=never, after=timedelta(hours=number))
        (image,) = details(ada, url)
        assert (image["state"], image["reason"]) == ("failed", NEVER_FINISHED)

    def test_of_its_neighbours_does_not_wait_for_a_poisonous_picture(
        self, upload, process, ada, url, workshop
    ):
        poison, *neighbours = pictures(4)
        upload(poison, *neighbours)

        def make(content):
            return busy(content) if content == poison else workshop.make(content)

        poisoned = replace(workshop, make=make)
        process(workshop=poisoned)
        assert [image["state"] for image in details(ada, url)] == ["pending", "ready", "ready", "ready"]
        for number in range(1, MAX_STRIKES):
            process(workshop=poisoned, after=timedelta(hours=number))
        assert [image["state"] for image in details(ada, url)] == ["failed", "ready", "ready", "ready"]

    def test_gives_up_what_ends_its_worker_three_times(self, upload, process, ada, url, workshop):
        class Killed(BaseException):
            """Nothing catches it, as nothing catches a kill."""

        def kill(_):
            raise Killed

        upload(SMALL)
        for number in range(MAX_STRIKES):
            with pytest.raises(Killed):
                process(workshop=replace(workshop, make=kill), after=2 * number * LEASE)
        process(after=2 * MAX_STRIKES * LEASE)
        (image,) = details(ada, url)
        assert (image["state"], image["reason"]) == ("failed", NEVER_FINISHED)

    def test_that_failed_begins_anew_when_the_file_is_uploaded_again(
        self, upload, process, ada, url, workshop
    ):
        upload(SMALL)
        for number in range(MAX_STRIKES):
            process(workshop=replace(workshop, make=busy), after=timedelta(hours=number))
        assert upload(SMALL).json()["images"][0]["state"] == "pending"
        process()
        assert details(ada, url)[0]["state"] == "ready"

    def test_of_a_file_that_is_gone_says_so(self, upload, process, ada, url, storage):
        upload(SMALL)
        storage.delete_prefix("uploads")
        process()
        assert details(ada, url)[0]["reason"] == UPLOAD_LOST

    def test_of_a_picture_removed_meanwhile_leaves_no_file(
        self, upload, ada, url, workshop, process, storage, settle, database
    ):
        (image,) = upload(SMALL).json()["images"]

        def remove_first(data):
            assert ada.delete(f"{url}/images/{image['id']}").status_code == 204
            return workshop.make(data)

        process(workshop=replace(workshop, make=remove_first))
        settle(database)
        assert stored(storage) == []

    def test_that_lost_its_lease_has_no_effect(self, upload, ada, url, workshop, process):
        """Two workers at one picture: the second one's try is the one that counts, once."""
        version = int(upload(SMALL).headers["ETag"].strip('"'))

        def overtaken(data):
            process(after=2 * LEASE)
            return workshop.make(data)

        process(workshop=replace(workshop, make=overtaken))
        assert ada.get(url).json()["version"] == version + 1
        assert details(ada, url)[0]["state"] == "ready"

    def test_is_measured(self, upload, database, process):
        upload(*pictures(3))
        queue = image_queue(database, now=datetime.now(UTC) + timedelta(minutes=1))
        assert queue.pending == 3
        assert queue.age >= timedelta(minutes=1)
        process()
        assert image_queue(database, now=datetime.now(UTC)).pending == 0


class Away:
    """A storage that nobody reaches."""

    def get(self, key):
        raise Unavailable


def busy(_):
    raise Unavailable


class TestHostilePictures:
    @pytest.mark.parametrize("name", [*SPECIMENS])
    def test_are_refused_or_cleaned(self, upload, process, ada, url, storage, name):
        """Through the whole path; the next picture is processed as if nothing had been."""
        answer = upload(SPECIMENS[name].make())
        if answer.status_code != 202:
            assert answer.json()["code"] == SPECIMENS[name].refusal
            return
        process()
        (image,) = details(ada, url)
        if SPECIMENS[name].refusal is not None:
            assert image["state"] == "failed"
            assert image["reason"].endswith((".", "again."))
        else:
            assert image["state"] == "ready"
            files = [storage.get(key) for key in storage.list_prefix("listings")]
            assert files
            assert not [file for file in files if CANARY in file or b"GPS" in file or b"Exif" in file]
        upload(SMALL)
        process()
        assert details(ada, url)[-1]["state"] == "ready"


class TestOrder:
    @pytest.fixture
    def ids(self, upload):
        return [image["id"] for image in upload(*pictures(3)).json()["images"]]

    def test_is_that_of_the_list(self, ada, url, ids):
        answer = ada.patch(
            f"{url}/images",
            json={"images": [{"id": ids[2], "alt_text": " Blackboard "}, {"id": ids[0]}, {"id": ids[1]}]},
        )
        assert answer.status_code == 200
        shown = answer.json()["images"]
        assert [image["id"] for image in shown] == [ids[2], ids[0], ids[1]]
        assert (shown[0]["is_cover"], shown[0]["alt_text"]) == (True, "Blackboard")
        assert [image["position"] for image in details(ada, url)] == [0, 1, 2]

    def test_brings_the_cover_to_the_front(self, ada, url, ids):
        answer = ada.patch(
            f"{url}/images", json={"images": [{"id": each} for each in ids], "cover_id": ids[1]}
        )
        assert [image["id"] for image in answer.json()["images"]] == [ids[1], ids[0], ids[2]]

    def test_that_changes_nothing_keeps_the_version(self, ada, url, ids):
        before = ada.get(url).json()
        ada.patch(f"{url}/images", json={"images": [{"id": each} for each in ids]})
        assert ada.get(url).json() == before

    @pytest.mark.parametrize("broken", ["one missing", "one twice", "a foreign one", "another cover"])
    def test_has_to_name_each_once(self, ada, url, ids, broken):
        named, cover = {
            "one missing": (ids[:2], None),
            "one twice": ([*ids, ids[0]], None),
            "a foreign one": ([*ids[:2], str(uuid4())], None),
            "another cover": (ids, str(uuid4())),
        }[broken]
        answer = ada.patch(
            f"{url}/images", json={"images": [{"id": each} for each in named], "cover_id": cover}
        )
        assert answer.status_code == 422

    def test_names_every_problem(self, ada, url, ids):
        answer = ada.patch(
            f"{url}/images",
            json={"images": [{"id": "1"}, {"id": ids[0], "alt_text": "x" * 201}, 5], "cover_id": "no"},
        )
        assert [problem["field"] for problem in answer.json()["errors"]] == [
            "images.0.id",
            "images.1.alt_text",
            "images.2",
            "cover_id",
        ]

    @pytest.mark.parametrize("body", [[], {}, {"images": None}, "x"])
    def test_needs_a_list(self, ada, url, body):
        assert ada.patch(f"{url}/images", json=body).status_code == 422

    def test_follows_the_addresses_a_client_posts_and_stores_no_other(self, ada, url, upload, process):
        upload(*pictures(3))
        process()
        first, second, third = ada.get(url).json()["images"]
        posted = ["blob:https://web.example/1", third, "https://elsewhere.example/a.webp", first, 7]
        answer = ada.patch(url, json={"images": posted})
        assert answer.status_code == 200
        assert answer.json()["images"] == [third, first, second]
        assert answer.json()["ignored_fields"] == []

    def test_of_a_listing_sent_back_as_it_was_read_stays(self, ada, url, upload, process):
        upload(*pictures(2))
        process()
        read = ada.get(url).json()
        assert ada.patch(url, json=read).json()["version"] == read["version"]


class TestRemoval:
    def test_takes_the_files_along_and_is_on_record(
        self, ada, url, upload, process, storage, settle, database
    ):
        first, second = upload(*pictures(2)).json()["images"]
        process()
        assert ada.delete(f"{url}/images/{first['id']}").status_code == 204
        (left,) = details(ada, url)
        assert (left["id"], left["position"], left["is_cover"]) == (second["id"], 0, True)
        settle(database)
        assert len(stored(storage)) == 2
        with database.autocommit() as connection:
            actions = connection.scalars(select(AuditEntry.action)).all()
        assert "picture_removed" in actions

    def test_repeated_finds_nothing(self, ada, url, upload):
        (image,) = upload(SMALL).json()["images"]
        assert ada.delete(f"{url}/images/{image['id']}").status_code == 204
        answer = ada.delete(f"{url}/images/{image['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "image-not-found")

    def test_by_somebody_else_finds_nothing(self, grace, url, upload):
        (image,) = upload(SMALL).json()["images"]
        assert grace.delete(f"{url}/images/{image['id']}").status_code == 404

    def test_keeps_files_that_another_listing_shows(
        self, ada, url, upload, process, storage, settle, database
    ):
        (image,) = upload(SMALL).json()["images"]
        process()
        files = stored(storage)
        copy = ada.post(f"{url}/duplicate").json()
        assert copy["images"] == ada.get(url).json()["images"]
        assert copy["image_details"][0]["id"] != image["id"]
        ada.delete(f"{url}/images/{image['id']}")
        settle(database)
        assert stored(storage) == files
        ada.delete(f"{PATH}/{copy['id']}")
        settle(database)
        assert stored(storage) == []

    def test_and_a_new_upload_of_the_same_file_keep_it(
        self, ada, url, upload, process, storage, settle, database
    ):
        """Prevents: an upload whose file the removal before it takes away."""
        (image,) = upload(SMALL).json()["images"]
        process()
        ada.delete(f"{url}/images/{image['id']}")
        upload(SMALL)
        settle(database)
        process()
        assert details(ada, url)[0]["state"] == "ready"
        assert len(stored(storage)) == 2

    def test_of_the_listing_takes_all_along(self, ada, url, upload, process, storage, settle, database):
        upload(*pictures(2))
        process()
        assert ada.delete(url).status_code == 204
        settle(database)
        assert stored(storage) == []

    def test_of_files_that_are_used_does_nothing(self, upload, database, storage, owner):
        upload(SMALL)
        path = f"uploads/{owner.user_id}/{sha256(SMALL).hexdigest()}"
        assert remove_unused(database, storage, path=path) == 0
        assert len(stored(storage)) == 1

    def test_under_way_makes_an_upload_wait(self, upload, database, storage, owner):
        path = f"uploads/{owner.user_id}/{sha256(SMALL).hexdigest()}"
        with database.transaction() as session:
            message = outbox.add(session, topic=REMOVE_UNUSED, payload={"path": path})
            session.execute(update(outbox.table).where(outbox.table.c.id == message).values(attempts=1))
        assert upload(SMALL).status_code == 503


class TestADuplicate:
    def test_has_pictures_that_wait_processed_too(self, ada, url, upload, process):
        upload(SMALL)
        copy = ada.post(f"{url}/duplicate").json()
        process()
        assert details(ada, f"{PATH}/{copy['id']}")[0]["state"] == "ready"

    def test_has_none_that_failed(self, ada, url, upload, process):
        upload(SPECIMENS["png-garbled"].make())
        process()
        assert ada.post(f"{url}/duplicate").json()["image_details"] == []


class TestLists:
    def test_show_pictures_too(self, ada, upload, process):
        upload(SMALL)
        process()
        (mine,) = ada.get(f"{PATH}/mine").json()["listings"]
        assert len(mine["images"]) == 1


class TestAnErasedOwner:
    def test_leaves_no_file(self, upload, process, storage, settle, database, owner):
        upload(*pictures(2))
        process()
        with database.transaction() as session:
            erase_user(session, user_id=owner.user_id, now=datetime.now(UTC))
        settle(database)
        assert stored(storage) == []


class TestAnExport:
    def test_links_to_the_file_as_it_was_received_for_a_while(self, upload, client, storage, database, owner):
        tagged = SPECIMENS["jpeg-with-gps"].make()
        upload(tagged)

        def address(now):
            def link(key):
                return storage.link(key, now=now, lasts=timedelta(hours=1))

            with database.transaction() as session:
                items = [*export_user(session, user_id=owner.user_id, link=link)]
            (document,) = [json.loads(item.document) for item in items if item.section == "images"]
            return f"/media/uploads/{document['uploaded_file'].rpartition('/')[2]}"

        answer = client.get(address(datetime.now(UTC)))
        assert (answer.status_code, answer.content) == (200, tagged)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert client.get(address(datetime.now(UTC) - timedelta(hours=2))).status_code == 404
        assert client.get("/media/uploads/made.up").status_code == 404


class TestAPublishedListing:
    def test_is_found_with_its_pictures(self, ada, client, url, upload, process, database):
        """Prevents: a row of the search index that is older than its listing."""
        ada.post(f"{url}/publish")
        upload(SMALL)
        process()
        (found,) = client.get(f"{PATH}/search").json()["listings"]
        assert found["images"] == ada.get(url).json()["images"]
        assert index_outdated(database) == 0
