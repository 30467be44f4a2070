"""What Alembic runs."""

from alembic import context

from cas_auth.models import Base
from cas_kit.migrations import run_environment

run_environment(context, Base.metadata)
