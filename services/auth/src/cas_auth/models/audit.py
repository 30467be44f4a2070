"""The audit log, and the seals over it."""

from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, text
from sqlalchemy import Identity as Numbered
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.domain.audit import AuditAction
from cas_auth.models.schema import Base, Document, Instant, String
from cas_kit.db import text_enum


class AuditEntry(Base):
    """Something that happened. A trigger refuses to change or delete entries; only ip and user_agent can be blanked."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index(None, "actor_id"),
        Index(None, "created_at"),
        Index(None, "action", "id"),
        # Whom an administrator did something to.
        Index("ix_audit_log_subject", text("(traits ->> 'user_id')")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Numbered(always=True), primary_key=True)
    actor_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    action: Mapped[AuditAction] = mapped_column(text_enum(AuditAction, name="action"))
    traits: Mapped[Document] = mapped_column(server_default="{}")
    request_id: Mapped[String]
    ip: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[String | None]
    created_at: Mapped[Instant]


class AuditSeal(Base):
    """Proof that an entry is as it was, and stands where it stood (docs/adr/0018).

    A trigger refuses to change or delete seals; only the salt can be blanked, with the origin of its entry.
    """

    __tablename__ = "audit_seals"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    origin_salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    origin_digest: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
