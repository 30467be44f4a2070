"""Passwords, encryption, journeys to providers and refresh tokens."""

import base64
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from cas_auth.credentials.encryption import EncryptionKey, WrongEncryptionKey
from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.credentials.provider_states import PURPOSE, ProviderState
from cas_auth.credentials.refresh_tokens import RefreshToken, RefreshTokens
from cas_auth.domain.refusals import InvalidRequest, RefreshTokenNotFound
from cas_kit.errors import Unavailable
from cas_kit.testing import until


def encryption_key(byte: bytes = b"k") -> EncryptionKey:
    return EncryptionKey(SecretStr(base64.b64encode(byte * 32).decode()))


class TestPasswordHasher:
    hasher = PasswordHasher(concurrency=2, waiting=2)

    def test_makes_argon2id_of_the_documented_cost(self):
        parameters = argon2.extract_parameters(self.hasher.hash("secret"))
        assert (parameters.type, parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
            argon2.Type.ID, 19_456, 2, 1,
        )  # fmt: skip

    def test_tells_right_from_wrong(self):
        stored = self.hasher.hash("secret")
        assert self.hasher.matches("secret", stored)
        assert not self.hasher.matches("Secret", stored)

    def test_reads_all_of_a_long_password(self):
        stored = self.hasher.hash("x" * 1023 + "a")
        assert not self.hasher.matches("x" * 1023 + "b", stored)

    def test_takes_what_looks_the_same_for_the_same(self):
        composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
        assert self.hasher.matches(decomposed, self.hasher.hash(composed))
        assert self.hasher.matches(composed, self.hasher.hash(decomposed))

    def test_takes_the_spelling_a_foreign_hash_was_made_of(self):
        decomposed = "cafe\u0301 au lait"
        assert self.hasher.matches(decomposed, self.hasher._argon2.hash(decomposed))

    def test_matches_nothing_where_there_is_no_hash(self):
        assert not self.hasher.matches("secret", None)

    def test_knows_an_outdated_hash(self):
        old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("secret")
        assert self.hasher.is_outdated(old)
        assert not self.hasher.is_outdated(self.hasher.hash("secret"))

    def test_refuses_at_once_when_too_many_wait(self):
        hasher = PasswordHasher(concurrency=1, waiting=1)
        free = threading.Event()
        with ThreadPoolExecutor(2) as threads:
            running = threads.submit(hasher._run, free.wait, 10)
            waiting = threads.submit(hasher.hash, "secret")
            until(lambda: hasher._places._value == 0)
            with pytest.raises(Unavailable) as refusal:
                hasher.hash("secret")
            assert refusal.value.retry_after.total_seconds() == 1
            assert not waiting.done()
            free.set()
            assert running.result()
            assert waiting.result(timeout=10)
        assert hasher.hash("secret")

    def test_gives_its_place_back_when_something_breaks(self):
        hasher = PasswordHasher(concurrency=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                hasher._run(divmod, 1, 0)
        assert hasher.hash("secret")

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads a policy of their own")
    def test_lets_others_go_first(self):
        def policy():
            return os.sched_getscheduler(threading.get_native_id())

        assert self.hasher._run(policy) == os.SCHED_IDLE != policy()


class TestEncryptionKey:
    def test_derives_different_keys_for_different_purposes(self):
        key = encryption_key()
        assert len({key.derive("a"), key.derive("b"), encryption_key(b"j").derive("a")}) == 3
        assert key.derive("a") == encryption_key().derive("a")

    def test_reads_what_it_wrote(self):
        sealed = encryption_key().seal(b"secret", purpose="p", name="n")
        assert b"secret" not in sealed
        assert encryption_key().unseal(sealed, purpose="p", name="n") == b"secret"

    @pytest.mark.parametrize(
        ("key", "purpose", "name"), [(b"j", "p", "n"), (b"k", "q", "n"), (b"k", "p", "m")]
    )
    def test_reads_nothing_else(self, key, purpose, name):
        sealed = encryption_key().seal(b"secret", purpose="p", name="n")
        with pytest.raises(WrongEncryptionKey):
            encryption_key(key).unseal(sealed, purpose=purpose, name=name)

    @pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 40])
    def test_refuses_what_it_never_wrote(self, sealed):
        with pytest.raises(WrongEncryptionKey):
            encryption_key().unseal(sealed, purpose="p", name="n")


class TestProviderState:
    @pytest.mark.parametrize("linking_session_id", [None, UUID(int=1)], ids=["sign-in", "linking"])
    def test_is_read_as_it_was_sealed(self, linking_session_id):
        key, flow_id = encryption_key(), uuid4()
        state = ProviderState.new(browser_secret="secret", linking_session_id=linking_session_id)
        assert ProviderState.unseal(state.sealed(key, flow_id=flow_id), key, flow_id=flow_id) == state

    def test_of_a_sign_in_is_read_by_the_release_before(self):
        key, flow_id = encryption_key(), uuid4()
        sealed = ProviderState.new(browser_secret=None).sealed(key, flow_id=flow_id)
        fields = json.loads(key.unseal(sealed, purpose=PURPOSE, name=str(flow_id)))
        assert set(fields) == {"secret", "nonce", "code_verifier", "browser"}


class TestRefreshTokens:
    tokens = RefreshTokens(encryption_key())
    token = RefreshToken(UUID("6f1c1e1e-6d5c-4d51-9d58-5c1c3f5b2a10"), 7)

    @given(st.uuids(), st.integers(0, 2**63))
    def test_reads_what_it_wrote(self, session_id, counter):
        token = RefreshToken(session_id, counter)
        assert self.tokens.read(self.tokens.write(token)) == token

    def test_writes_the_same_text_again(self):
        assert self.tokens.write(self.token) == RefreshTokens(encryption_key()).write(self.token)

    def test_refuses_a_token_of_another_key(self):
        with pytest.raises(RefreshTokenNotFound):
            RefreshTokens(encryption_key(b"j")).read(self.tokens.write(self.token))

    def test_refuses_a_counter_or_session_that_was_changed(self):
        genuine = base64.urlsafe_b64decode(self.tokens.write(self.token) + "=")
        other_session = genuine[:1] + uuid4().bytes + genuine[17:]
        other_counter = genuine[:24] + b"\x08" + genuine[25:]
        for forged in (other_session, other_counter, genuine[:-16] + bytes(16)):
            with pytest.raises(RefreshTokenNotFound):
                self.tokens.read(base64.urlsafe_b64encode(forged).rstrip(b"=").decode())

    @pytest.mark.parametrize("mangle", [
        lambda text: "",
        lambda text: "abcdefghijkl",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "=",
        lambda text: " " + text,
        lambda text: text.replace(text[10], "*"),
        lambda text: "é" + text[1:],
        lambda text: text[:-1] + chr(ord(text[-1]) + 1),
        lambda text: "B" + text[1:],
    ])  # fmt: skip
    def test_refuses_what_has_another_form(self, mangle):
        with pytest.raises(InvalidRequest):
            self.tokens.read(mangle(self.tokens.write(self.token)))
