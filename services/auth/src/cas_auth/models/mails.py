"""Mails that wait to be sent."""

from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.domain.mails import MailKind
from cas_auth.models.schema import Base, Document, Instant, String
from cas_kit.db import text_enum


class Mail(Base):
    """A mail somebody asked for. The worker makes its token, sends it and deletes the row (docs/adr/0014).

    `next_attempt_at` is also the end of the lease of whoever is sending it; `dead_at` is set when it was given up.
    """

    __tablename__ = "mails"
    __table_args__ = (Index(None, "next_attempt_at", postgresql_where=text("dead_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[MailKind] = mapped_column(text_enum(MailKind, name="kind"))
    address: Mapped[String]
    user_id: Mapped[UUID | None]
    data: Mapped[Document]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    next_attempt_at: Mapped[Instant]
    dead_at: Mapped[Instant | None]
    last_error: Mapped[String | None]
    created_at: Mapped[Instant]
