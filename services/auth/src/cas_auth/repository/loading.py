"""What is read together with users who sign in or are shown to somebody."""

from sqlalchemy.orm import joinedload, selectinload

from cas_auth.models import User

# Of many users, or of one who is locked by the same statement.
WHOLE_USERS = (selectinload(User.identities), selectinload(User.factors))
# Of one, in one statement.
WHOLE_USER = (joinedload(User.identities), joinedload(User.factors))
