"""Keys derived from the one secret of the environment, and encryption of what the database must not reveal."""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from cas_auth.settings import ENCRYPTION_KEY_BYTES

NONCE_BYTES = 12  # what AES-GCM takes


class WrongEncryptionKey(Exception):
    """What is stored was encrypted under another key, or changed since."""


class EncryptionKey:
    """The secret everything else is derived from; a key of its own for each purpose."""

    def __init__(self, encoded: SecretStr) -> None:
        self._secret = base64.b64decode(encoded.get_secret_value(), validate=True)

    def derive(self, purpose: str) -> bytes:
        """32 bytes that tell nothing about the keys of other purposes (RFC 5869)."""
        return HKDF(SHA256(), ENCRYPTION_KEY_BYTES, salt=None, info=f"cas-auth {purpose}".encode()).derive(
            self._secret
        )

    def seal(self, plaintext: bytes, *, purpose: str, name: str) -> bytes:
        """Encrypt (AES-256-GCM); only `unseal` with the same purpose and name reads it again."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.derive(purpose)).encrypt(nonce, plaintext, name.encode())

    def unseal(self, sealed: bytes, *, purpose: str, name: str) -> bytes:
        """Decrypt.

        :raises WrongEncryptionKey: it was sealed under another key, purpose or name.
        """
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return AESGCM(self.derive(purpose)).decrypt(nonce, ciphertext, name.encode())
        except (InvalidTag, ValueError) as error:
            raise WrongEncryptionKey from error
