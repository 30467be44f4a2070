"""The owner of a listing, as far as their profile matters to it."""

from dataclasses import dataclass
from uuid import UUID

from cas_listings.domain.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What account knows of somebody; `version` grows with every change there."""

    user_id: UUID
    display_name: str
    avatar_url: str | None
    roles: tuple[Role, ...] = ()
    active_role: Role | None = None
    version: int = 0
