"""Files arrive in forms and bare, whole or not at all."""

import asyncio
import tracemalloc

import pytest
from fastapi import APIRouter, Request

from cas_kit import rest
from cas_kit.uploads import FILE_BYTES, read_files, upload_route

LIMIT = 1000
one = APIRouter(route_class=upload_route())
several = APIRouter(route_class=upload_route(most=3, limit=LIMIT))
JPEG = {"Content-Type": "image/jpeg"}
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=b"}


@one.post("/one")
async def read_one(request: Request):
    (file,) = await read_files(request)
    return rest.json_response({"name": file.name, "size": len(file.require())})


@several.post("/several")
async def read_several(request: Request):
    files = await read_files(request, fields=("files", "file"), most=3, limit=LIMIT)
    return rest.json_response(
        [{"name": file.name, "text": file.content.decode(), "large": file.is_too_large} for file in files]
    )


@pytest.fixture
def client(make_client):
    return make_client(one, several)


def part(content: bytes, *, name="file", filename="a.jpg", extra=b"") -> bytes:
    disposition = f'form-data; name="{name}"; filename="{filename}"'.encode()
    return b"--b\r\nContent-Disposition: " + disposition + b"\r\n" + extra + b"\r\n" + content + b"\r\n"


END = b"--b--\r\n"


class TestABareFile:
    @pytest.mark.parametrize("kind", ["image/jpeg", "IMAGE/PNG", "application/octet-stream", ""])
    def test_is_the_body(self, client, kind):
        answer = client.post("/one", content=b"abc", headers={"Content-Type": kind} if kind else {})
        assert answer.json() == {"name": "", "size": 3}

    @pytest.mark.parametrize("kind", ["text/html", "application/json", "application/x-www-form-urlencoded"])
    def test_of_another_kind_is_415_and_says_how_to_send_it(self, client, kind):
        answer = client.post("/one", content=b"abc", headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
        assert "multipart/form-data" in answer.json()["detail"]

    def test_may_have_exactly_the_limit(self, client):
        assert client.post("/one", content=bytes(FILE_BYTES), headers=JPEG).json()["size"] == 5 * 1024 * 1024

    def test_of_one_byte_more_is_413(self, client):
        answer = client.post("/one", content=bytes(FILE_BYTES + 1), headers=JPEG)
        assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")

    def test_that_is_empty_is_missing(self, client):
        answer = client.post("/one", content=b"", headers=JPEG)
        assert (answer.status_code, answer.json()["code"]) == (422, "file-missing")


class TestAForm:
    def test_has_its_files_in_order(self, client):
        files = [("files", ("a.jpg", b"first")), ("other", ("x", b"ignored")), ("file", ("b.png", b"second"))]
        assert client.post("/several", files=files, data={"note": "hello"}).json() == [
            {"name": "a.jpg", "text": "first", "large": False},
            {"name": "b.png", "text": "second", "large": False},
        ]

    def test_may_have_a_file_of_exactly_the_limit(self, client):
        file = {"file": ("a.jpg", bytes(FILE_BYTES), "image/jpeg")}
        assert client.post("/one", files=file).json() == {"name": "a.jpg", "size": FILE_BYTES}

    def test_with_a_file_of_one_byte_more_is_413(self, client):
        answer = client.post("/one", files={"file": ("a.jpg", bytes(FILE_BYTES + 1), "image/jpeg")})
        assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")

    def test_keeps_the_files_beside_one_that_is_too_large(self, client):
        files = [("files", ("a", b"x" * (LIMIT + 1))), ("files", ("b", b"y"))]
        found = client.post("/several", files=files).json()
        assert [(file["text"], file["large"]) for file in found] == [("", True), ("y", False)]

    def test_that_never_ends_is_413_before_it_does(self, make_app):
        """A client that sends on and on is told so after the limit, and cannot fill the memory."""
        sent, taken = [], 0

        async def endless():
            nonlocal taken
            taken += 1 << 20
            assert taken < 3 * FILE_BYTES
            start = part(b"")[:-2] if taken == 1 << 20 else b""
            return {"type": "http.request", "body": start + bytes(1 << 20), "more_body": True}

        async def record(message):
            sent.append(message)

        headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"host", b"localhost")]
        scope = {"type": "http", "method": "POST", "path": "/one", "headers": headers, "query_string": b""}
        app = make_app(one)
        tracemalloc.start()
        asyncio.run(app({**scope, "raw_path": b"/one", "root_path": "", "scheme": "http"}, endless, record))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sent[0]["status"] == 413
        assert peak < 4 * FILE_BYTES

    def test_with_too_many_files_is_422(self, client):
        answer = client.post("/several", content=part(b"x", name="files") * 4 + END, headers=BOUNDARY)
        assert (answer.status_code, answer.json()["code"]) == (422, "too-many-files")

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("cut in the content", part(b"x")[:-4]),
            ("cut before the end", part(b"x")),
            ("cut in a header", b"--b\r\nContent-Dispo"),
            ("of another boundary", part(b"x").replace(b"--b", b"--c") + END),
            ("empty", b""),
            ("not a form", b"hello"),
            ("with a header that is too long", part(b"x", extra=b"X: " + b"y" * 5000 + b"\r\n") + END),
            ("with too many headers", part(b"x", extra=b"X: y\r\n" * 20) + END),
            ("with too many fields", part(b"x", name="other") * 30 + END),
        ],
    )
    def test_that_cannot_be_read_is_400(self, client, name, body):
        answer = client.post("/one", content=body, headers=BOUNDARY)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-form")

    @pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "b" * 300])
    def test_without_a_boundary_that_can_be_one_is_400(self, client, boundary):
        kind = {"Content-Type": f"multipart/form-data{boundary}"}
        assert client.post("/one", content=part(b"x") + END, headers=kind).status_code == 400

    @pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "passwd"])
    def test_gives_a_name_without_folders(self, client, name):
        found = client.post("/one", content=part(b"x", filename=name) + END, headers=BOUNDARY)
        assert found.json()["name"] == "passwd"


def test_other_routes_keep_their_limit(make_client):
    plain = rest.router(tags=["plain"])

    @plain.post("/plain")
    def take(document: dict[str, str]):
        return rest.json_response(len(document))

    client = make_client(one, plain)
    answer = client.post("/plain", json={"a": "x" * (256 * 1024)})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
