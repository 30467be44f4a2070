"""How much of something there is."""

from sqlalchemy import func, select

from cas_auth.models import Base
from cas_kit.db import Database


def count(database: Database, model: type[Base]) -> int:
    """The rows of a table."""
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0
