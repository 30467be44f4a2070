"""The REST edge of the onboarding service (docs/spec/domain.md 5.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt

from cas_kit.body import JsonRoute
from cas_kit.db import Database
from cas_kit.errors import Unauthenticated, Unavailable
from cas_kit.idempotency import KeyedRequest, KeyedRequestDep, answer_once, keep_answer
from cas_kit.outbox import Relay
from cas_kit.rest import (
    DatabaseDep,
    Dependencies,
    IfMatchDep,
    IfNoneMatch,
    PrincipalDep,
    etag,
    json_response,
    not_modified,
    router,
)
from cas_onboarding import operations
from cas_onboarding.domain.completion import missing_answers
from cas_onboarding.domain.progress import FIRST_STEP, LAST_STEP, Save
from cas_onboarding.domain.roles import Role, UnknownRole, role_named
from cas_onboarding.models import idempotency_keys
from cas_onboarding.operations import Saved
from cas_onboarding.repository import Effects, StoredProgress


class BeaconRoute(JsonRoute):
    """A page that is being left can send JSON only as text, or without saying what it is (5.4)."""

    json_content_types = frozenset({"application/json", "text/plain", ""})


routes = router(tags=["onboarding"], route_class=BeaconRoute)


@dataclass(frozen=True, slots=True)
class OnboardingDependencies(Dependencies):
    """What the endpoints are given."""

    relay: Relay


async def _relay(request: Request) -> Relay:
    relay: Relay = request.app.state.dependencies.relay
    return relay


async def _role_in_path(role_type: str) -> Role:
    return role_named(role_type)


def _role_in_body(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return role_named(value)
    except UnknownRole as error:
        raise ValueError(error.detail) from None


RelayDep = Annotated[Relay, Depends(_relay)]
RoleInPathDep = Annotated[Role, Depends(_role_in_path)]


class SaveProgress(BaseModel):
    """One save of a wizard. Unknown names are ignored."""

    step: Annotated[StrictInt, Field(ge=FIRST_STEP, le=LAST_STEP)]
    role_type: Annotated[
        Role, BeforeValidator(_role_in_body), Field(description="`provider` and `seeker` are understood too.")
    ]
    data: dict[str, Any] = {}
    is_complete: StrictBool = False
    client_revision: Annotated[StrictInt | None, Field(ge=0, description="Counts the saves of a tab.")] = None
    client_session: Annotated[
        str | None, Field(max_length=64, description="Names one run of a wizard in one tab.")
    ] = None

    def as_save(self) -> Save:
        """The save in the words of the rules."""
        return Save(
            step=self.step,
            data=self.data,
            is_complete=self.is_complete,
            session=self.client_session or "",
            revision=self.client_revision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressAnswer:
    """Saved answers. `effects` is null until completion; `missing` names step fields not answered."""

    success: Literal[True] = True
    message: str
    progress_id: UUID
    updated_at: datetime
    current_step: int
    step_data: dict[str, Any]
    is_complete: bool
    role_type: Role
    furthest_step: int
    client_revision: int | None
    version: int
    applied: bool
    effects: Effects | None
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class ProgressList:
    """The saved answers of all roles."""

    progress: Sequence[ProgressAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A request that leaves nothing to show."""

    success: Literal[True] = True
    message: str


_Responses = dict[int | str, dict[str, Any]]
_PROBLEMS: _Responses = {401: {"description": "No valid token."}}
_WRITE_PROBLEMS: _Responses = {
    **_PROBLEMS,
    409: {"description": "A request with this `Idempotency-Key` is still running."},
    412: {"description": "Another version is stored."},
    422: {"description": "A field or the `Idempotency-Key` cannot be accepted; `detail` says which."},
}


@routes.post(
    "/api/onboarding/save-progress",
    summary="Save answers, or complete the onboarding",
    description=(
        "Saves of one wizard session are ordered by `client_revision`; a late one is answered with what is stored "
        "and `applied: false`. Also takes the JSON as `text/plain` or without a content type. "
        "Honours `If-Match` and `Idempotency-Key`."
    ),
    responses={
        200: {"model": ProgressAnswer},
        400: {"description": "The body is not JSON."},
        413: {"description": "`data` is larger than 64 KiB."},
        415: {"description": "The body is neither JSON nor text."},
        **_WRITE_PROBLEMS,
    },
)
def save_progress(
    *,
    body: SaveProgress,
    principal: PrincipalDep,
    database: DatabaseDep,
    relay: RelayDep,
    if_match: IfMatchDep,
    keyed: KeyedRequestDep,
) -> Response:
    """Save, commit, and let a completion take effect before the answer if that is quick."""
    saved: Saved | None = None

    def save() -> Response:
        nonlocal saved
        saved = operations.save_progress(
            session,
            user_id=principal.user_id,
            role=body.role_type,
            save=body.as_save(),
            check_version=if_match.check,
            now=datetime.now(UTC),
        )
        return _saved_response(saved)

    with database.transaction() as session:
        answer = answer_once(session, idempotency_keys, keyed, save)
        if saved is None or saved.stored.effects is not Effects.PENDING:
            return answer
        if keyed is not None:
            keep_answer(session, idempotency_keys, keyed, answer, for_now=True)
    return _answer_to_repeat(database, keyed, _answer_of_completion(relay, saved, answer), otherwise=answer)


