"""Signing keys."""

from datetime import datetime, timedelta

from sqlalchemy import Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.domain.keys import KeyState, verifies_until
from cas_auth.models.schema import Base, Instant, String
from cas_kit.db import text_enum
from cas_kit.issuers import Algorithm


class StoredSigningKey(Base):
    """A signing key, encrypted; the public half follows from it.

    :ivar state_since: when it came into its state.
    :ivar needed_until: when the longest-lived token for programs expires that it signed.
    """

    __tablename__ = "signing_keys"

    kid: Mapped[String] = mapped_column(primary_key=True)
    state: Mapped[KeyState] = mapped_column(text_enum(KeyState, name="state"))
    algorithm: Mapped[Algorithm] = mapped_column(
        text_enum(Algorithm, name="algorithm"), server_default=Algorithm.ES256
    )
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]
    state_since: Mapped[Instant] = mapped_column(server_default=func.now())
    needed_until: Mapped[Instant | None]

    def turn(self, state: KeyState, *, now: datetime) -> None:
        """Go on to another state."""
        self.state = state
        self.state_since = now

    def need_until(self, until: datetime) -> None:
        """Remember a token for a program, which may outlive those of users."""
        self.needed_until = max(until, self.needed_until or until)

    def may_be_dropped(self, *, token_lifetime: timedelta, now: datetime) -> bool:
        """Whether no token is good any more that it signed."""
        until = verifies_until(
            self.state_since, token_lifetime=token_lifetime, needed_until=self.needed_until
        )
        return self.state is KeyState.PREVIOUS and until < now


for only in (KeyState.CURRENT, KeyState.STANDBY):
    Index(
        f"uq_signing_keys_{only}",
        StoredSigningKey.state,
        unique=True,
        postgresql_where=StoredSigningKey.state == only,
    )
