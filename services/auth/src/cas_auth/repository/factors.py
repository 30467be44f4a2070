"""Second factors, and the challenges to prove them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cas_auth.domain.factors import FactorStatus
from cas_auth.models import Factor, FactorChallenge, User


def delete_factors(session: Session, *, user: User, doomed: Collection[Factor]) -> None:
    """Take these factors off a locked user, and free their names."""
    user.factors = [factor for factor in user.factors if factor not in doomed]
    session.flush()


def find_challenge(session: Session, *, factor_id: UUID, challenge_id: UUID) -> FactorChallenge | None:
    """The challenge of this id to prove the factor of a locked user, as it is now."""
    return session.scalar(
        select(FactorChallenge)
        .where(FactorChallenge.id == challenge_id, FactorChallenge.factor_id == factor_id)
        .execution_options(populate_existing=True)
    )


def count_challenges(session: Session, *, factor_id: UUID) -> int:
    """How many challenges of this factor are kept."""
    counted = select(func.count()).select_from(FactorChallenge).where(FactorChallenge.factor_id == factor_id)
    return session.scalar(counted) or 0


def delete_challenges(session: Session, *, factor_id: UUID, created_before: datetime | None = None) -> None:
    """Forget the factor's challenges, or those that are too old."""
    deletion = delete(FactorChallenge).where(FactorChallenge.factor_id == factor_id)
    if created_before is not None:
        deletion = deletion.where(FactorChallenge.created_at < created_before)
    session.execute(deletion)


def delete_stale_factors(
    session: Session, *, unverified_before: datetime, challenged_before: datetime
) -> None:
    """Forget challenges that nobody can answer any more, and enrolments that were given up."""
    session.execute(delete(FactorChallenge).where(FactorChallenge.created_at < challenged_before))
    unverified = Factor.status == FactorStatus.UNVERIFIED
    session.execute(delete(Factor).where(unverified, Factor.created_at < unverified_before))
