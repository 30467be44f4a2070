"""Everything kept about a user, collected from every service, for that user (docs/spec/domain.md 8.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from uuid import UUID

import msgspec
from sqlalchemy.orm import Session

from cas_account import repository
from cas_account.domain.export import ACTIVITY, Export, ExportItem
from cas_account.domain.professional_info import answered
from cas_account.models import AuditEntry, Profile, RoleDetails
from cas_account.operations.parts import Part
from cas_account.operations.profiles import get_own_profile
from cas_kit.db import Database

# Where files are kept is ours; whoever reads it could not open them. Links to them are in the export.
HIDDEN = frozenset({"avatar_storage_path", "cover_storage_path"})


def collect_export(database: Database, parts: Sequence[Part], *, user_id: UUID, now: datetime) -> Export:
    """Ask every service; complete, or not at all.

    :raises Unavailable: one of them did not answer.
    :raises Unauthenticated: the user was erased after the token was issued.
    """
    with database.autocommit() as connection:
        get_own_profile(connection, user_id=user_id)
    return Export.of(user_id, chain.from_iterable(part.export_user(user_id) for part in parts), now=now)


def record_export(session: Session, *, user_id: UUID, now: datetime) -> None:
    """Put on record that the user took their data with them."""
    repository.add_audit_entry(
        session, actor=user_id, action="data_exported", thing=f"profile/{user_id}", now=now
    )


@dataclass(frozen=True, slots=True)
class AccountPart:
    """What this service itself keeps."""

    database: Database
    name: str = "account"

    def export_user(self, user_id: UUID) -> Iterator[ExportItem]:
        """Profile, templates, and what happened."""
        with self.database.transaction() as session:
            if (profile := repository.get_profile(session, user_id=user_id)) is not None:
                yield ExportItem("profile", msgspec.json.encode(_profile(profile)))
            for details in repository.list_details(session, user_id=user_id):
                yield ExportItem("templates", msgspec.json.encode(_template(details)))
            for entry in repository.list_activity(session, user_id=user_id):
                yield ExportItem(ACTIVITY, msgspec.json.encode(_activity(entry)))


def _profile(profile: Profile) -> dict[str, object]:
    columns = Profile.__table__.columns.keys()
    return {name: getattr(profile, name) for name in columns if name not in HIDDEN}


def _template(details: RoleDetails) -> dict[str, object]:
    return {
        "id": details.id,
        "role_type": details.role_type,
        **answered(details.role_type, details.fields),
        "currency": details.currency,
        "version": details.version,
        "created_at": details.created_at,
        "updated_at": details.updated_at,
    }


def _activity(entry: AuditEntry) -> dict[str, object]:
    return {
        "at": entry.at,
        "service": "account",
        "action": entry.action,
        "role": entry.acting_role,
        "thing": entry.thing,
        "request_id": entry.request_id,
        **entry.details,
    }
