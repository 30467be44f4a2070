"""Remember of each session until when its access tokens are good."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("tokens_until", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("sessions", "tokens_until")
