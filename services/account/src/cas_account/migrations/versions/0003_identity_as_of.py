"""How old the e-mail of a profile is: when the token was issued that told it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("profiles", sa.Column("identity_as_of", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("profiles", "identity_as_of")
