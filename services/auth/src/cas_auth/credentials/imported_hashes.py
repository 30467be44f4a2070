"""Password hashes that other systems made: which ones can be taken over, and how each is checked.

The texts are those of the reference server. Every scheme has a ceiling: whoever signs in makes us do the work, and
an imported hash must not decide how much.
"""

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import scrypt

import bcrypt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from cas_auth.domain.refusals import InvalidRequest

BCRYPT_COSTS = range(4, 15)  # 14 takes about a second
BCRYPT_MAX_BYTES = 72  # what the algorithm reads of a password
ARGON2_MAX_KIB = 128 * 1024
ARGON2_MAX_WORK_KIB = 1024 * 1024  # memory times passes: about a second
ARGON2_MAX_LANES = 16
SCRYPT_MAX_MEMORY = 64 * 1024 * 1024
SCRYPT_MAX_WORK = 2**20  # N * r * p; Firebase's own is an eighth of it
SCRYPT_KEY_BYTES = 32
_AES_BLOCK = 16
_BCRYPT_DIGITS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_SALT_END = 28  # where the last digit of the salt stands; only two of its six bits count

_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
_ARGON2 = re.compile(
    r"\$argon2id?\$v=19\$m=(?P<m>[1-9]\d{0,6}),t=(?P<t>[1-9]\d{0,3}),p=(?P<p>[1-9]\d?)"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<digest>[A-Za-z0-9+/]{16,172})"
)
_FIREBASE = re.compile(
    r"\$fbscrypt\$v=1,n=(?P<n>[1-9]\d?),r=(?P<r>[1-9]\d?),p=(?P<p>[1-9])(?:,ss=(?P<ss>[^,$]{1,64}))?"
    r",sk=(?P<sk>[^,$]{1,256})\$(?P<salt>[^$]{1,128})\$(?P<digest>[^$]{1,256})"
)


class UnsupportedHash(InvalidRequest):
    sentence = "The password hash is not one of bcrypt, argon2i, argon2id or Firebase scrypt"


def check_hash(stored: str) -> None:
    """Refuse a hash that nobody could sign in with, or that would cost too much to check.

    :raises UnsupportedHash: it is malformed, of another scheme, or dearer than the ceilings above.
    """
    for form, check in _CHECKS:
        if match := form.fullmatch(stored):
            check(match)
            return
    raise UnsupportedHash


def is_argon2(stored: str) -> bool:
    """Whether the hash is one of argon2, ours or another's."""
    return stored.startswith("$argon2")


def matches(password: str, stored: str) -> bool:
    """Whether `password` is the one behind a bcrypt or Firebase hash that `check_hash` let in."""
    if firebase := _FIREBASE.fullmatch(stored):
        return FirebaseHash.read(firebase).matches(password.encode())
    return _bcrypt_matches(password.encode(), stored)


def _bcrypt_matches(password: bytes, stored: str) -> bool:
    """Longer passwords never match: the reference makes no hash of one, and only their beginning would be compared."""
    matched = bcrypt.checkpw(password[:BCRYPT_MAX_BYTES], _canonical_bcrypt(stored).encode())
    return matched and len(password) <= BCRYPT_MAX_BYTES


def _canonical_bcrypt(stored: str) -> str:
    """The hash without the bits of its salt that mean nothing: some systems fill them, and the library refuses that."""
    digit = _BCRYPT_DIGITS.index(stored[_BCRYPT_SALT_END])
    return stored[:_BCRYPT_SALT_END] + _BCRYPT_DIGITS[digit & 0b110000] + stored[_BCRYPT_SALT_END + 1 :]


@dataclass(frozen=True, slots=True)
class FirebaseHash:
    """A password of Firebase: the project's signer key, encrypted under a key that scrypt derives from the password.

    :param memory: N of scrypt, a power of two.
    :param rounds: r of scrypt, the block size.
    """

    memory: int
    rounds: int
    lanes: int
    salt: bytes
    signer_key: bytes
    digest: bytes

    @classmethod
    def read(cls, found: re.Match[str]) -> "FirebaseHash":
        """The parts of the text.

        :raises UnsupportedHash: one is not base64.
        """
        return cls(
            memory=2 ** int(found["n"]),
            rounds=int(found["r"]),
            lanes=int(found["p"]),
            salt=_base64(found["salt"]) + _base64(found["ss"] or ""),
            signer_key=_base64(found["sk"]),
            digest=_base64(found["digest"]),
        )

    @property
    def scrypt_bytes(self) -> int:
        """The memory that scrypt takes for it."""
        return 128 * self.rounds * (self.memory + self.lanes + 2)

    def matches(self, password: bytes) -> bool:
        """Whether `password` is the one behind it."""
        key = scrypt(
            password,
            salt=self.salt,
            n=self.memory,
            r=self.rounds,
            p=self.lanes,
            maxmem=self.scrypt_bytes + 1024,
            dklen=SCRYPT_KEY_BYTES,
        )
        # The counter starts at nought for every password: the key is new each time.
        encryptor = Cipher(AES256(key), CTR(bytes(_AES_BLOCK))).encryptor()
        return hmac.compare_digest(encryptor.update(self.signer_key), self.digest)


def _check_bcrypt(found: re.Match[str]) -> None:
    if int(found["cost"]) not in BCRYPT_COSTS:
        raise UnsupportedHash(f"The cost of a bcrypt hash must be {BCRYPT_COSTS[0]} to {BCRYPT_COSTS[-1]}")


def _check_argon2(found: re.Match[str]) -> None:
    memory, passes, lanes = (int(found[name]) for name in ("m", "t", "p"))
    if memory > ARGON2_MAX_KIB or memory * passes > ARGON2_MAX_WORK_KIB or lanes > ARGON2_MAX_LANES:
        raise UnsupportedHash("The argon2 hash takes too much memory or time to check")
    if memory < 8 * lanes:
        raise UnsupportedHash("The argon2 hash has less memory than its lanes need")
    for part in (found["salt"], found["digest"]):
        padded = part + "=" * (-len(part) % 4)
        if b64encode(_base64(padded)).decode() != padded:
            raise UnsupportedHash


def _check_firebase(found: re.Match[str]) -> None:
    parsed = FirebaseHash.read(found)
    work = parsed.memory * parsed.rounds * parsed.lanes
    if work > SCRYPT_MAX_WORK or parsed.scrypt_bytes > SCRYPT_MAX_MEMORY:
        raise UnsupportedHash("The Firebase hash takes too much memory or time to check")
    if len(parsed.digest) != len(parsed.signer_key):
        raise UnsupportedHash("The Firebase hash is not as long as its signer key (sk)")


def _base64(text: str) -> bytes:
    """Either alphabet: Firebase exports salts and hashes in the one for addresses."""
    try:
        return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (NotBase64, ValueError) as error:
        raise UnsupportedHash("A part of the password hash is not base64") from error


_CHECKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], None]], ...] = (
    (_BCRYPT, _check_bcrypt),
    (_ARGON2, _check_argon2),
    (_FIREBASE, _check_firebase),
)