@routes.get(
    "/api/onboarding/progress/{role_type}",
    summary="Saved answers of one role",
    responses={
        200: {"model": ProgressAnswer},
        304: {"description": "Unchanged since the `ETag` in `If-None-Match`."},
        400: {"description": "Unknown role."},
        404: {"description": "Nothing is saved."},
        **_PROBLEMS,
    },
)
def get_progress(
    role: RoleInPathDep, principal: PrincipalDep, database: DatabaseDep, if_none_match: IfNoneMatch = ""
) -> Response:
    """One statement, outside any transaction."""
    with database.autocommit() as connection:
        stored = operations.get_progress(connection, user_id=principal.user_id, role=role)
    headers = _headers(stored)
    if headers and not_modified(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return json_response(_answer(stored, message="Progress found."), headers=headers)


@routes.get(
    "/api/onboarding/progress",
    summary="Saved answers of all roles",
    responses={200: {"model": ProgressList}, **_PROBLEMS},
)
def list_progress(principal: PrincipalDep, database: DatabaseDep) -> Response:
    """One statement, outside any transaction."""
    with database.autocommit() as connection:
        found = operations.list_progress(connection, user_id=principal.user_id)
    return json_response(ProgressList([_answer(stored, message="Progress found.") for stored in found]))


@routes.delete(
    "/api/onboarding/progress/{role_type}",
    summary="Forget the saved answers of one role",
    description="The role and the professional info stay. Honours `If-Match` and `Idempotency-Key`.",
    responses={200: {"model": Done}, 400: {"description": "Unknown role."}, **_WRITE_PROBLEMS},
)
def delete_progress(
    role: RoleInPathDep,
    principal: PrincipalDep,
    database: DatabaseDep,
    if_match: IfMatchDep,
    keyed: KeyedRequestDep,
) -> Response:
    """Also fine when there is nothing to forget."""

    def forget() -> Response:
        operations.delete_progress(
            session, user_id=principal.user_id, role=role, check_version=if_match.check
        )
        return json_response(Done(message="Progress deleted."))

    with database.transaction() as session:
        return answer_once(session, idempotency_keys, keyed, forget)


def _answer_of_completion(relay: Relay, saved: Saved, pending: Response) -> Response:
    """The answer that it took effect, if it does so now."""
    if saved.stored.completion_id is None or not relay.deliver(saved.stored.completion_id):
        return pending
    return _saved_response(replace(saved, stored=replace(saved.stored, effects=Effects.APPLIED)))


def _answer_to_repeat(
    database: Database, keyed: KeyedRequest | None, answer: Response, *, otherwise: Response
) -> Response:
    """Make `answer` what a repeated request gets, so that it is what the client saw first.

    Not for somebody who was erased meanwhile: nothing of theirs is written again.
    """
    if keyed is None:
        return answer
    try:
        with database.transaction() as session:
            operations.hold_user(session, user_id=keyed.user_id)
            keep_answer(session, idempotency_keys, keyed, answer)
    except (Unavailable, Unauthenticated):
        return otherwise
    return answer


def _saved_response(saved: Saved) -> Response:
    return json_response(
        _answer(saved.stored, message=_message(saved), applied=saved.applied), headers=_headers(saved.stored)
    )


def _message(saved: Saved) -> str:
    if not saved.applied:
        return "Newer progress is already saved."
    return "Onboarding completed." if saved.stored.progress.is_complete else "Progress saved."


def _headers(stored: StoredProgress) -> dict[str, str]:
    """No tag while effects are pending: the answer will change without a new version."""
    return {} if stored.effects is Effects.PENDING else {"ETag": etag(stored.version)}


def _answer(stored: StoredProgress, *, message: str, applied: bool = True) -> ProgressAnswer:
    progress = stored.progress
    return ProgressAnswer(
        message=message,
        progress_id=stored.id,
        updated_at=stored.updated_at,
        current_step=progress.current_step,
        step_data=dict(progress.step_data),
        is_complete=progress.is_complete,
        role_type=stored.role,
        furthest_step=progress.furthest_step,
        client_revision=progress.client_revision,
        version=stored.version,
        applied=applied,
        effects=stored.effects,
        missing=missing_answers(stored.role, progress.step_data),
    )
