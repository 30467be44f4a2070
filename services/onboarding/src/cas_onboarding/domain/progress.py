"""Which of several saves wins, so that none moves a person backwards (docs/spec/domain.md 5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cas_kit.errors import DomainError, FieldProblem, Kind, ValidationFailed

FIRST_STEP, LAST_STEP = 1, 5
MAX_STEP_DATA_BYTES = 64 * 1024
MAX_STEP_DATA_DEPTH = 8
REMEMBERED_SESSIONS = 10

StepData = Mapping[str, Any]

# JSON to compare by: Python's own comparison takes true for 1.
_canonical = msgspec.json.Encoder(order="deterministic").encode


class StepDataTooLarge(DomainError):
    kind = Kind.TOO_LARGE
    code = "step-data-too-large"
    sentence = "data: must be at most 64 KiB; shorten the longest answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """What one save asks for.

    `session` names the wizard session, `""` being the one unnamed session; `revision` counts the saves of a session.
    """

    step: int
    data: StepData
    is_complete: bool = False
    session: str = ""
    revision: int | None = None

    @property
    def belongs_to_session(self) -> bool:
        """False for a plain client, which knows neither sessions nor revisions."""
        return self.session != "" or self.revision is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The saved answers of one user in one role.

    `past_sessions` are the last sessions that another one took over from, oldest first.
    """

    current_step: int
    furthest_step: int
    step_data: StepData
    is_complete: bool = False
    client_session: str = ""
    client_revision: int | None = None
    past_sessions: tuple[str, ...] = ()

    @property
    def _belongs_to_session(self) -> bool:
        return self.client_session != "" or self.client_revision is not None

    def after(self, save: Save) -> "Decision":
        """Decide about a save that arrives now (rules 3 to 9)."""
        if self.is_complete:
            return Decision(progress=self, applied=self._holds(save))
        if self._is_late(save):
            return Decision(progress=self, applied=self._is_repeated_by(save) and self._holds(save))
        return Decision(progress=self._overwritten_by(save), applied=True)

    def _is_late(self, save: Save) -> bool:
        if self._is_foreign(save):
            return save.session in self.past_sessions
        if self.client_revision is None:
            return False
        if save.revision is None:
            return save.step < self.current_step
        return save.revision <= self.client_revision

    def _is_foreign(self, save: Save) -> bool:
        return save.belongs_to_session and save.session != self.client_session

    def _is_repeated_by(self, save: Save) -> bool:
        return not self._is_foreign(save) and save.revision == self.client_revision

    def _holds(self, save: Save) -> bool:
        return _canonical([self.current_step, self.step_data, self.is_complete]) == _canonical(
            [save.step, save.data, save.is_complete]
        )

    def _overwritten_by(self, save: Save) -> "Progress":
        taken_over = self._is_foreign(save)
        past = self.past_sessions
        if taken_over and self._belongs_to_session:
            past = (*past, self.client_session)[-REMEMBERED_SESSIONS:]
        keeps_revision = save.revision is None and not taken_over
        return Progress(
            current_step=save.step,
            furthest_step=max(self.furthest_step, save.step),
            step_data=save.data,
            is_complete=save.is_complete,
            client_session=save.session if taken_over else self.client_session,
            client_revision=self.client_revision if keeps_revision else save.revision,
            past_sessions=past,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is stored after a save, and whether what the save asked for is stored."""

    progress: Progress
    applied: bool

    def changes(self, stored: Progress) -> bool:
        """Whether there is anything to write over `stored`."""
        return _canonical(self.progress) != _canonical(stored)


def decide(stored: Progress | None, save: Save) -> Decision:
    """Hold a save against what is stored; the first save of a row always counts."""
    if stored is not None:
        return stored.after(save)
    begun = Progress(
        current_step=save.step,
        furthest_step=save.step,
        step_data=save.data,
        is_complete=save.is_complete,
        client_session=save.session,
        client_revision=save.revision,
    )
    return Decision(progress=begun, applied=True)


def check_step_data(data: StepData) -> None:
    """Refuse what a row cannot hold.

    :raises StepDataTooLarge: more than 64 KiB as JSON.
    :raises ValidationFailed: nested deeper than 8.
    """
    if len(msgspec.json.encode(data)) > MAX_STEP_DATA_BYTES:
        raise StepDataTooLarge
    if _depth(data) > MAX_STEP_DATA_DEPTH:
        problem = FieldProblem("data", f"must not be nested deeper than {MAX_STEP_DATA_DEPTH}", "too-deep")
        raise ValidationFailed.of([problem])


def _depth(value: Any) -> int:
    match value:
        case dict():
            return 1 + max(map(_depth, value.values()), default=0)
        case list():
            return 1 + max(map(_depth, value), default=0)
    return 0
