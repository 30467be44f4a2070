"""The states of a listing and what may be done in each (docs/spec/domain.md 6.4)."""

from datetime import datetime
from enum import StrEnum

from cas_fields.reading import Json, instant
from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed


class Status(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"
    ARCHIVED = "archived"


class Action(StrEnum):
    EDIT = "edit"
    PUBLISH = "publish"
    UNPUBLISH = "unpublish"
    ARCHIVE = "archive"
    DELETE = "delete"
    DUPLICATE = "duplicate"


_ALIASES = {"paused": Status.UNPUBLISHED}
_ALLOWED = {
    Status.DRAFT: (Action.EDIT, Action.PUBLISH, Action.ARCHIVE, Action.DELETE, Action.DUPLICATE),
    Status.PUBLISHED: (Action.EDIT, Action.UNPUBLISH, Action.DUPLICATE),
    Status.UNPUBLISHED: (Action.EDIT, Action.PUBLISH, Action.ARCHIVE, Action.DUPLICATE),
    Status.ARCHIVED: (Action.DUPLICATE,),
}
_LEADS_TO = {
    Action.PUBLISH: Status.PUBLISHED,
    Action.UNPUBLISH: Status.UNPUBLISHED,
    Action.ARCHIVE: Status.ARCHIVED,
}
_ACTION_TO = {status: action for action, status in _LEADS_TO.items()}
_PAST = {
    Action.EDIT: "changed",
    Action.PUBLISH: "published",
    Action.UNPUBLISH: "unpublished",
    Action.ARCHIVE: "archived",
}


class IllegalTransition(DomainError):
    """An action that the present state of the listing does not allow."""

    kind = Kind.CONFLICT
    code = "illegal-transition"

    def __init__(self, detail: str, *, status: Status, allowed: tuple[Action, ...]) -> None:
        super().__init__(detail)
        self.extensions = {"current_status": status.value, "allowed_actions": [*allowed]}


class DeletionNotAllowed(DomainError):
    """A listing that cannot be deleted now; `deletable_at` is when it can be, if that is only a matter of time."""

    kind = Kind.CONFLICT
    code = "deletion-not-allowed"

    def __init__(self, *, status: Status, allowed: tuple[Action, ...], deletable_at: datetime | None) -> None:
        super().__init__(
            f"An archived listing can be deleted from {instant(deletable_at)} on."
            if deletable_at
            else f"{_named(status)} cannot be deleted. Archive it first."
        )
        shown: dict[str, Json] = {"deletable_at": instant(deletable_at)} if deletable_at else {}
        self.extensions = {"current_status": status.value, "allowed_actions": [*allowed], **shown}


def status_named(name: object) -> Status:
    """The status of this name; `paused` is unpublished.

    :raises ValidationFailed: there is none.
    """
    text = name.strip().lower() if isinstance(name, str) else ""
    try:
        return _ALIASES.get(text) or Status(text)
    except ValueError:
        message = f"must be one of {', '.join(Status)}"
        raise ValidationFailed.of([FieldProblem("status", message, "unknown-option")]) from None


def allowed_actions(status: Status, *, deletable_at: datetime | None, now: datetime) -> tuple[Action, ...]:
    """What an owner may do with a listing in this state, in the order of the interface."""
    if status is Status.ARCHIVED and deletable_at is not None and deletable_at <= now:
        return (Action.DELETE, Action.DUPLICATE)
    return _ALLOWED[status]


def leads_to(action: Action) -> Status:
    """The state in which an action leaves a listing."""
    return _LEADS_TO[action]


def action_to(target: Status, status: Status, *, allowed: tuple[Action, ...]) -> Action:
    """The action that brings a listing into another state.

    :raises IllegalTransition: a draft is one from the beginning or never.
    """
    if target is Status.DRAFT:
        raise IllegalTransition(
            f"{_named(status)} cannot become a draft again.", status=status, allowed=allowed
        )
    return _ACTION_TO[target]


def refusal(action: Action, status: Status, *, allowed: tuple[Action, ...]) -> IllegalTransition:
    """The error for an action that this state does not allow."""
    return IllegalTransition(f"{_named(status)} cannot be {_PAST[action]}.", status=status, allowed=allowed)


def _named(status: Status) -> str:
    return f"{'An' if status in {Status.ARCHIVED, Status.UNPUBLISHED} else 'A'} {status} listing"
