"""What all tables of this service share."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from sqlalchemy import ARRAY, BigInteger, DateTime, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

from cas_kit.db import NAMING_CONVENTION
from cas_kit.outbox import Outbox, outbox_table

Document: TypeAlias = Any  # `cas_fields.reading.Json`, whose recursion SQLAlchemy cannot resolve
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Words = Annotated[str, mapped_column(Text)]
Texts = Annotated[list[str], mapped_column(ARRAY(Text))]
EntryIds = Annotated[list[str | None], mapped_column(ARRAY(Text))]
Pence = Annotated[int | None, mapped_column(BigInteger)]
Count = Annotated[int, mapped_column(BigInteger, default=0, server_default=text("0"))]


class Base(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


outbox = Outbox(outbox_table(Base.metadata))
