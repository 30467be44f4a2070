"""The endpoints of users believe no token but our own."""

import jwt
import pytest

from cas_kit.testing.forger import ABSENT, Forger
from cas_kit.testing.forgeries import GOOD, GROUPS

# These speak of somebody who is no user of this service; all others prove nothing.
NOT_A_USER = {"sub empty", "sub word", "sub with more", "sub with a line break"}
SESSIONS = {
    "session missing": lambda f: f.token(session_id=ABSENT),
    "session null": lambda f: f.token(session_id=None),
    "session no UUID": lambda f: f.token(session_id="1"),
    "session list": lambda f: f.token(session_id=[f.claims["session_id"]]),
}
ALL = {**GROUPS, "sessions": SESSIONS}


@pytest.fixture
def forger(auth):
    """Has the real key of this service, and the claims of a real session."""
    session = auth.sign_up().json()
    keys = auth.service.app.state.dependencies.keys
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    return Forger(keys.current.private, keys.published()[0], claims, refresh_token=session["refresh_token"])


def ask(auth, token, *, method="GET", path="user"):
    headers = {"Authorization": f"Bearer {token}"}
    return auth.client.request(method, f"/auth/v1/{path}", headers=headers, json={})


@pytest.mark.parametrize("group", ALL)
def test_forged_tokens_are_refused(auth, forger, group):
    answers = {name: ask(auth, make(forger)) for name, make in ALL[group].items()}
    refusals = {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()}
    assert refusals == {name: (400 if name in NOT_A_USER else 403, "bad_jwt") for name in answers}
    unproven = "invalid JWT: unable to parse or verify signature"
    assert all(answers[name].json()["message"].startswith(unproven) for name in answers.keys() - NOT_A_USER)


def test_they_are_made_from_good_ones(auth, forger):
    assert {name: ask(auth, make(forger)).status_code for name, make in GOOD.items()} == dict.fromkeys(
        GOOD, 200
    )


def test_every_user_endpoint_demands_the_same(auth, forger):
    for method, path in (("GET", "user"), ("PUT", "user"), ("POST", "logout")):
        answer = ask(auth, forger.unsigned(alg="none"), method=method, path=path)
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_jwt")


def test_words_beyond_ascii_are_no_token(auth):
    answer = auth.client.get("/auth/v1/user", headers={"Authorization": b"Bearer " + "ünsinn".encode()})
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_jwt")
