"""What Alembic runs for the account schema."""

from alembic import context

from cas_kit.migrations import run_environment
from cas_listings.models import Base

run_environment(context, Base.metadata)
