"""Somebody shows who they are: uploads a picture, changes it, takes it away, and is forgotten; others see it."""

import httpx
import pytest

from cas_kit.testing import until
from cas_kit.testing.photos import CANARY, GPS, drawn, photo, tagged


@pytest.fixture
def stranger(stack):
    """A browser without a session, on another site's page."""
    with httpx.Client(headers={"Origin": "https://elsewhere.example"}) as browser:
        yield browser


def is_gone(browser: httpx.Client, url: str) -> bool:
    return browser.get(url).status_code == 404


class TestAPicture:
    def test_is_uploaded_and_shown_to_everybody_until_it_is_removed(self, stack, ada, stranger):
        file = tagged(drawn(1200, 900), orientation=6, fields=GPS) + CANARY
        answer = ada.http.post("/api/account/avatar", files={"file": ("me.jpg", file, "image/jpeg")})
        assert answer.status_code == 200, answer.text
        uploaded = answer.json()
        assert uploaded["url"].startswith(f"{stack.url}/media/profiles/{ada.id}/")
        for url in uploaded["variants"].values():
            shown = stranger.get(url)
            assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/webp")
            assert shown.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert shown.headers["X-Content-Type-Options"] == "nosniff"
            assert shown.headers["Access-Control-Allow-Origin"] == "*"
            assert CANARY not in shown.content
        ours = stranger.get(uploaded["url"], headers={"Origin": "http://localhost:3000"})
        assert len(ours.headers.get_list("Access-Control-Allow-Origin")) == 1
        known = {"If-None-Match": shown.headers["ETag"]}
        assert stranger.get(uploaded["url"], headers=known).status_code == 304
        assert stranger.get(uploaded["url"], headers={"Range": "bytes=0-3"}).content == b"RIFF"

        profile = stranger.get(f"{stack.url}/api/profiles/{ada.id}").json()
        assert profile["avatar_url"] == uploaded["url"]

        again = ada.http.post("/api/profile", json=ada.get("/api/profile").json()).json()["user"]
        assert again["avatar_url"] == uploaded["url"]

        second = ada.http.post(
            "/api/avatar/upload",
            params={"filename": "me.png"},
            content=photo(".png", image=drawn(500, 500)),
            headers={"Content-Type": "image/png"},
        ).json()
        until(lambda: is_gone(stranger, uploaded["url"]))
        assert stranger.get(second["url"]).status_code == 200

        assert ada.http.delete("/api/account/avatar").json() == {"success": True}
        until(lambda: is_gone(stranger, second["url"]))
        assert stranger.get(f"{stack.url}/api/profiles/{ada.id}").json()["avatar_url"] == ""

    def test_of_just_under_five_megabytes_passes_the_gateway_and_a_larger_one_is_told_why(self, ada):
        file, limit = photo(image=drawn(800, 800)), 5 * 1024 * 1024
        full = file + bytes(limit - len(file))
        for field in ("avatar", "cover"):
            answer = ada.http.post(f"/api/account/{field}", files={"file": ("me.jpg", full, "image/jpeg")})
            assert answer.status_code == 200, answer.text
        for data in (full + b"\x00", full * 2):
            refused = ada.http.post("/api/account/avatar", files={"file": ("me.jpg", data, "image/jpeg")})
            assert (refused.status_code, refused.json()["code"]) == (413, "file-too-large")

    def test_goes_with_the_account(self, stack, ada, stranger):
        file = photo(image=drawn(500, 500))
        urls = [
            ada.http.post(f"/api/account/{kind}", files={"file": ("me.jpg", file, "image/jpeg")}).json()[
                "url"
            ]
            for kind in ("avatar", "cover")
        ]
        assert ada.http.request("DELETE", "/api/account", json={"confirm": "DELETE"}).status_code == 202
        for url in urls:
            until(lambda url=url: is_gone(stranger, url), within=30)
        assert stranger.get(f"{stack.url}/api/profiles/{ada.id}").status_code == 404

    def test_is_kept_through_a_crash_of_the_service(self, stack, ada, stranger):
        file = photo(image=drawn(500, 500))
        answer = ada.http.post("/api/account/avatar", files={"file": ("me.jpg", file, "image/jpeg")})
        stack.kill("account")
        stack.restart("account")
        until(lambda: stranger.get(answer.json()["url"]).status_code == 200)
        until(lambda: ada.get("/api/profile").status_code == 200)
        assert ada.get("/api/profile").json()["avatar_url"] == answer.json()["url"]
