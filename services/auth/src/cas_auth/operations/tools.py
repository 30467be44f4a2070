"""What operations work with beside the database."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from cas_auth.credentials.passwords import PasswordHasher
from cas_auth.credentials.tokens import TokenIssuer
from cas_auth.settings import Settings


@dataclass(frozen=True, slots=True)
class Tools:
    """The rules of this installation, and the means to prove and grant identity."""

    settings: Settings
    hasher: PasswordHasher
    issuer: TokenIssuer
    new_id: Callable[[], UUID] = uuid4
