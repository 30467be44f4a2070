"""The service a team would write first: FastAPI, an ORM session dependency, a user look-up, response_model.

The baseline of benchmarks/professional_info.py: the same data, the same token check, the same answer but for
completeness; none of the rules. It has tables of its own, with a column for each field.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings
from sqlalchemy import DateTime, ForeignKey, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Settings(BaseSettings):
    """Where its data and the issuer's keys are."""

    database_url: str
    jwks_url: str
    issuer: str


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map: ClassVar = {
        list[str]: JSONB,
        dict[str, Any]: JSONB,
        datetime: DateTime(timezone=True),
    }


class User(Base):
    """Who may ask."""

    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    created_at: Mapped[datetime]


class ProfessionalInfo(Base):
    """What is asked for."""

    __tablename__ = "professional_infos"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    role_type: Mapped[str]
    subjects: Mapped[list[str]]
    skill_levels: Mapped[dict[str, Any]]
    levels: Mapped[list[str]]
    teaching_experience: Mapped[str | None]
    hourly_rate: Mapped[float | None]
    hourly_rate_min: Mapped[float | None]
    hourly_rate_max: Mapped[float | None]
    qualifications: Mapped[list[str]]
    teaching_methods: Mapped[list[str]]
    availability: Mapped[list[str]]
    specializations: Mapped[list[str]]
    session_types: Mapped[list[str]]
    certifications: Mapped[list[str]]
    bio: Mapped[str | None]
    max_students_per_week: Mapped[int | None]
    travel_radius_km: Mapped[int | None]
    willing_to_travel: Mapped[bool | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Fields(BaseModel):
    """What a client may send."""

    role_type: str
    subjects: list[str] = []
    skill_levels: dict[str, int | bool] = {}
    levels: list[str] = []
    teaching_experience: str | None = None
    hourly_rate: float | None = None
    hourly_rate_min: float | None = None
    hourly_rate_max: float | None = None
    qualifications: list[str] = []
    teaching_methods: list[str] = []
    availability: list[str] = []
    specializations: list[str] = []
    session_types: list[str] = []
    certifications: list[str] = []
    bio: str | None = None
    max_students_per_week: int | None = None
    travel_radius_km: int | None = None
    willing_to_travel: bool | None = None


class Answer(Fields):
    """What it gets back."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_id: UUID
    version: int
    created_at: datetime
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


def get_current_user(claims: Annotated[dict[str, Any], Depends(token_claims)], db: Db) -> User:
    """Load the user."""
    user = db.get(User, UUID(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def find(db: Session, user: User, role_type: str) -> ProfessionalInfo:
    """Load the row of one role."""
    query = select(ProfessionalInfo).where(
        ProfessionalInfo.user_id == user.id, ProfessionalInfo.role_type == role_type
    )
    row = db.scalars(query).one_or_none()
    if row is None:
        raise HTTPException(404)
    return row


@app.get("/professional-info", response_model=Answer)
def read(user: CurrentUser, db: Db, role_type: Annotated[str, Query()]) -> Any:
    """Answer the row."""
    return find(db, user, role_type)


@app.post("/professional-info", response_model=Answer)
def create(body: Fields, claims: Annotated[dict[str, Any], Depends(token_claims)], db: Db) -> Any:
    """Register the user and save the first row."""
    now = datetime.now(UTC)
    db.add(User(id=UUID(claims["sub"]), email=claims["email"], created_at=now))
    db.flush()
    row = ProfessionalInfo(
        user_id=UUID(claims["sub"]), version=1, created_at=now, updated_at=now, **body.model_dump()
    )
    db.add(row)
    db.commit()
    db.refresh(row)
    return row


@app.patch("/professional-info", response_model=Answer)
def update(body: Fields, user: CurrentUser, db: Db) -> Any:
    """Merge the fields, commit, read back, answer."""
    row = find(db, user, body.role_type)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(row, name, value)
    row.version += 1
    row.updated_at = datetime.now(UTC)
    db.commit()
    db.refresh(row)
    return row
