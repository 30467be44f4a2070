"""Public pictures: streamed, immutable, harmless; nothing else is reachable."""

from dataclasses import dataclass

import pytest

from cas_kit import rest
from cas_kit.media import media_router
from cas_kit.settings import StorageSettings
from cas_kit.storage import Storage

OWNER, DIGEST = "6f1c1c0e-3a5b-4c8e-9f00-0123456789ab", "ab" * 32
KEY = f"profiles/{OWNER}/{DIGEST}/400.webp"
PATH = f"/media/{KEY}"
CONTENT = bytes(range(256))


@dataclass(frozen=True)
class Served(rest.Dependencies):
    storage: Storage


@pytest.fixture
def storage(make_settings, tmp_path) -> Storage:
    settings = make_settings(StorageSettings, service="kit", storage_url=(tmp_path / "files").as_uri())
    storage = Storage.of(settings)
    storage.put(KEY, CONTENT)
    return storage


@pytest.fixture
def client(make_client, database, storage):
    client = make_client(media_router("profiles"))
    known = client.app.state.dependencies
    client.app.state.dependencies = Served(known.database, known.verifier, storage)
    return client


class TestAPicture:
    def test_is_answered_so_that_it_can_be_kept_and_do_no_harm(self, client):
        answer = client.get(PATH)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        expected = {
            "content-type": "image/webp",
            "content-length": "256",
            "cache-control": "public, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
            "cross-origin-resource-policy": "cross-origin",
            "access-control-allow-origin": "*",
            "accept-ranges": "bytes",
        }
        assert {name: answer.headers[name] for name in expected} == expected

    def test_can_be_asked_for_its_headers_only(self, client):
        assert client.head(PATH).headers["content-length"] == "256"

    def test_that_is_known_is_not_sent_again(self, client):
        tag = client.get(PATH).headers["etag"]
        answer = client.get(PATH, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["cache-control"].endswith("immutable")
        assert client.get(PATH, headers={"If-None-Match": '"other"'}).status_code == 200

    def test_that_is_gone_is_gone_also_for_those_who_know_it(self, client, storage):
        tag = client.get(PATH).headers["etag"]
        storage.delete(KEY)
        for headers in ({}, {"If-None-Match": tag}, {"Range": "bytes=0-1"}):
            answer = client.get(PATH, headers=headers)
            assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


class TestAPart:
    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [("0-9", 0, 9), ("250-", 250, 255), ("-6", 250, 255), ("250-999", 250, 255), ("-999", 0, 255)],
    )
    def test_is_what_was_asked(self, client, asked, first, last):
        answer = client.get(PATH, headers={"Range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
        assert answer.headers["content-range"] == f"bytes {first}-{last}/256"
        assert answer.headers["content-length"] == str(last + 1 - first)

    @pytest.mark.parametrize("asked", ["256-", "999-1000", "-0"])
    def test_beyond_the_end_is_416(self, client, asked):
        answer = client.get(PATH, headers={"Range": f"bytes={asked}"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */256")

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,5-6", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=" + "9" * 99 + "-"]
    )
    def test_that_is_none_or_many_is_everything(self, client, asked):
        assert client.get(PATH, headers={"Range": asked}).content == CONTENT

    def test_of_another_version_is_everything(self, client):
        headers = {"Range": "bytes=0-9", "If-Range": '"other"'}
        assert client.get(PATH, headers=headers).status_code == 200
        headers["If-Range"] = client.get(PATH).headers["etag"]
        assert client.get(PATH, headers=headers).status_code == 206


class TestWhatIsNoPicture:
    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            f"/{OWNER}",
            f"/{OWNER}/",
            f"/{OWNER}/{DIGEST}",
            f"/{OWNER}/{DIGEST}/",
            f"/{OWNER}/{DIGEST}/original.jpg",
            f"/{OWNER}/{DIGEST}/400.svg",
            f"/{OWNER}/{DIGEST}/400.webp/",
            f"/{OWNER}/{DIGEST}/400.webp%00",
            f"/{OWNER}/{DIGEST}/..%2f400.webp",
            f"/{OWNER}/%2e%2e/{DIGEST}/400.webp",
            f"/{OWNER}/..%5c..%5csecret/400.webp",
            f"/..%2f..%2fsecret/{DIGEST}/400.webp",
            f"/{OWNER.upper()}/{DIGEST}/400.webp",
            f"/{OWNER}/{DIGEST}/4\u066000.webp",
            f"/{OWNER}/{DIGEST}/400.webp%0a",
        ],
    )
    def test_is_404(self, client, storage, path):
        storage.put("secret/400.webp", b"private")
        storage.put(f"profiles/{OWNER}/{DIGEST}/original.jpg", b"private")
        answer = client.get(f"/media/profiles{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")

    def test_is_405_for_writes(self, client):
        for method in ("PUT", "POST", "DELETE"):
            assert client.request(method, PATH).status_code == 405
