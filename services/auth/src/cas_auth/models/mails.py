"""Mails that wait to be sent."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.domain.mails import LEASE, MAX_ATTEMPTS, MAX_UNFINISHED, MailKind
from cas_auth.models.schema import Base, Document, Instant, String
from cas_kit.db import text_enum


class Mail(Base):
    """A mail somebody asked for. The worker makes its token, sends it and deletes the row (docs/adr/0014).

    `next_attempt_at` is also the end of the lease of whoever is sending it; `dead_at` is set when it was given up.
    `unfinished` counts the tries since the last one of which anybody learnt how it went.
    """

    __tablename__ = "mails"
    __table_args__ = (Index(None, "next_attempt_at", postgresql_where=text("dead_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[MailKind] = mapped_column(text_enum(MailKind, name="kind"))
    address: Mapped[String]
    user_id: Mapped[UUID | None]
    data: Mapped[Document]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    unfinished: Mapped[int] = mapped_column(default=0, server_default="0")
    next_attempt_at: Mapped[Instant]
    dead_at: Mapped[Instant | None]
    last_error: Mapped[String | None]
    created_at: Mapped[Instant]

    @property
    def never_finishes(self) -> bool:
        """Whether it takes down whoever sends it."""
        return self.unfinished >= MAX_UNFINISHED

    def begin(self, now: datetime) -> None:
        """Count a try before its work, and keep others away until it must be over."""
        self.attempts += 1
        self.unfinished += 1
        self.next_attempt_at = now + LEASE

    def put_off(self, reason: str, *, delay: timedelta, now: datetime) -> None:
        """End a try that may go better later; give up after the last one."""
        self.unfinished = 0
        self.last_error = reason
        self.next_attempt_at = now + delay
        if self.attempts >= MAX_ATTEMPTS:
            self.dead_at = now

    def give_up(self, reason: str, *, now: datetime) -> None:
        """Keep the mail for a person to look at."""
        self.last_error = reason
        self.dead_at = now
