"""Mailed tokens that work once, and flows that end in a code for whoever began them."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.domain.identity_refusals import FlowStateAlreadyUsed
from cas_auth.domain.one_time_tokens import MAX_CODE_ATTEMPTS, TokenKind
from cas_auth.domain.pkce import FLOW_LIFETIME, Challenge, ChallengeMethod
from cas_auth.domain.refusals import FlowStateExpired
from cas_auth.domain.sessions import AuthMethod
from cas_auth.models.schema import Base, Instant, String
from cas_auth.models.users import User
from cas_kit.db import text_enum


class FlowState(Base):
    """A flow that leaves the client and comes back: to a provider, or by a mailed link.

    `challenge` is None where the client wants its tokens in the address (implicit flow). `provider_session` and
    `provider_tokens` are sealed.
    """

    __tablename__ = "flow_states"
    __table_args__ = (Index(None, "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[String]
    code_challenge: Mapped[String | None]
    code_challenge_method: Mapped[ChallengeMethod | None] = mapped_column(
        text_enum(ChallengeMethod, name="code_challenge_method")
    )
    redirect_to: Mapped[String | None]
    linking_user_id: Mapped[UUID | None]
    provider_session: Mapped[bytes | None] = mapped_column(LargeBinary)
    provider_tokens: Mapped[bytes | None] = mapped_column(LargeBinary)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    method: Mapped[AuthMethod | None] = mapped_column(text_enum(AuthMethod, name="method"))
    auth_code_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    auth_code_issued_at: Mapped[Instant | None]
    used_at: Mapped[Instant | None]
    created_at: Mapped[Instant]

    @property
    def challenge(self) -> Challenge | None:
        """What the code's exchange has to meet."""
        if self.code_challenge is None or self.code_challenge_method is None:
            return None
        return Challenge(self.code_challenge, self.code_challenge_method)

    def issue_code(self, digest: bytes, *, user_id: UUID, method: AuthMethod, now: datetime) -> None:
        """Let whoever meets the challenge sign in as this user with the code behind `digest`."""
        self.auth_code_digest = digest
        self.auth_code_issued_at = now
        self.user_id = user_id
        self.method = method

    def come_back(self, now: datetime) -> None:
        """Somebody came back from the provider; nobody else may.

        :raises FlowStateAlreadyUsed: somebody came back before.
        :raises FlowStateExpired: it took too long.
        """
        if self.used_at is not None:
            raise FlowStateAlreadyUsed
        if self.is_expired(now):
            raise FlowStateExpired
        self.used_at = now

    def is_expired(self, now: datetime) -> bool:
        """Whether its code, or the flow itself while it has none, is too old."""
        return now - (self.auth_code_issued_at or self.created_at) > FLOW_LIFETIME


class OneTimeToken(Base):
    """A mailed link and code, of which the database keeps digests only. A user has one of a kind: the newest."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (UniqueConstraint("user_id", "kind"), Index(None, "address"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    kind: Mapped[TokenKind] = mapped_column(text_enum(TokenKind, name="kind"))
    address: Mapped[String]
    link_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    code_digest: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    flow_id: Mapped[UUID | None] = mapped_column(ForeignKey(FlowState.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[Instant]

    def is_expired(self, now: datetime, *, lifetime: timedelta) -> bool:
        """Whether it is too old to prove anything."""
        return now - self.created_at > lifetime

    @property
    def takes_codes(self) -> bool:
        """Whether its code may still be guessed at; the link works either way."""
        return self.attempts < MAX_CODE_ATTEMPTS
