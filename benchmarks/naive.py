"""The template a team would write first: FastAPI, an ORM session dependency, a user look-up, response_model.

The baseline for benchmarks/professional_info.py. It answers from the very tables of the account service, so that both
do the same work; it has none of its rules.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from pydantic_settings import BaseSettings
from sqlalchemy import MetaData, create_engine, select
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session, sessionmaker


class Settings(BaseSettings):
    """Where the account service's data and keys are."""

    database_url: str
    jwks_url: str
    issuer: str


settings = Settings()
engine = create_engine(settings.database_url, pool_size=10)
metadata = MetaData()
metadata.reflect(engine, only=["profiles", "role_details"])
AutoBase = automap_base(metadata=metadata)
AutoBase.prepare()
Profile = AutoBase.classes.profiles
RoleDetails = AutoBase.classes.role_details
LocalSession = sessionmaker(engine)
signing_keys = jwt.PyJWKSet.from_dict(httpx.get(settings.jwks_url).json())
app = FastAPI()


class ProfessionalInfo(BaseModel):
    """The answer."""

    id: UUID
    profile_id: UUID
    role_type: str
    fields: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


class ProfessionalInfoUpdate(BaseModel):
    """The request."""

    role_type: str
    additional_info: str | None = None
    bio: str | None = None


def get_db() -> Iterator[Session]:
    """One session per request."""
    with LocalSession() as session:
        yield session


def get_current_user(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    db: Annotated[Session, Depends(get_db)],
) -> Any:
    """Verify the token and load the user."""
    kid = jwt.get_unverified_header(credentials.credentials)["kid"]
    claims = jwt.decode(
        credentials.credentials,
        signing_keys[kid],
        algorithms=["ES256"],
        audience="authenticated",
        issuer=settings.issuer,
    )
    user = db.get(Profile, UUID(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


def find(db: Session, user: Any, role_type: str) -> Any:
    """Load the row of one role."""
    row = db.scalars(
        select(RoleDetails).where(RoleDetails.profile_id == user.id, RoleDetails.role_type == role_type)
    ).one_or_none()
    if row is None:
        raise HTTPException(404)
    return row


@app.get("/professional-info", response_model=ProfessionalInfo)
def read(
    role_type: str,
    user: Annotated[Any, Depends(get_current_user)],
    db: Annotated[Session, Depends(get_db)],
) -> Any:
    """Answer the row."""
    row = find(db, user, role_type)
    return ProfessionalInfo.model_validate(row, from_attributes=True)


@app.patch("/professional-info", response_model=ProfessionalInfo)
def update(
    body: ProfessionalInfoUpdate,
    user: Annotated[Any, Depends(get_current_user)],
    db: Annotated[Session, Depends(get_db)],
) -> Any:
    """Merge the fields, commit, read back, answer."""
    row = find(db, user, body.role_type)
    row.fields = {**row.fields, **body.model_dump(exclude={"role_type"}, exclude_none=True)}
    row.version += 1
    db.commit()
    db.refresh(row)
    return ProfessionalInfo.model_validate(row, from_attributes=True)
