"""The keys that sign access tokens: their life, and what is stored, published and said of them."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr
from sqlalchemy import text

from cas_auth.credentials.encryption import EncryptionKey, WrongEncryptionKey
from cas_auth.credentials.foreign_keys import UnreadableKey, read_private_key, read_secret
from cas_auth.credentials.keys import PURPOSE, KeyRing, SigningKey
from cas_auth.domain.audit import AuditAction
from cas_auth.domain.keys import PUBLISHED_AHEAD, PUBLISHED_AT_HOME, KeyState, verifies_until
from cas_auth.domain.refusals import (
    CurrentKeyInUse,
    KeyAlreadyKnown,
    SecretAlreadyKnown,
    SigningKeyNotFound,
    StandbyKeyTooYoung,
)
from cas_auth.operations import key_changes
from cas_auth.operations.signing_keys import issue_service_token, load_signing_keys, reload_signing_keys
from cas_kit.errors import Unauthenticated
from cas_kit.issuers import Algorithm
from cas_kit.testing.plugin import empty_tables
from cas_kit.tokens import TokenVerifier

SECRET = "a secret that this installation shared with its services"
MINUTE = timedelta(minutes=1)
LIFETIME = timedelta(hours=1)


def encryption_key(byte=b"k"):
    return EncryptionKey(SecretStr(base64.b64encode(byte * 32).decode()))


def shared(secret=SECRET, state=KeyState.PREVIOUS):
    return SigningKey.of_secret(SecretStr(secret), state=state, encryption_key=encryption_key())


def pem(key, encryption=NoEncryption()):  # noqa: B008  a value
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def keys(desk):
    return Keys(desk)


class Keys:
    """The keys of an installation, and what its administrator does with them."""

    def __init__(self, desk):
        self.desk = desk
        self.tools = desk.tools
        self.ring = desk.tools.issuer.keys
        self.now = desk.now

    def rotate(self, *, after=None, force=False, algorithm=None):
        """Rotate; forced, as soon as our own services may know the standby key."""
        self.now += after or (PUBLISHED_AT_HOME if force else timedelta(0))
        rotation = key_changes.rotate_signing_keys(
            self.desk.database,
            self.tools,
            algorithm=algorithm,
            published_for=PUBLISHED_AT_HOME if force else PUBLISHED_AHEAD,
            origin=self.desk.origin,
            now=self.now,
        )
        self.reload()
        return rotation

    def add(self, key):
        key_changes.import_signing_key(
            self.desk.database, self.tools, key=key, origin=self.desk.origin, now=self.now
        )
        self.reload()

    def revoke(self, kid):
        key_changes.revoke_signing_key(
            self.desk.database, self.tools, kid=kid, origin=self.desk.origin, now=self.now
        )
        self.reload()

    def reload(self):
        return reload_signing_keys(
            self.desk.database, keys=self.ring, encryption_key=self.tools.encryption_key
        )

    @property
    def listed(self):
        return {key.kid: key.state for key in key_changes.list_signing_keys(self.desk.database)}

    def kids(self, state):
        return {kid for kid, found in self.listed.items() if found is state}

    @property
    def published(self):
        return {jwk["kid"] for jwk in self.ring.published()}


class TestLife:
    def test_ends_when_its_last_token_has(self, desk):
        until = verifies_until(desk.now, token_lifetime=LIFETIME, needed_until=None)
        assert until == desk.now + LIFETIME + 15 * MINUTE
        longer = verifies_until(desk.now, token_lifetime=LIFETIME, needed_until=desk.now + 3 * LIFETIME)
        assert longer == desk.now + 3 * LIFETIME + 15 * MINUTE
        assert verifies_until(desk.now, token_lifetime=LIFETIME, needed_until=desk.now) == until


class TestSigningKey:
    @pytest.mark.parametrize(
        ("algorithm", "members"),
        [(Algorithm.ES256, {"kty", "crv", "x", "y"}), (Algorithm.RS256, {"kty", "n", "e"})],
    )
    def test_publishes_only_the_public_half(self, algorithm, members):
        key = SigningKey.generate(algorithm)
        assert set(key.public_jwk) == members | {"kid", "alg", "use", "key_ops"}
        assert (key.public_jwk["kid"], key.public_jwk["alg"]) == (key.kid, algorithm)
        assert (key.public_jwk["use"], key.public_jwk["key_ops"]) == ("sig", ["verify"])

    def test_is_named_by_its_thumbprint(self):
        jwk = SigningKey.generate().public_jwk
        canonical = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'  # RFC 7638 section 3
        assert base64.urlsafe_b64decode(jwk["kid"] + "=") == sha256(canonical.encode()).digest()

    def test_of_rsa_is_named_like_the_example_of_the_standard(self):
        modulus = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
            "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
            "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
            "kEgU8awapJzKnqDKgw"
        )
        public = RSAAlgorithm.from_jwk(json.dumps({"kty": "RSA", "n": modulus, "e": "AQAB"}))

        class OnlyPublic:
            def public_key(self):
                return public

        assert SigningKey.of(OnlyPublic(), state=KeyState.PREVIOUS).kid == (
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"  # RFC 7638 section 3.1
        )

    def test_of_a_secret_is_never_published_and_not_named_by_it(self):
        key = shared()
        assert key.public_jwk is None
        assert key.kid == shared().kid
        assert len({key.kid, shared("another secret, also of thirty-two bytes").kid}) == 2
        assert base64.urlsafe_b64decode(key.kid + "=") != sha256(SECRET.encode()).digest()

    def test_cannot_choose_a_secret(self):
        with pytest.raises(ValueError, match="HS256"):
            SigningKey.generate(Algorithm.HS256)

    @pytest.mark.parametrize("algorithm", list(Algorithm))
    def test_survives_the_database(self, algorithm):
        key = shared() if algorithm is Algorithm.HS256 else SigningKey.generate(algorithm)
        sealed = key.sealed(encryption_key())
        known = {"kid": key.kid, "algorithm": algorithm, "state": key.state}
        again = SigningKey.unseal(sealed, **known, encryption_key=encryption_key())
        assert (again.kid, again.algorithm, again.public_jwk) == (key.kid, algorithm, key.public_jwk)
        token = jwt.encode({"sub": "ada"}, again.signer, algorithm=algorithm)
        verifying = SECRET if algorithm is Algorithm.HS256 else key.private.public_key()
        assert jwt.decode(token, verifying, [algorithm]) == {"sub": "ada"}
        with pytest.raises(WrongEncryptionKey):
            SigningKey.unseal(sealed, **known, encryption_key=encryption_key(b"j"))

    def test_tells_nothing_when_it_is_printed(self):
        assert SECRET not in repr(shared())
        assert "private" not in repr(SigningKey.generate())

    def test_refuses_a_key_of_another_kind(self):
        der = ed25519.Ed25519PrivateKey.generate().private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )
        sealed = encryption_key().seal(der, purpose=PURPOSE, name="kid")
        with pytest.raises(TypeError):
            SigningKey.unseal(
                sealed,
                kid="kid",
                algorithm=Algorithm.ES256,
                state=KeyState.CURRENT,
                encryption_key=encryption_key(),
            )


class TestKeyRing:
    def test_signs_with_the_current_key_and_publishes_all_but_secrets(self):
        current, previous = SigningKey.generate(), SigningKey.generate(state=KeyState.PREVIOUS)
        ring = KeyRing()
        ring.replace([previous, shared(), current])
        assert ring.current is current
        assert ring.published() == [previous.public_jwk, current.public_jwk]
        assert ring.key(previous.kid) is not None
        assert ring.key(shared().kid) is None
        assert ring.secret() is not None
        assert ring.key("another") is None

    def test_is_empty_before_it_was_loaded(self):
        ring = KeyRing()
        assert (ring.published(), ring.secret(), ring.key("kid")) == ([], None, None)


class TestForeignKeys:
    def read(self, content, **options):
        return read_private_key(content, state=KeyState.PREVIOUS, **options)

    def test_are_pem_files(self, rsa_key):
        elliptic = ec.generate_private_key(ec.SECP256R1())
        assert self.read(pem(elliptic)).kid == SigningKey.of(elliptic, state=KeyState.PREVIOUS).kid
        assert self.read("\n" + pem(rsa_key), kid="2024-01").algorithm is Algorithm.RS256
        assert self.read(pem(rsa_key), kid="2024-01").kid == "2024-01"

    def test_are_jwks_which_may_have_a_name(self, rsa_key):
        elliptic = ec.generate_private_key(ec.SECP256R1())
        jwk = ECAlgorithm.to_jwk(elliptic, as_dict=True)
        assert self.read(json.dumps(jwk)).algorithm is Algorithm.ES256
        assert self.read(json.dumps({**jwk, "kid": "theirs", "key_ops": ["sign"]})).kid == "theirs"
        assert self.read(json.dumps({**jwk, "kid": "theirs"}), kid="ours").kid == "ours"
        assert self.read(RSAAlgorithm.to_jwk(rsa_key)).algorithm is Algorithm.RS256

    @pytest.mark.parametrize("kid", ["", " ", "a b", "é", "x" * 201, "a\nb"])
    def test_have_a_name_that_tokens_can_carry(self, kid):
        jwk = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
        with pytest.raises(UnreadableKey, match="key id"):
            self.read(json.dumps({**jwk, "kid": kid}))

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda rsa_key: "", "neither"),
            (lambda rsa_key: "{", "not a JWK"),
            (lambda rsa_key: '{"kty": "EC"}', "not a JWK"),
            (lambda rsa_key: '["EC"]', "neither"),
            (lambda rsa_key: json.dumps({"kty": "oct", "k": "YWJj" * 20}), "HS256 cannot sign here"),
            (lambda rsa_key: json.dumps({"kty": "oct", "alg": "RS256", "k": "YWJj" * 20}), "not a JWK"),
            (lambda rsa_key: pem(rsa_key, BestAvailableEncryption(b"x")), "decrypt it first"),
            (lambda rsa_key: pem(ed25519.Ed25519PrivateKey.generate()), "only private keys"),
            (lambda rsa_key: pem(ec.generate_private_key(ec.SECP384R1())), "only private keys"),
            (lambda rsa_key: pem(rsa.generate_private_key(65537, 1024)), "2048 bits or more"),
            (lambda rsa_key: RSAAlgorithm.to_jwk(rsa_key.public_key()), "only private keys"),
            (lambda rsa_key: json.dumps({**json.loads(RSAAlgorithm.to_jwk(rsa_key)), "alg": "RS512"}), "RS512"),
        ],
    )  # fmt: skip
    def test_are_refused_where_they_cannot_sign(self, rsa_key, make, reason):
        with pytest.raises(UnreadableKey, match=reason):
            self.read(make(rsa_key))

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_are_secrets_without_the_line_break_at_their_end(self, end):
        key = read_secret(SECRET + end, state=KeyState.PREVIOUS, encryption_key=encryption_key())
        assert key.signer == SECRET.encode()

    def test_are_no_short_secrets(self):
        with pytest.raises(UnreadableKey, match="32 bytes"):
            read_secret("x" * 31 + "\n", state=KeyState.PREVIOUS, encryption_key=encryption_key())


class TestLoadSigningKeys:
    def load(self, desk, now=None):
        ring = KeyRing()
        load_signing_keys(
            desk.database, keys=ring, encryption_key=desk.tools.encryption_key, now=now or desk.now
        )
        return ring

    def test_makes_one_that_signs_and_one_that_will_and_publishes_both(self, desk, keys):
        assert sorted(keys.listed.values()) == [KeyState.CURRENT, KeyState.STANDBY]
        assert keys.published == set(keys.listed)

    def test_finds_them_again(self, desk, keys):
        assert self.load(desk).states == keys.listed

    def test_makes_the_standby_key_an_older_release_did_not(self, desk, keys, database):
        with database.transaction() as session:
            session.execute(text("DELETE FROM signing_keys WHERE state = 'standby'"))
        ring = self.load(desk, desk.now + MINUTE)
        assert ring.current.kid == keys.ring.current.kid
        assert sorted(ring.states.values()) == [KeyState.CURRENT, KeyState.STANDBY]

    def test_refuses_another_encryption_key(self, desk):
        with pytest.raises(WrongEncryptionKey):
            load_signing_keys(
                desk.database, keys=KeyRing(), encryption_key=encryption_key(b"j"), now=desk.now
            )

    def test_in_several_processes_at_once_makes_them_once(self, desk, keys):
        empty_tables(desk.database)
        gate = threading.Barrier(8)

        def start(_):
            gate.wait()
            return self.load(desk).states

        with ThreadPoolExecutor(8) as threads:
            seen = list(threads.map(start, range(8)))
        assert seen == [keys.listed] * 8


class TestStorage:
    def test_holds_no_private_byte(self, keys, rsa_key, database):
        """Not a private number, a secret or a file of one, in any column, in any usual notation."""
        keys.add(SigningKey.of(rsa_key, state=KeyState.PREVIOUS))
        keys.add(shared())
        with database.transaction() as session:
            rows = session.execute(text("SELECT to_jsonb(signing_keys)::text AS whole, * FROM signing_keys"))
            stored = b"\n".join(
                bytes(value) if isinstance(value, bytes) else str(value).encode()
                for row in rows
                for value in row
            )
        for secret in self.secrets_of(keys.ring):
            for written in (
                secret,
                secret.hex().encode(),
                base64.b64encode(secret),
                base64.urlsafe_b64encode(secret),
            ):
                assert written.rstrip(b"=") not in stored
        assert all(kid.encode() in stored for kid in keys.listed)

    def secrets_of(self, ring):
        for key in ring._held.keys:
            if key.algorithm is Algorithm.HS256:
                yield SECRET.encode()
                continue
            yield key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            numbers = key.private.private_numbers()
            if key.algorithm is Algorithm.ES256:
                yield numbers.private_value.to_bytes(32)
            else:
                yield from (number.to_bytes(128) for number in (numbers.p, numbers.q))
                yield numbers.d.to_bytes(256)


class TestRotate:
    def test_moves_every_key_one_state_on(self, keys):
        [first], [second] = keys.kids(KeyState.CURRENT), keys.kids(KeyState.STANDBY)
        rotation = keys.rotate(after=20 * MINUTE)
        assert (rotation.current, rotation.previous, rotation.dropped) == (second, first, ())
        assert keys.listed == {
            first: KeyState.PREVIOUS,
            second: KeyState.CURRENT,
            rotation.standby: KeyState.STANDBY,
        }
        assert keys.published == {first, second, rotation.standby}
        assert keys.ring.current.kid == second

    def test_refuses_a_standby_key_not_everybody_knows(self, keys):
        with pytest.raises(
            StandbyKeyTooYoung, match=r"from 2026-03-01 12:20:00 UTC, or almost at once with --force"
        ):
            keys.rotate(after=20 * MINUTE - timedelta(seconds=1))
        keys.rotate(after=timedelta(seconds=1))
        with pytest.raises(StandbyKeyTooYoung):
            keys.rotate(after=19 * MINUTE)

    def test_refuses_a_standby_key_our_own_services_cannot_know_even_when_forced(self, keys):
        keys.rotate(force=True)
        with pytest.raises(StandbyKeyTooYoung):
            keys.rotate(force=True, after=timedelta(seconds=14))
        keys.rotate(force=True, after=timedelta(seconds=1))

    def test_drops_keys_whose_last_token_has_expired(self, keys):
        [first] = keys.kids(KeyState.CURRENT)
        keys.rotate(after=20 * MINUTE)
        assert keys.rotate(after=LIFETIME + 15 * MINUTE).dropped == ()
        [second] = keys.kids(KeyState.PREVIOUS) - {first}
        assert keys.rotate(force=True).dropped == (first,)
        assert first not in keys.published
        assert second in keys.published

    def test_keeps_a_key_as_long_as_a_token_for_programs_needs_it(self, desk, keys):
        [first] = keys.kids(KeyState.CURRENT)
        for days in (30, 1):
            token = issue_service_token(
                desk.database, keys.tools, role="service_role", lifetime=timedelta(days=days), now=keys.now
            )
        assert jwt.get_unverified_header(token)["kid"] == first
        keys.rotate(after=20 * MINUTE)
        assert keys.rotate(after=timedelta(days=29)).dropped == ()
        assert keys.rotate(after=timedelta(days=2)).dropped[0] == first

    def test_changes_the_algorithm_in_two_steps(self, keys):
        keys.rotate(force=True, algorithm=Algorithm.RS256)
        assert keys.ring.current.algorithm is Algorithm.ES256
        keys.rotate(force=True)
        assert keys.ring.current.algorithm is Algorithm.RS256
        keys.rotate(force=True, algorithm=Algorithm.ES256)
        assert keys.ring.current.algorithm is Algorithm.RS256
        keys.rotate(force=True)
        assert keys.ring.current.algorithm is Algorithm.ES256

    def test_is_on_record(self, keys, audit):
        rotation = keys.rotate(force=True)
        entry = audit()[-1]
        assert (entry.action, entry.actor_id) == (AuditAction.KEYS_ROTATED, None)
        assert entry.traits == {"change": "rotated", "kid": rotation.current}

    def test_by_eight_administrators_at_once_is_one_rotation(self, desk, keys):
        def rotate(_):
            try:
                return Keys(desk).rotate(force=True)
            except StandbyKeyTooYoung:
                return None

        with ThreadPoolExecutor(8) as threads:
            rotations = list(threads.map(rotate, range(8)))
        assert rotations.count(None) == 7
        assert sorted(keys.listed.values()) == [KeyState.CURRENT, KeyState.PREVIOUS, KeyState.STANDBY]

    def test_leaves_tokens_of_the_key_before_good(self, desk, keys, settings):
        verifier = TokenVerifier(
            issuer=settings.issuer,
            audience=settings.audience,
            keys=keys.ring,
            now=desk.now.timestamp,
        )
        # PyJWT reads the clock itself.
        claims = {**desk.sign_up().claims, "exp": 4_000_000_000, "iat": 0, "nbf": 0}
        tokens = [keys.tools.issuer.sign(claims)]
        for algorithm in (Algorithm.RS256, Algorithm.ES256, None):
            keys.rotate(force=True, algorithm=algorithm)
            tokens.append(keys.tools.issuer.sign(claims))
        assert len({jwt.get_unverified_header(token)["alg"] for token in tokens}) == 2
        assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 4
        assert {str(verifier.verify(token).user_id) for token in tokens} == {claims["sub"]}


class TestReload:
    def test_says_whether_a_key_was_withdrawn(self, desk, keys):
        elsewhere = KeyRing()
        load_signing_keys(
            desk.database, keys=elsewhere, encryption_key=keys.tools.encryption_key, now=desk.now
        )
        first = elsewhere.current.kid

        def reload():
            return reload_signing_keys(
                desk.database, keys=elsewhere, encryption_key=keys.tools.encryption_key
            )

        assert not reload()
        keys.rotate(force=True)
        assert not reload()
        assert elsewhere.states == keys.listed
        keys.revoke(first)
        assert reload()
        assert elsewhere.key(first) is None


class TestImport:
    def test_of_a_previous_key_lets_its_tokens_in(self, keys, rsa_key):
        key = SigningKey.of(rsa_key, state=KeyState.PREVIOUS, kid="theirs")
        keys.add(key)
        assert keys.ring.key("theirs") is not None
        assert "theirs" in keys.published
        assert keys.listed["theirs"] is KeyState.PREVIOUS

    def test_of_a_current_key_signs_at_once(self, keys, rsa_key):
        before = keys.ring.current.kid
        keys.add(SigningKey.of(rsa_key, state=KeyState.CURRENT, kid="theirs"))
        assert keys.ring.current.kid == "theirs"
        assert keys.listed[before] is KeyState.PREVIOUS

    def test_of_a_standby_key_replaces_the_one_that_never_signed(self, keys, rsa_key):
        [before] = keys.kids(KeyState.STANDBY)
        keys.add(SigningKey.of(rsa_key, state=KeyState.STANDBY, kid="theirs"))
        assert keys.kids(KeyState.STANDBY) == {"theirs"}
        assert before not in keys.listed
        assert keys.rotate(after=20 * MINUTE).current == "theirs"
        assert keys.ring.current.algorithm is Algorithm.RS256

    def test_refuses_a_name_that_is_taken_and_a_second_secret(self, keys, rsa_key):
        with pytest.raises(KeyAlreadyKnown):
            keys.add(SigningKey.of(rsa_key, state=KeyState.PREVIOUS, kid=keys.ring.current.kid))
        keys.add(shared())
        with pytest.raises(SecretAlreadyKnown):
            keys.add(shared("another secret, also of thirty-two bytes"))
        with pytest.raises(KeyAlreadyKnown):
            keys.add(shared())

    def test_is_on_record(self, keys, audit):
        keys.add(shared())
        assert audit()[-1].traits == {"change": "imported", "kid": shared().kid}


class TestSecret:
    @pytest.fixture
    def verifier(self, keys, settings):
        return TokenVerifier(
            issuer=settings.issuer, audience=settings.audience, keys=keys.ring, secret=keys.ring.secret
        )

    def token(self, desk, **header):
        claims = {
            **desk.sign_up(f"{len(header)}@example.com").claims,
            "exp": 4_000_000_000,
            "iat": 0,
            "nbf": 0,
        }
        return jwt.encode(claims, SECRET, "HS256", headers=header)

    def test_verifies_tokens_with_any_name_or_none(self, desk, keys, verifier):
        tokens = [
            self.token(desk),
            self.token(desk, kid="theirs"),
            self.token(desk, kid=keys.ring.current.kid, a=1),
        ]
        for token in tokens:
            with pytest.raises(Unauthenticated):
                verifier.verify(token)
        keys.add(shared())
        assert all(verifier.verify(token) for token in tokens)
        assert shared().kid not in keys.published

    def test_signs_where_asked_and_makes_room_for_keys_that_can_be_published(self, desk, keys, verifier):
        keys.add(shared(state=KeyState.CURRENT))
        claims = {**desk.sign_up().claims, "exp": 4_000_000_000, "iat": 0, "nbf": 0}
        token = keys.tools.issuer.sign(claims)
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": shared().kid}
        assert jwt.decode(token, SECRET, ["HS256"], audience="authenticated")
        keys.rotate(after=20 * MINUTE)
        assert keys.ring.current.algorithm is Algorithm.ES256
        assert verifier.verify(token)
        keys.rotate(after=LIFETIME + 16 * MINUTE)
        assert keys.ring.secret() is None

    def test_verifies_nothing_else(self, desk, keys, verifier):
        keys.add(shared())
        claims = {**desk.sign_up().claims, "exp": 4_000_000_000, "iat": 0, "nbf": 0}
        foreign = jwt.encode(claims, "another secret, also of thirty-two bytes", "HS256")
        longer = jwt.encode(claims, SECRET * 2, "HS512")
        for token in (foreign, longer):
            with pytest.raises(Unauthenticated):
                verifier.verify(token)


class TestRevoke:
    def test_withdraws_a_previous_key(self, keys, audit):
        first = keys.rotate(force=True).previous
        keys.revoke(first)
        assert first not in keys.published
        assert audit()[-1].traits == {"change": "revoked", "kid": first}

    def test_replaces_a_standby_key(self, keys):
        [before] = keys.kids(KeyState.STANDBY)
        keys.now += 20 * MINUTE
        keys.revoke(before)
        [after] = keys.kids(KeyState.STANDBY)
        assert after != before
        with pytest.raises(StandbyKeyTooYoung):
            keys.rotate()

    def test_refuses_the_key_that_signs_and_one_nobody_knows(self, keys):
        with pytest.raises(CurrentKeyInUse):
            keys.revoke(keys.ring.current.kid)
        with pytest.raises(SigningKeyNotFound):
            keys.revoke("nobody's")


class TestRunningService:
    def reloading(self, auth):
        [work] = [work for work in auth.service.periodic if work.name == "signing-keys"]
        return work.job

    def test_takes_changes_over_and_forgets_what_a_withdrawn_key_signed(self, start, keys):
        auth = start()
        reload = self.reloading(auth)
        old = auth.sign_up().json()["access_token"]
        first = keys.rotate(force=True).previous
        reload()
        assert auth.user(old).status_code == 200
        new = auth.sign_in().json()["access_token"]
        assert jwt.get_unverified_header(old)["kid"] == first
        assert jwt.get_unverified_header(new)["kid"] == keys.ring.current.kid
        keys.revoke(first)
        assert auth.user(old).status_code == 200
        reload()
        assert auth.user(old).json()["code"] == "bad_jwt"
        assert auth.user(new).status_code == 200

    def test_goes_on_with_the_keys_it_has_while_the_database_is_away(self, start):
        auth = start(database_pool_size=1)
        token = auth.sign_up().json()["access_token"]
        with auth.service.app.state.dependencies.database.transaction() as session:
            session.execute(text("SELECT 1"))  # nobody else gets a connection
            self.reloading(auth)()
        assert auth.user(token).status_code == 200
