"""Hashes of other systems: what is let in, what is refused, and what matches."""

import base64
import time

import argon2
import bcrypt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cas_auth.credentials.imported_hashes import UnsupportedHash, check_hash
from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.domain.refusals import InvalidCredentials

# Test vectors of the reference server, and of Firebase's own documentation.
ARGON2I = "$argon2i$v=19$m=16,t=2,p=1$bGJRWThNOHJJTVBSdHl2dQ$NfEnUOuUpb7F2fQkgFUG4g"
ARGON2ID = "$argon2id$v=19$m=32,t=3,p=2$SFVpOWJ0eXhjRzVkdGN1RQ$RXnb8rh7LaDcn07xsssqqulZYXOM/EUCEFMVcAcyYVk"
FIREBASE = (
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0/c41v8xZnO1n14J3Mj"
    "Kj1b2g6AUCAlFwMw==$C0sHCg9ek77hsg==$zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM"
    "5tQaJP84+hfTw=="
)
FIREBASE_DOCUMENTED = (
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmY"
    "USDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo781"
    "98JAdRuid5lQ=="
)
BCRYPT = bcrypt.hashpw(b"correct horse battery", b"$2b$04$mjRtHMbDBlanoykJRi7nH.").decode()
FIREBASE_SAFE = FIREBASE.replace("+", "-").replace("/", "_")
SIXTEEN, SIXTY_FOUR = (base64.b64encode(b"x" * size).decode() for size in (16, 64))


def firebase(*, n=14, r=8, p=1, ss=",ss=Bw==", sk=SIXTY_FOUR, salt=SIXTEEN, digest=SIXTY_FOUR, v=1) -> str:
    return f"$fbscrypt$v={v},n={n},r={r},p={p}{ss},sk={sk}${salt}${digest}"


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return PasswordHasher(concurrency=2, waiting=2)


class TestMatching:
    @pytest.mark.parametrize(
        ("stored", "password"),
        [
            (ARGON2I, "test"),
            (ARGON2ID, "test"),
            (FIREBASE, "mytestpassword"),
            (FIREBASE_SAFE, "mytestpassword"),
            (FIREBASE_DOCUMENTED, "user1password"),
            (BCRYPT, "correct horse battery"),
            (BCRYPT.replace("$2b$", "$2a$"), "correct horse battery"),
            (BCRYPT.replace("$2b$", "$2y$"), "correct horse battery"),
        ],
    )
    def test_knows_the_password_of_every_scheme(self, hasher, stored, password):
        check_hash(stored)
        assert hasher.matches(password, stored)
        assert not hasher.matches(password + "1", stored)
        assert not hasher.matches("", stored)
        assert hasher.is_outdated(stored)

    def test_reads_no_more_of_a_password_than_bcrypt_can(self, hasher):
        whole = "x" * 72
        stored = bcrypt.hashpw(whole.encode(), bcrypt.gensalt(4)).decode()
        assert hasher.matches(whole, stored)
        assert not hasher.matches(whole + "y", stored)
        assert not hasher.matches(
            "é" * 36 + "y", bcrypt.hashpw("é".encode() * 36, bcrypt.gensalt(4)).decode()
        )

    def test_takes_salts_with_bits_that_mean_nothing(self, hasher):
        last = BCRYPT[28]
        odd = BCRYPT[:28] + {".": "C", "O": "a", "e": "f", "u": "9"}[last] + BCRYPT[29:]
        check_hash(odd)
        assert hasher.matches("correct horse battery", odd)
        assert not hasher.matches("wrong password", odd)

    def test_works_as_long_for_too_long_a_password(self, hasher):
        stored = bcrypt.hashpw(b"x", bcrypt.gensalt(10)).decode()

        def cost(password: str) -> float:
            started = time.thread_time()
            hasher.matches(password, stored)
            return time.thread_time() - started

        assert min(cost("y" * 500) for _ in range(3)) > min(cost("y") for _ in range(3)) / 3


class TestChecking:
    @pytest.mark.parametrize(
        "stored",
        [
            "",
            "secret",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$1$salt$digest",
            BCRYPT[:-1],
            BCRYPT + "x",
            BCRYPT + "\n",
            BCRYPT.replace("$2b$", "$2x$"),
            BCRYPT.replace("$04$", "$03$"),
            BCRYPT.replace("$04$", "$15$"),
            BCRYPT.replace("$04$", "$31$"),
            ARGON2ID.replace("argon2id", "argon2d"),
            ARGON2ID.replace("v=19", "v=16"),
            ARGON2ID.replace("m=32", "m=015"),
            ARGON2ID.replace("m=32", "m=15"),
            ARGON2ID.replace("m=32", "m=131073"),
            ARGON2ID.replace("m=32,t=3", "m=131072,t=9"),
            ARGON2ID.replace("t=3", "t=4000000000"),
            ARGON2ID.replace("p=2", "p=17"),
            ARGON2ID.replace("p=2", "p=2,keyid=abc"),
            ARGON2ID.replace("p=2", "p=2,data=abc"),
            ARGON2ID[:-1] + "l",
            ARGON2ID + "=",
            ARGON2ID.rpartition("$")[0] + "$",
            firebase(v=2),
            firebase(n=0),
            firebase(n=20),
            firebase(n=14, r=80),
            firebase(n=17, r=8, p=2),
            firebase(p=0),
            firebase(sk="no base64"),
            firebase(sk=SIXTEEN),
            firebase(salt="***"),
            firebase(digest=SIXTEEN),
            firebase(digest=""),
        ],
    )
    def test_refuses_what_is_malformed_foreign_or_too_dear(self, stored):
        with pytest.raises(UnsupportedHash):
            check_hash(stored)

    @pytest.mark.parametrize(
        "stored",
        [
            BCRYPT.replace("$04$", "$14$"),
            ARGON2ID.replace("m=32,t=3", "m=131072,t=8"),
            "$argon2id$v=19$m=65536,t=3,p=4$y9oAYqnNTi+NAk0qP5KhOQ$nq9bNeKqmzVmOlHw1tzEAlaJzvX57rQwsrc9VBwfau4",
            firebase(),
            firebase(ss=""),
            firebase(n=16, r=4),
        ],
    )
    def test_takes_what_other_systems_make(self, stored):
        check_hash(stored)

    @settings(max_examples=200, deadline=None)
    @given(st.text("abzAZ0129./$,=+-_ é", max_size=60), st.integers(0, 10), st.integers(0, 10))
    @example("", 3, 3)
    def test_lets_nothing_in_that_cannot_be_checked(self, hasher, text, start, length):
        for stored in (BCRYPT, ARGON2I, ARGON2ID, firebase(n=1, r=1)):
            at = start * len(stored) // 11
            mangled = stored[:at] + text + stored[at + length :]
            try:
                check_hash(mangled)
            except UnsupportedHash:
                continue
            assert hasher.matches("password", mangled) in {True, False}


class TestSignIn:
    @pytest.mark.parametrize(
        ("stored", "password"),
        [(BCRYPT, "correct horse battery"), (FIREBASE, "mytestpassword"), (ARGON2I, "test")],
    )
    def test_takes_an_imported_hash_and_makes_its_own(self, desk, ada, database, stored, password):
        desk.change(ada, password_hash=stored)
        with pytest.raises(InvalidCredentials):
            desk.sign_in(password="wrong password")
        assert desk.stored(ada).password_hash == stored
        assert desk.sign_in(password=password).user.id == ada.user.id
        renewed = desk.stored(ada).password_hash
        assert argon2.extract_parameters(renewed).memory_cost == 19_456
        assert desk.sign_in(password=password)
