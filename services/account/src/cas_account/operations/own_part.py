"""What this service itself keeps about a user: to be told to them, and to be removed."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import msgspec

from cas_account import repository
from cas_account.domain.erasure import Receipt
from cas_account.domain.export import ACTIVITY, ExportItem
from cas_account.domain.pictures import PLACES, files_of_user
from cas_account.domain.professional_info import answered
from cas_account.models import AuditEntry, Profile, RoleDetails
from cas_account.operations.erasure import ERASURE_TOPICS
from cas_kit.db import Database
from cas_kit.ratelimit import RateLimiter
from cas_kit.storage import Storage

# Where files are kept is ours; whoever reads it could not open them. An erasing profile is told to nobody.
HIDDEN = frozenset({"avatar_storage_path", "cover_storage_path", "erasing_at"})


@dataclass(frozen=True, slots=True)
class AccountPart:
    """What this service itself keeps."""

    database: Database
    limiter: RateLimiter
    storage: Storage
    name: str = "account"

    def export_user(self, user_id: UUID) -> Iterator[ExportItem]:
        """Profile, pictures, templates, and what happened."""
        with self.database.transaction() as session:
            if (profile := repository.get_profile(session, user_id=user_id)) is not None:
                yield ExportItem("profile", msgspec.json.encode(_profile(profile)))
                for picture in _pictures(profile):
                    yield ExportItem("images", msgspec.json.encode(picture))
            for details in repository.list_details(session, user_id=user_id):
                yield ExportItem("templates", msgspec.json.encode(_template(details)))
            for entry in repository.list_activity(session, user_id=user_id):
                yield ExportItem(ACTIVITY, msgspec.json.encode(_activity(entry)))

    def erase_user(self, user_id: UUID) -> Receipt:
        """Profile, templates, pictures, and whatever names the user; the tombstone and the audit log stay."""
        with self.database.transaction() as session:
            repository.lock_user(session, user_id=user_id)
            rows = repository.delete_user(session, user_id=user_id, keep_topics=ERASURE_TOPICS)
        self.limiter.forget(str(user_id))
        return Receipt(rows=rows, objects=self.storage.delete_prefix(files_of_user(user_id)))


def _profile(profile: Profile) -> dict[str, object]:
    columns = Profile.__table__.columns.keys()
    return {name: getattr(profile, name) for name in columns if name not in HIDDEN}


def _pictures(profile: Profile) -> Iterator[dict[str, object]]:
    """Where the pictures are that were uploaded here: everybody may see them."""
    for place in PLACES:
        if getattr(profile, place.path_column):
            yield {"picture": place.name, "url": getattr(profile, place.url_columns[0])}


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
