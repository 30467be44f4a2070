"""The auto-save that a team would write first: FastAPI, an ORM session dependency, the whole form upserted.

The baseline of benchmarks/onboarding.py: the same data, the same token check, the same answer but for what the rules
add; whichever save arrives last wins. It has a table of its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

import httpx
import jwt
from fastapi import Depends, FastAPI
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings
from sqlalchemy import DateTime, UniqueConstraint, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Settings(BaseSettings):
    """Where its data and the issuer's keys are."""

    database_url: str
    jwks_url: str
    issuer: str


class Base(DeclarativeBase):
    """Base of the table."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSONB, datetime: DateTime(timezone=True)}


class Progress(Base):
    """The answers of one user in one role."""

    __tablename__ = "progress"
    __table_args__ = (UniqueConstraint("user_id", "role_type"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID]
    role_type: Mapped[str]
    current_step: Mapped[int]
    step_data: Mapped[dict[str, Any]]
    is_complete: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Save(BaseModel):
    """What a client sends."""

    step: int = Field(ge=1, le=5)
    role_type: str
    data: dict[str, Any] = {}
    is_complete: bool = False


class Answer(BaseModel):
    """What it gets back."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    role_type: str
    current_step: int
    step_data: dict[str, Any]
    is_complete: bool
    updated_at: datetime


settings = Settings()
engine = create_engine(settings.database_url)
LocalSession = sessionmaker(engine)
Base.metadata.create_all(engine)
signing_keys = jwt.PyJWKSet.from_dict(httpx.get(settings.jwks_url).json())
app = FastAPI()


def get_db() -> Iterator[Session]:
    """One session per request."""
    with LocalSession() as session:
        yield session


Db = Annotated[Session, Depends(get_db)]
Credentials = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def user_id(credentials: Credentials) -> UUID:
    """Verify the token."""
    kid = jwt.get_unverified_header(credentials.credentials)["kid"]
    claims: dict[str, Any] = jwt.decode(
        credentials.credentials,
        signing_keys[kid],
        algorithms=["ES256"],
        audience="authenticated",
        issuer=settings.issuer,
    )
    return UUID(claims["sub"])


@app.post("/save-progress", response_model=Answer)
def save(body: Save, user: Annotated[UUID, Depends(user_id)], db: Db) -> Any:
    """Look for the row, write over it or make it, commit, read back, answer."""
    query = select(Progress).where(Progress.user_id == user, Progress.role_type == body.role_type)
    row = db.scalars(query).one_or_none()
    now = datetime.now(UTC)
    if row is None:
        row = Progress(user_id=user, role_type=body.role_type, created_at=now)
        db.add(row)
    row.current_step = body.step
    row.step_data = body.data
    row.is_complete = body.is_complete
    row.updated_at = now
    db.commit()
    db.refresh(row)
    return row
