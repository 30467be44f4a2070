"""The issuer's keys are fetched seldom, renewed in time, and kept through an outage."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from cas_kit.errors import Unauthenticated, Unavailable
from cas_kit.jwks import JwksCache
from cas_kit.testing import Issuer, JwksServer, until
from cas_kit.testing.issuer import AUDIENCE, ISSUER
from cas_kit.tokens import TokenVerifier

REAL = Issuer()


@pytest.fixture
def server():
    with JwksServer(REAL.jwk) as running:
        yield running


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def keys(server, clock):
    return JwksCache(server.url, monotonic=lambda: clock[0])


class TestJwksCache:
    def test_fetches_once_for_many_known_keys(self, keys, server):
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(keys.key, [REAL.kid] * 40))
        assert {key.key_id for key in found} == {REAL.kid}
        assert len(server.asked) == 1

    def test_verifies_tokens(self, keys):
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys)
        assert verifier.verify(REAL.token())
        with pytest.raises(Unauthenticated):
            verifier.verify(Issuer(kid="unknown").token())

    def test_asks_for_unknown_keys_once_in_a_hold_off(self, keys, server, clock):
        keys.key(REAL.kid)
        clock[0] += 5
        with ThreadPoolExecutor(8) as pool:
            assert not any(pool.map(keys.key, [f"forged-{n}" for n in range(40)]))
        assert len(server.asked) == 2
        clock[0] += 5
        assert keys.key("forged") is None
        assert len(server.asked) == 3

    def test_picks_up_a_new_key(self, keys, server, clock):
        keys.key(REAL.kid)
        server.publish(REAL.jwk, Issuer(kid="new").jwk)
        assert keys.key("new") is None, "within the hold-off"
        clock[0] += 5
        assert keys.key("new").key_id == "new"

    def test_lets_go_of_a_withdrawn_key(self, keys, server, clock):
        keys.key(REAL.kid)
        server.publish(Issuer(kid="new").jwk)
        clock[0] += 599
        assert keys.key(REAL.kid)
        clock[0] += 2
        assert keys.key(REAL.kid) is None

    @pytest.mark.parametrize("document", [{}, {"keys": []}, {"keys": None}, [], None, 1, {"keys": ["x", 1]}])
    @pytest.mark.parametrize("status", [200, 500])
    def test_keeps_its_keys_while_the_issuer_fails(self, keys, server, clock, document, status):
        keys.key(REAL.kid)
        server.document, server.status = document, status
        for _ in range(3):
            clock[0] += 601
            assert keys.key(REAL.kid)
        assert keys.key("other") is None
        assert len(server.asked) == 4

    def test_keeps_its_keys_while_the_issuer_is_away(self, keys, server, clock):
        keys.key(REAL.kid)
        server.close()
        clock[0] += 601
        assert keys.key(REAL.kid)

    def test_makes_nobody_wait_for_a_key_it_has(self, keys, server, clock):
        """One caller renews old keys; the others go on with them, however slow the issuer is."""
        keys.key(REAL.kid)
        clock[0] += 601
        server.answering.clear()
        with ThreadPoolExecutor(1) as pool:
            renewing = pool.submit(keys.key, REAL.kid)
            until(lambda: len(server.asked) == 2)
            assert keys.key(REAL.kid)
            assert not renewing.done()
            server.answering.set()
            assert renewing.result(10)

    def test_is_unavailable_when_it_never_had_keys(self, clock):
        keys = JwksCache("http://127.0.0.1:1/jwks.json", monotonic=lambda: clock[0])
        with pytest.raises(Unavailable):
            keys.key(REAL.kid)
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys)
        with pytest.raises(Unavailable):
            verifier.verify(REAL.token())

    def test_recovers_when_the_issuer_starts_late(self, keys, server, clock):
        server.status = 503
        with pytest.raises(Unavailable):
            keys.key(REAL.kid)
        server.status = 200
        clock[0] += 5
        assert keys.key(REAL.kid)

    def test_uses_only_keys_of_its_algorithm_that_have_an_id(self, keys, server):
        nameless = {name: value for name, value in Issuer().jwk.items() if name != "kid"}
        shared = {
            "kty": "oct",
            "k": base64.urlsafe_b64encode(b"secret").decode(),
            "kid": "shared",
            "alg": "HS256",
        }
        server.publish(nameless, shared, REAL.jwk)
        assert keys.key("shared") is None
        assert keys.key(REAL.kid)
