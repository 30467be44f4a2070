"""Count the tries of a mail that nobody finished.

The default lets the code before this migration go on adding rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mails", sa.Column("unfinished", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("mails", "unfinished")
