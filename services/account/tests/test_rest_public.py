"""What needs no token: taxonomy and health; and what every route needs."""

import gzip

import pytest

import cas_taxonomy

PUBLIC = {
    ("get", "/api/taxonomy"),
    ("get", "/api/health"),
    ("get", "/api/profiles/{profile_id}"),
    ("get", "/media/profiles/{owner}/{digest}/{name}"),
}
GOOD = {"200", "202"}
FILES = {"/media/profiles/{owner}/{digest}/{name}"}
UPLOADS = {"/api/account/avatar", "/api/account/cover", "/api/avatar/upload"}


class TestTaxonomy:
    def test_answers_every_list_with_the_version_of_the_data(self, client):
        answer = client.get("/api/taxonomy")
        assert answer.json() == cas_taxonomy.as_document()
        assert answer.headers["Cache-Control"] == "public, max-age=3600, stale-while-revalidate=86400"

    @pytest.mark.parametrize(
        "query", ["kind=subjects,levels", "kind=levels&kind=subjects", "kind=levels,%20subjects,"]
    )
    def test_answers_the_selected_lists(self, client, query):
        answer = client.get(f"/api/taxonomy?{query}")
        assert list(answer.json()["kinds"]) == ["subjects", "levels"]
        assert answer.json()["version"] == cas_taxonomy.version()

    def test_refuses_an_unknown_kind(self, client):
        answer = client.get("/api/taxonomy?kind=subjects,shoes")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "kind")

    @pytest.mark.parametrize("coding", ["identity", "gzip"])
    def test_is_not_sent_twice(self, client, coding):
        headers = {"Accept-Encoding": coding}
        tag = client.get("/api/taxonomy", headers=headers).headers["ETag"]
        answer = client.get("/api/taxonomy", headers={**headers, "If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        other = client.get("/api/taxonomy?kind=levels", headers={**headers, "If-None-Match": tag})
        assert other.status_code == 200

    @pytest.mark.parametrize(
        ("accepted", "coding"),
        [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("identity", None), ("", None)],
    )
    def test_is_compressed_for_who_takes_it(self, client, accepted, coding):
        with client.stream("GET", "/api/taxonomy", headers={"Accept-Encoding": accepted}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers.get("Content-Encoding") == coding
        assert answer.headers["Vary"] == "Accept-Encoding"
        plain = gzip.decompress(raw) if coding else raw
        assert plain == client.get("/api/taxonomy", headers={"Accept-Encoding": "identity"}).content

    def test_two_codings_have_two_tags(self, client):
        tags = {
            client.get("/api/taxonomy", headers={"Accept-Encoding": each}).headers["ETag"]
            for each in ("gzip", "identity")
        }
        assert len(tags) == 2

    def test_refuses_a_bad_token_but_needs_none(self, client, issuer):
        assert client.get("/api/taxonomy", headers={"Authorization": "Bearer x"}).status_code == 401
        assert client.get("/api/taxonomy", headers=issuer.bearer()).status_code == 200


class TestHealth:
    @pytest.mark.parametrize("path", ["/health", "/api/health"])
    def test_is_always_answered(self, patient, client, path):
        answer = client.get(path, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        report = answer.json()
        assert report["status"] == "ok"
        assert report["services"]["database"]["message"] == "Working normally."
        assert set(report["services"]) == {
            "auth",
            "account",
            "onboarding",
            "listings",
            "database",
            "redis",
            "storage",
            "worker",
            "neo4j",
        }


class TestEveryRoute:
    def test_demands_a_token_unless_it_is_public(self, app):
        operations = {
            (method, path): operation
            for path, methods in app.openapi()["paths"].items()
            for method, operation in methods.items()
        }
        assert {key for key, operation in operations.items() if "security" not in operation} == PUBLIC
        assert len(operations) == 19

    def test_documents_its_answers_and_bodies(self, app):
        paths = app.openapi()["paths"]
        for path in paths.keys() - FILES:
            for method, operation in paths[path].items():
                [success] = (each for status, each in operation["responses"].items() if status in GOOD)
                schema = success["content"]["application/json"]["schema"]
                assert schema["properties"], (method, path)
                if method in {"post", "patch"} and path not in UPLOADS:
                    body = operation["requestBody"]["content"]["application/json"]["schema"]
                    assert body["type"] == "object", (method, path)
