"""The list of all users, newest first."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from cas_auth.domain.user_list import UserCursor, UserMatch
from cas_auth.models import User
from cas_auth.repository.loading import WHOLE_USERS

_ESCAPED = str.maketrans({character: f"\\{character}" for character in "\\%_"})


def count_users(session: Session, match: UserMatch) -> int:
    """How many users match."""
    return session.scalar(select(func.count()).select_from(User).where(*conditions_of(match))) or 0


def list_users(
    session: Session, match: UserMatch, *, limit: int, offset: int = 0, after: UserCursor | None = None
) -> Sequence[User]:
    """Matching users with identities and factors."""
    statement = (
        select(User)
        .where(*conditions_of(match))
        .order_by(User.created_at.desc(), User.id.desc())
        .limit(limit)
        .offset(offset)
        .options(*WHOLE_USERS)
    )
    if after is not None:
        statement = statement.where(tuple_(User.created_at, User.id) < (after.created_at, after.id))
    return session.scalars(statement).all()


def conditions_of(match: UserMatch) -> Sequence[ColumnElement[bool]]:
    """What the rows of users who match meet."""
    conditions: list[ColumnElement[bool]] = []
    if match.email is not None:
        conditions.append(User.email == match.email)
    if match.email_prefix is not None:
        conditions.append(User.email.like(match.email_prefix.translate(_ESCAPED) + "%"))
    return conditions
