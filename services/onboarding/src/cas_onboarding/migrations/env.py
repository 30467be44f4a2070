"""Alembic's entry: the kit runs the migrations of this package."""

from alembic import context

from cas_kit.migrations import run_environment
from cas_onboarding.models import Base

run_environment(context, Base.metadata)
