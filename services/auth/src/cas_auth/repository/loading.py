"""What is read together with a user who signs in or is shown to somebody."""

from sqlalchemy.orm import selectinload

from cas_auth.models import User

WHOLE_USER = (selectinload(User.identities), selectinload(User.factors))
