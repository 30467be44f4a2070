"""What the list of trusted issuers may say, and whom their subjects mean."""

import json
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from cas_kit.issuers import Algorithm, Subjects, TrustedIssuer, check_issuers, local_user_id
from cas_kit.settings import ServiceSettings
from cas_kit.testing.issuer import AUDIENCE, ISSUER

PROJECT = "https://project.supabase.co/auth/v1"
SECRET = "a secret of at least thirty-two bytes"


def entry(**values):
    return TrustedIssuer(**{"issuer": PROJECT, "algorithm": "ES256", **values})


class TestTrustedIssuer:
    def test_has_its_keys_where_supabase_has_them(self):
        assert entry().keys_url == f"{PROJECT}/.well-known/jwks.json"
        assert entry(issuer=f"{PROJECT}/").keys_url == f"{PROJECT}/.well-known/jwks.json"
        assert entry(jwks_url="http://keys.example/all").keys_url == "http://keys.example/all"

    def test_speaks_for_users_of_its_own_unless_told(self):
        assert (entry().subjects, entry().audience) == (Subjects.DERIVED, "authenticated")

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"algorithm": "HS256"}, "needs a secret"),
            ({"algorithm": "HS256", "secret": SECRET[:31]}, "at least 32 bytes"),
            ({"algorithm": "HS256", "secret": SECRET, "jwks_url": PROJECT}, "no jwks_url"),
            ({"secret": SECRET}, "not from a secret"),
            ({"kid": "k"}, "not from a secret"),
            ({"algorithm": "RS256", "secret": SECRET}, "not from a secret"),
            ({"algorithm": "none"}, "'ES256', 'RS256' or 'HS256'"),
            ({"algorithm": "EdDSA"}, "'ES256', 'RS256' or 'HS256'"),
            ({"issuer": ""}, "at least 1 character"),
            ({"audience": ""}, "at least 1 character"),
            ({"jwks_url": "file:///etc/passwd"}, "pattern"),
            ({"subject": "same"}, "Extra inputs"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, values, reason):
        with pytest.raises(ValidationError, match=reason):
            entry(**values)

    def test_hides_its_secret(self):
        assert SECRET not in repr(entry(algorithm="HS256", secret=SECRET))


class TestCheckIssuers:
    def test_accepts_two_projects_and_one_that_leaves_its_secret(self):
        entries = [
            entry(),
            entry(algorithm="HS256", secret=SECRET),
            entry(issuer="https://other.example", algorithm="RS256", audience="web"),
            entry(issuer=ISSUER, algorithm="HS256", secret=SECRET, subjects="same"),
        ]
        check_issuers(entries, own=ISSUER, audience=AUDIENCE)

    @pytest.mark.parametrize(
        ("entries", "reason"),
        [
            ([entry(), entry(algorithm="RS256")], "two entries with keys"),
            ([entry(algorithm="HS256", secret=SECRET)] * 2, "two entries with a secret"),
            ([entry(), entry(algorithm="HS256", secret=SECRET, subjects="same")], "must agree on subjects"),
            ([entry(), entry(algorithm="HS256", secret=SECRET, audience="web")], "must agree on .* audience"),
            ([entry(issuer=ISSUER)], "our own issuer"),
            ([entry(issuer=ISSUER, algorithm="HS256", secret=SECRET)], "our own issuer"),
            (
                [entry(issuer=ISSUER, algorithm="HS256", secret=SECRET, subjects="same", audience="x")],
                "our own issuer",
            ),
        ],
    )
    def test_refuses_entries_that_contradict(self, entries, reason):
        with pytest.raises(ValueError, match=reason):
            check_issuers(entries, own=ISSUER, audience=AUDIENCE)


class TestSettings:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch):
        for name in ("REST_PORT", "GRPC_PORT"):
            monkeypatch.setenv(name, "1")
        monkeypatch.setenv("DATABASE_URL", "postgresql://")
        monkeypatch.setenv("REDIS_URL", "redis://")

    def test_read_a_json_list(self, monkeypatch):
        written = [{"issuer": PROJECT, "algorithm": "HS256", "secret": SECRET, "subjects": "same"}]
        monkeypatch.setenv("TRUSTED_ISSUERS", json.dumps(written))
        (trusted,) = ServiceSettings().trusted_issuers
        assert (trusted.issuer, trusted.algorithm) == (PROJECT, Algorithm.HS256)

    def test_trust_nobody_else_by_default(self):
        assert ServiceSettings().trusted_issuers == ()

    def test_refuse_contradictions(self, monkeypatch):
        monkeypatch.setenv("TRUSTED_ISSUERS", json.dumps([{"issuer": PROJECT, "algorithm": "ES256"}] * 2))
        with pytest.raises(ValidationError, match="two entries with keys"):
            ServiceSettings()


class TestLocalUserId:
    def test_is_the_subject_itself_where_users_have_the_same_ids(self):
        user_id = uuid4()
        assert local_user_id(str(user_id), issuer=PROJECT, subjects=Subjects.SAME) == user_id

    def test_is_derived_from_issuer_and_subject(self):
        """A stored value: profiles of these users would be lost if it changed."""
        derived = local_user_id("ada", issuer=PROJECT, subjects=Subjects.DERIVED)
        assert derived == UUID("8f5f58fb-865a-59da-b8f9-0c4d6efedebe")
        assert derived.version == 5

    def test_never_is_another_issuers_user(self):
        subject = str(uuid4())
        derived = {
            local_user_id(subject, issuer=issuer, subjects=Subjects.DERIVED)
            for issuer in (PROJECT, f"{PROJECT}/", PROJECT.upper(), ISSUER)
        }
        assert len(derived) == 4
        assert UUID(subject) not in derived

    @pytest.mark.parametrize("subject", [None, "", 7, ["ada"], "a" * 256, "\udcff"])
    @pytest.mark.parametrize("subjects", Subjects)
    def test_is_nobody_without_a_usable_subject(self, subject, subjects):
        with pytest.raises(ValueError, match=r"subject|UUID|surrogates"):
            local_user_id(subject, issuer=PROJECT, subjects=subjects)
