"""Only a token that the issuer signed, for us and for now, names a caller."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import pytest

from cas_kit.errors import Unauthenticated
from cas_kit.testing import Issuer
from cas_kit.testing.forgeries import FORGERIES, GOOD, SUBJECTS
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import LEEWAY, MAX_TOKEN_BYTES, REMEMBERED_FOR, SubjectNotAUser, TokenVerifier

REAL = Issuer()
# What no header can carry, but another caller of the verifier might.
UNSENDABLE = {
    "nothing": lambda token: "",
    "non-ASCII": lambda token: f"{token}é",
    "a surrogate": lambda token: f"{token}\udcff",
    "NUL": lambda token: f"{token}\0",
    "a line break": lambda token: f"{token}\n",
    "a leading line break": lambda token: f"\n{token}",
    "one character too many": lambda token: "a" * (MAX_TOKEN_BYTES + 1),
}


@pytest.fixture
def verifier():
    return TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=REAL)


@pytest.fixture
def issuer():
    return REAL


class TestVerify:
    @pytest.mark.parametrize("name", FORGERIES)
    def test_refuses_forged(self, verifier, forger, name):
        token = FORGERIES[name](forger)
        with pytest.raises(Unauthenticated):
            verifier.verify(token)
        assert verifier.remembered(token) is None

    @pytest.mark.parametrize("name", UNSENDABLE)
    def test_refuses_what_no_header_can_carry(self, verifier, name):
        token = UNSENDABLE[name](REAL.token())
        with pytest.raises(Unauthenticated):
            verifier.verify(token)
        assert verifier.remembered(token) is None

    @pytest.mark.parametrize("name", GOOD)
    def test_accepts_what_they_are_made_from(self, verifier, forger, name):
        """Or else the refusals above would prove nothing."""
        assert verifier.verify(GOOD[name](forger))

    def test_there_are_enough_of_them(self):
        assert len(FORGERIES) > 150

    @pytest.mark.parametrize("name", ["sub empty", "sub word", "sub with more"])
    def test_tells_a_foreign_subject_from_a_bad_token(self, verifier, forger, name):
        with pytest.raises(SubjectNotAUser):
            verifier.verify(SUBJECTS[name](forger))
        with pytest.raises(Unauthenticated) as refusal:
            verifier.verify(REAL.token(sub=None))
        assert not isinstance(refusal.value, SubjectNotAUser)

    def test_tells_who_is_calling(self, verifier):
        user_id, session_id = uuid4(), str(uuid4())
        token = REAL.token(user_id, session_id=session_id, role="authenticated")
        principal = verifier.verify(token)
        assert (principal.user_id, principal.session_id) == (user_id, session_id)
        assert principal.claims["role"] == "authenticated"
        assert principal.digest == hashlib.sha256(token.encode()).digest()

    @pytest.mark.parametrize("session_id", [None, ""])
    def test_has_no_session_when_the_token_names_none(self, verifier, session_id):
        assert verifier.verify(REAL.token(session_id=session_id)).session_id == ""

    @pytest.mark.parametrize(("claim", "offset"), [("exp", -10), ("nbf", 20), ("iat", 20)])
    def test_forgives_small_differences_between_clocks(self, verifier, claim, offset):
        assert verifier.verify(REAL.token(**{claim: int(time.time()) + offset}))


class TestRemembered:
    def test_only_after_verification(self, verifier):
        token = REAL.token()
        assert verifier.remembered(token) is None
        principal = verifier.verify(token)
        assert verifier.remembered(token) is principal
        assert verifier.verify(token) is principal

    def test_until_the_token_expires(self):
        clock = [time.time()]
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=REAL, now=lambda: clock[0])
        expires_at = int(clock[0]) + 60
        token = REAL.token(exp=expires_at)
        verifier.verify(token)
        clock[0] = expires_at + LEEWAY.total_seconds() - 1
        assert verifier.remembered(token)
        clock[0] = expires_at + LEEWAY.total_seconds()
        assert verifier.remembered(token) is None

    def test_no_longer_than_a_withdrawn_key_may_count(self):
        clock = [time.time()]
        keys = {REAL.kid: REAL.key(REAL.kid)}
        verifier = TokenVerifier(
            issuer=ISSUER, audience=AUDIENCE, keys=SimpleNamespace(key=keys.get), now=lambda: clock[0]
        )
        token = REAL.token(exp=int(clock[0]) + 86_400)
        assert verifier.verify(token)
        keys.clear()
        clock[0] += REMEMBERED_FOR.total_seconds() - 1
        assert verifier.remembered(token)
        clock[0] += 1
        assert verifier.remembered(token) is None
        with pytest.raises(Unauthenticated):
            verifier.verify(token)

    def test_not_at_all_when_told_to_forget(self, verifier):
        token = REAL.token()
        verifier.verify(token)
        verifier.forget()
        assert verifier.remembered(token) is None
        assert verifier.verify(token)

    def test_forgets_the_oldest_when_there_are_too_many(self, verifier, monkeypatch):
        monkeypatch.setattr("cas_kit.tokens.CACHED_TOKENS", 2)
        tokens = [REAL.token() for _ in range(3)]
        for token in tokens:
            verifier.verify(token)
        assert [verifier.remembered(token) is not None for token in tokens] == [False, True, True]

    def test_serves_many_threads(self, verifier):
        users = {REAL.token(user_id): user_id for user_id in (uuid4() for _ in range(8))}
        with ThreadPoolExecutor(8) as pool:
            tokens = list(users) * 25
            principals = list(pool.map(verifier.verify, tokens))
        assert [principal.user_id for principal in principals] == [users[token] for token in tokens]
