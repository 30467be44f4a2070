"""Nobody learns from an answer whether an address has an account."""

import statistics
import time

import pytest


def shape(value):
    """The value with everything that differs between any two users blanked."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__ if isinstance(value, str) else value


def headers(answer):
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


@pytest.fixture
def confirming(start):
    return start(email_auto_confirm=False)


class TestPasswordGrant:
    def test_answers_the_same_for_known_and_unknown(self, auth):
        auth.sign_up()
        known, unknown = auth.sign_in(password="wrong"), auth.sign_in("eve@example.com", "wrong")
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
        assert headers(known) == headers(unknown)

    def test_answers_the_same_for_an_unconfirmed_address(self, confirming):
        confirming.sign_up()
        known, unknown = confirming.sign_in(password="wrong"), confirming.sign_in("eve@example.com", "wrong")
        assert known.content == unknown.content

    def test_does_the_same_work(self, auth):
        auth.sign_up()

        def seconds(email):
            started = time.perf_counter()
            auth.sign_in(email, "wrong")
            return time.perf_counter() - started

        pairs = [(seconds("ada@example.com"), seconds("eve@example.com")) for _ in range(9)]
        known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
        # Without a hash the unknown address would answer in a small fraction of the time.
        assert 0.5 < unknown / known < 2


class TestSignUp:
    def test_answers_the_same_where_addresses_await_confirmation(self, confirming):
        """All but `identities`, by which clients of the protocol tell their user to sign in instead."""
        first, again = (confirming.sign_up(data={"full_name": "Ada"}) for _ in range(2))
        assert first.status_code == again.status_code == 200
        assert headers(first) == headers(again) | {"content-length": first.headers["content-length"]}
        new, fake = first.json(), again.json()
        assert len(new.pop("identities")) == 1
        assert fake.pop("identities") == []
        assert shape(new) == shape(fake)
        assert list(new) == list(fake)
        assert (new["email"], new["user_metadata"]) == (fake["email"], fake["user_metadata"])
        assert new["id"] != fake["id"]

    def test_never_answers_with_the_same_made_up_user(self, confirming):
        ids = [confirming.sign_up().json()["id"] for _ in range(3)]
        assert len(set(ids)) == 3

    def test_changes_nothing_of_the_known_account(self, confirming):
        confirming.sign_up(password="first password", data={"full_name": "Ada"})
        token = confirming.post("verify", {"type": "signup", "token_hash": confirming.letter().link_token})
        confirming.sign_up(password="other password", data={"full_name": "Eve"})
        assert confirming.sign_in(password="other password").json()["code"] == "invalid_credentials"
        assert confirming.sign_in(password="first password").status_code == 200
        assert token.json()["user"]["user_metadata"] == {"full_name": "Ada"}
