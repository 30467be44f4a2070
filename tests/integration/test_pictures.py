"""Somebody shows who they are, and others see it."""

import httpx

from cas_kit.testing.photos import drawn, photo


def test_a_picture_is_uploaded_shown_and_removed_again(ada):
    picture = photo(image=drawn(900, 700))
    answer = ada.http.post("/api/account/avatar", files={"file": ("me.jpg", picture, "image/jpeg")})
    assert answer.status_code == 200, answer.text
    assert ada.get("/api/profile").json()["avatar_url"] == answer.json()["url"]

    with httpx.Client(base_url=ada.http.base_url, timeout=15) as visitor:
        public = visitor.get(f"/api/profiles/{ada.id}").json()
        assert public["avatar_url"] == answer.json()["url"]
        shown = visitor.get(public["avatar_url"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert shown.headers["x-content-type-options"] == "nosniff"

        assert ada.http.delete("/api/account/avatar").status_code == 200
        assert ada.get("/api/profile").json()["avatar_url"] == ""


def test_the_gateway_lets_five_megabytes_through_and_not_many_more(ada):
    padded = photo() + bytes(5 * 1024 * 1024 - len(photo()))
    fits = ada.http.post("/api/account/cover", files={"file": ("me.jpg", padded)})
    assert fits.status_code == 200, fits.text
    too_large = ada.http.post("/api/account/cover", files={"file": ("me.jpg", padded * 2)})
    assert too_large.status_code == 413
