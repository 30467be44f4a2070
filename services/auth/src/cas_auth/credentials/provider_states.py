"""What we remember of somebody who is away at a provider, sealed, and the `state` they bring back."""

import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Self
from uuid import UUID

from cas_auth.credentials.encryption import EncryptionKey

PURPOSE = "provider states"
SECRET_BYTES = 32
ID_CHARACTERS = 32  # of a UUID without hyphens


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """The secrets of one way to a provider and back.

    :param secret: what `state` says beside which flow it is.
    :param nonce: what the provider's ID token has to say, and `code_verifier`: what its code is exchanged with.
    :param browser: the digest of a secret of the browser that has to come back; None where any may.
    :param linking_session_id: the session that asked to link an account; None where somebody signs in.
    """

    secret: str
    nonce: str
    code_verifier: str
    browser: str | None
    linking_session_id: str | None = None

    @classmethod
    def new(cls, *, browser_secret: str | None, linking_session_id: UUID | None = None) -> Self:
        """Fresh secrets.

        :param browser_secret: what only the browser knows that is about to leave; None where it need not be the same.
        """
        return cls(
            secret=secrets.token_urlsafe(SECRET_BYTES),
            nonce=secrets.token_urlsafe(SECRET_BYTES),
            code_verifier=secrets.token_urlsafe(SECRET_BYTES),
            browser=_digest(browser_secret) if browser_secret else None,
            linking_session_id=str(linking_session_id) if linking_session_id else None,
        )

    def sealed(self, encryption_key: EncryptionKey, *, flow_id: UUID) -> bytes:
        """These secrets as the database may hold them."""
        said = asdict(self)
        if self.linking_session_id is None:
            del said["linking_session_id"]  # processes of the release before know no such field
        return encryption_key.seal(json.dumps(said).encode(), purpose=PURPOSE, name=str(flow_id))

    @classmethod
    def unseal(cls, sealed: bytes, encryption_key: EncryptionKey, *, flow_id: UUID) -> Self:
        """The secrets of this flow.

        :raises WrongEncryptionKey: they were sealed under another encryption key.
        """
        return cls(**json.loads(encryption_key.unseal(sealed, purpose=PURPOSE, name=str(flow_id))))

    def text(self, flow_id: UUID) -> str:
        """The `state` for the provider to send back."""
        return flow_id.hex + self.secret

    def is_of(self, state: str, *, browser_secret: str | None) -> bool:
        """Whether whoever brings back `state` is the one who left, as far as that can be told."""
        is_same_browser = self.browser is None or hmac.compare_digest(
            _digest(browser_secret or ""), self.browser
        )
        return is_same_browser and hmac.compare_digest(
            state[ID_CHARACTERS:].encode("utf-8", "surrogatepass"), self.secret.encode()
        )


def flow_of(state: str) -> UUID | None:
    """The flow that a `state` claims to be of."""
    try:
        return UUID(hex=state[:ID_CHARACTERS])
    except ValueError:
        return None


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
