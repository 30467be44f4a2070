"""Signing keys."""

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.domain.keys import KeyState
from cas_auth.models.schema import Base, Instant, String
from cas_kit.db import text_enum


class StoredSigningKey(Base):
    """A signing key, encrypted; the public half follows from it."""

    __tablename__ = "signing_keys"

    kid: Mapped[String] = mapped_column(primary_key=True)
    state: Mapped[KeyState] = mapped_column(text_enum(KeyState, name="state"))
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Instant]


Index(
    "uq_signing_keys_current",
    StoredSigningKey.state,
    unique=True,
    postgresql_where=StoredSigningKey.state == KeyState.CURRENT,
)
