"""The owner of a listing, as far as their profile matters to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cas_fields.reading import clean
from cas_listings.domain.roles import Role, find_role

_NAME = range(2, 101)  # characters, docs/spec/domain.md 3.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What account knows of somebody; `version` grows with every change there."""

    user_id: UUID
    display_name: str
    avatar_url: str | None
    roles: tuple[Role, ...] = ()
    active_role: Role | None = None
    version: int = 0


def owner_in_token(user_id: UUID, claims: Mapping[str, Any], *, named: bool) -> Owner:
    """What a verified token says of its bearer: the roles may lag behind by its lifetime.

    :param named: take over the name, too: account has no profile yet, and will make one with this name.
    """
    app, own = (_object(claims.get(name)) for name in ("app_metadata", "user_metadata"))
    names = app.get("roles")
    roles = tuple(role for name in names if (role := find_role(name))) if isinstance(names, list) else ()
    active = find_role(app.get("active_role"))
    return Owner(
        user_id=user_id,
        display_name=(_usable(own.get("full_name")) or _usable(own.get("name"))) if named else "",
        avatar_url=None,
        roles=roles,
        active_role=active if active in roles else None,
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _usable(name: Any) -> str:
    text = clean(name)[: _NAME.stop - 1].strip() if isinstance(name, str) else ""
    return text if len(text) in _NAME else ""
