"""What Alembic runs for the account schema."""

from alembic import context

from cas_account.models import Base
from cas_kit.migrations import run_environment

run_environment(context, Base.metadata)
