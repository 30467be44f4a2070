"""The look-up of oneself that a team would write first: FastAPI, an ORM session dependency, response_model.

The baseline of benchmarks/auth.py: the same token check, the same fields in the answer; none of the rules. It has
tables of its own.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings
from sqlalchemy import DateTime, ForeignKey, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker


class Settings(BaseSettings):
    """Where its data and the issuer's keys are."""

    database_url: str
    jwks_url: str
    issuer: str


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSONB, datetime: DateTime(timezone=True)}


class User(Base):
    """Who asks."""

    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    aud: Mapped[str]
    role: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str]
    email_confirmed_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
    app_metadata: Mapped[dict[str, Any]]
    user_metadata: Mapped[dict[str, Any]]
    is_anonymous: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    identities: Mapped[list["Identity"]] = relationship()


class Identity(Base):
    """How they sign in."""

    __tablename__ = "identities"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    provider: Mapped[str]
    identity_data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class UserSession(Base):
    """Where they are signed in."""

    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class IdentityOut(BaseModel):
    """An identity, as the answer shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_id: UUID
    provider: str
    identity_data: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class UserOut(BaseModel):
    """What the caller gets."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    aud: str
    role: str
    email: str
    phone: str
    email_confirmed_at: datetime | None
    last_sign_in_at: datetime | None
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    is_anonymous: bool
    created_at: datetime
    updated_at: datetime
    identities: list[IdentityOut]


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


def token_claims(credentials: Credentials) -> dict[str, Any]:
    """Verify the token."""
    kid = jwt.get_unverified_header(credentials.credentials)["kid"]
    claims: dict[str, Any] = jwt.decode(
        credentials.credentials,
        signing_keys[kid],
        algorithms=["ES256"],
        audience="authenticated",
        issuer=settings.issuer,
    )
    return claims


Claims = Annotated[dict[str, Any], Depends(token_claims)]


@app.get("/user", response_model=UserOut)
def read(claims: Claims, db: Db) -> Any:
    """Answer the caller, while their session lasts."""
    user = db.get(User, UUID(claims["sub"]))
    if user is None or db.get(UserSession, UUID(claims["session_id"])) is None:
        raise HTTPException(401)
    return user


@app.post("/user", response_model=UserOut)
def create(claims: Claims, db: Db) -> Any:
    """Register the caller and their session."""
    now = datetime.now(UTC)
    instants = {"created_at": now, "updated_at": now}
    known = ("aud", "role", "email", "phone", "app_metadata", "user_metadata", "is_anonymous")
    user = User(
        id=UUID(claims["sub"]),
        email_confirmed_at=now,
        last_sign_in_at=now,
        **{name: claims[name] for name in known},
        **instants,
    )
    db.add(user)
    db.flush()
    db.add(UserSession(id=UUID(claims["session_id"]), user_id=user.id))
    db.add(
        Identity(
            user_id=user.id,
            provider="email",
            identity_data={"sub": str(user.id), "email": claims["email"], "email_verified": True},
            **instants,
        )
    )
    db.commit()
    return user
