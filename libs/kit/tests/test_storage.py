"""Files are written whole, found, linked and removed; in a folder and in an S3."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from pydantic import ValidationError

from cas_kit.errors import Unavailable
from cas_kit.settings import Environment, StorageSettings
from cas_kit.storage import ObjectNotFound, Storage

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3 and has a bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/pictures").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def configured(make_settings):
    """Settings of a service that keeps files."""

    def configure(**values) -> StorageSettings:
        return make_settings(StorageSettings, service="kit", **values)

    return configure


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "files with spaces"


@pytest.fixture
def in_folder(configured, folder) -> Storage:
    return Storage.of(configured(storage_url=folder.as_uri()), links_below="http://cas.test/links/")


@pytest.fixture
def in_s3(configured, s3_server) -> Iterator[Storage]:
    storage = Storage.of(
        configured(
            storage_url="s3://pictures/cas",
            storage_endpoint=s3_server,
            storage_access_key_id="testing",
            storage_secret_access_key="testing",
        )
    )
    yield storage
    for area in ("a", "health"):
        storage.delete_prefix(area)


@pytest.fixture(params=["in_folder", "in_s3"])
def storage(request) -> Storage:
    return request.getfixturevalue(request.param)


class TestAFile:
    def test_is_read_as_it_was_written(self, storage):
        storage.put("a/b/400.webp", b"first")
        storage.put("a/b/400.webp", b"second")
        assert storage.get("a/b/400.webp") == b"second"
        assert (storage.exists("a/b/400.webp"), storage.size("a/b/400.webp")) == (True, 6)

    def test_is_streamed(self, storage):
        content = bytes(range(256)) * 8192
        storage.put("a/b", content)
        opened = storage.open("a/b")
        assert (opened.size, b"".join(opened.chunks)) == (len(content), content)

    def test_is_read_in_part(self, storage):
        storage.put("a/b", b"0123456789")
        part = storage.open_part("a/b", start=2, end=5)
        assert (part.size, b"".join(part.chunks)) == (3, b"234")

    def test_that_is_not_there_is_a_named_error(self, storage):
        for read in (storage.get, storage.open, storage.size):
            with pytest.raises(ObjectNotFound):
                read("a/none")
        assert not storage.exists("a/none")

    def test_is_removed_and_removed_again(self, storage):
        storage.put("a/b", b"x")
        storage.delete("a/b")
        storage.delete("a/b")
        assert not storage.exists("a/b")

    def test_is_never_seen_in_part(self, storage):
        """Readers beside a writer see one content or the other."""
        contents = {b"a" * 300_000, b"b" * 400_000}
        storage.put("a/b", min(contents))
        stop, seen = threading.Event(), set()

        def read() -> None:
            while not stop.is_set():
                seen.add(storage.get("a/b"))

        reader = threading.Thread(target=read)
        reader.start()
        for content in [*contents] * 10:
            storage.put("a/b", content)
        stop.set()
        reader.join()
        assert seen <= contents


class TestAPrefix:
    def test_has_what_is_below_it_and_no_neighbour(self, storage):
        for key in ("a/b/1", "a/b/c/2", "a/bc/3"):
            storage.put(key, b"x")
        assert storage.list_prefix("a/b") == ["a/b/1", "a/b/c/2"]

    def test_is_removed_with_all_below_it_and_removed_again(self, storage):
        for key in ("a/b/1", "a/b/c/2", "a/bc/3"):
            storage.put(key, b"x")
        assert [storage.delete_prefix("a/b"), storage.delete_prefix("a/b")] == [2, 0]
        assert storage.list_prefix("a") == ["a/bc/3"]

    def test_leaves_no_empty_folders(self, in_folder, folder):
        in_folder.put("a/b/c/1", b"x")
        in_folder.delete_prefix("a/b")
        assert not (folder / "a").exists()


class TestAKey:
    @pytest.mark.parametrize(
        "key",
        [
            *("", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", ".hidden", "a%2e%2e/b"),
            *("a\x00b", "a\nb", "a/b\n", "a b", "A", "a\\b", "a/\u2215b", "a\u2024/b", "a#1", "x" * 513),
        ],
    )
    def test_that_the_server_did_not_make_is_refused(self, storage, key):
        for use in (storage.get, storage.delete, storage.delete_prefix, storage.exists):
            with pytest.raises(ValueError, match="not a key of ours"):
                use(key)
        with pytest.raises(ValueError, match="not a key of ours"):
            storage.put(key, b"x")


class TestALink:
    def test_to_an_s3_is_presigned(self, in_s3):
        in_s3.put("a/private", b"secret")
        link = in_s3.link("a/private", now=NOW, lasts=MINUTE)
        assert httpx.get(link).content == b"secret"
        assert "X-Amz-Expires=60" in link

    def test_to_a_folder_names_its_file_for_a_while(self, in_folder):
        link = in_folder.link("a/private", now=NOW, lasts=MINUTE)
        address, _, name = link.rpartition("/")
        assert address == "http://cas.test/links"
        assert in_folder.linked_key(name, now=NOW + MINUTE / 2) == "a/private"
        with pytest.raises(ObjectNotFound):
            in_folder.linked_key(name, now=NOW + MINUTE)

    def test_cannot_be_made_up_or_changed(self, in_folder, configured, tmp_path):
        name = in_folder.link("a/private", now=NOW, lasts=MINUTE).rpartition("/")[2]
        other = Storage.of(configured(storage_url=(tmp_path / "other").as_uri()))
        theirs = other.link("a/private", now=NOW, lasts=MINUTE)
        for forged in (
            "",
            ".",
            "a.b",
            "é.é",
            name[:-2],
            f"A{name}",
            f"{name}.x",
            theirs,
            name.partition(".")[0],
        ):
            with pytest.raises(ObjectNotFound):
                in_folder.linked_key(forged, now=NOW)


class TestAStorageThatDoesNotAnswer:
    @pytest.fixture
    def away(self, configured) -> Storage:
        return Storage.of(
            configured(
                storage_url="s3://pictures",
                storage_endpoint="http://127.0.0.1:1",
                storage_access_key_id="a",
                storage_secret_access_key="b",
            )
        )

    def test_is_unavailable_and_says_no_more(self, away):
        for use in (away.get, away.open, away.size, away.exists, away.delete, away.delete_prefix):
            with pytest.raises(Unavailable) as failed:
                use("a/b")
            assert "127.0.0.1" not in failed.value.detail
        with pytest.raises(Unavailable):
            away.put("a/b", b"x")
        with pytest.raises(Unavailable):
            away.check()

    def test_is_told_from_one_that_does(self, storage):
        storage.check()


class TestSettings:
    def test_refuse_the_default_folder_in_production(self, configured):
        assert configured().storage_url == "file:storage"
        with pytest.raises(ValidationError, match="storage_url still has its development default"):
            configured(environment=Environment.PRODUCTION, database_url="postgresql+psycopg://a:b@c/d")

    def test_refuse_what_is_neither_a_folder_nor_an_s3(self, configured):
        with pytest.raises(ValidationError, match="must begin with file: or s3://"):
            configured(storage_url="gopher://files")
