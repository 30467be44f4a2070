"""What administrators send and get. A field that is null counts as absent; unknown fields are ignored."""

from collections.abc import Sequence
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from cas_auth.domain.accounts import lookup_email
from cas_auth.domain.user_list import UserMatch
from cas_auth.models import User
from cas_auth.operations.administration import UserAttributes
from cas_auth.rest.schemas import UserOut

# JSON bodies with a NUL are refused before they get here; in an address it is a character like others.
Searchable = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class UserListIn(BaseModel):
    """The query of the list: page numbers, or a cursor; clients send numbers empty when they do not care."""

    page: str = ""
    per_page: str = ""
    cursor: str | None = None
    email: Searchable = ""
    filter: Searchable = ""

    @property
    def match(self) -> UserMatch:
        """Which users it asks for."""
        return UserMatch(
            email=lookup_email(self.email) if self.email else None,
            email_prefix=self.filter.strip().lower() or None,
        )


class UserAttributesIn(BaseModel):
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    password_hash: str | None = None
    email_confirm: bool | None = None
    phone_confirm: bool | None = None
    role: str | None = None
    ban_duration: str | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None

    @property
    def attributes(self) -> UserAttributes:
        """These fields; an empty text counts as absent too."""
        return UserAttributes(
            email=self.email or None,
            phone=self.phone or None,
            password=self.password or None,
            password_hash=self.password_hash or None,
            email_confirm=bool(self.email_confirm),
            phone_confirm=bool(self.phone_confirm),
            role=self.role or None,
            ban_duration=self.ban_duration or None,
            user_metadata=self.user_metadata,
            app_metadata=self.app_metadata,
        )


class NewUserIn(UserAttributesIn):
    id: UUID | None = None


class DeletionIn(BaseModel):
    should_soft_delete: bool | None = None


class PaginationOut(BaseModel):
    """Where the list goes on, for those who follow cursors."""

    next_cursor: str | None = None
    has_more: bool


class UserListOut(BaseModel):
    users: list[UserOut]
    aud: str
    pagination: PaginationOut | None = None

    @classmethod
    def of(cls, users: Sequence[User], *, audience: str, pagination: PaginationOut | None = None) -> Self:
        """The protocol's view of these users."""
        return cls(
            users=[UserOut.of(user, audience=audience) for user in users], aud=audience, pagination=pagination
        )
