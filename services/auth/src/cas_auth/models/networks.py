"""Where users have signed in from."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import CIDR
from sqlalchemy.orm import Mapped, mapped_column

from cas_auth.models.schema import Base, Instant
from cas_auth.models.users import User


class KnownNetwork(Base):
    """A network a user has signed in from: strangers who guess elsewhere do not lock them out there."""

    __tablename__ = "known_networks"
    __table_args__ = (Index(None, "last_used_at"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    network: Mapped[str] = mapped_column(CIDR, primary_key=True)
    last_used_at: Mapped[Instant]
