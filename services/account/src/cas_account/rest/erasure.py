"""Delete the caller's account, everywhere (docs/spec/domain.md 8.3)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from cas_account.domain.erasure import check_confirmed
from cas_account.operations.erasure import Leaving, request_erasure
from cas_account.rest import documents
from cas_account.rest.caller import AccountDep, AccountDependencies
from cas_account.rest.documents import JsonBody
from cas_kit.rest import Bearer, json_response, router
from cas_kit.tokens import SessionEnded

PATH, ALIAS = "/api/account", "/api/user/delete"
MESSAGE = "Your account is being deleted."

routes = router(tags=["account"])


class LeavingBearer(Bearer):
    """The caller; also one whose session has ended, since the first request of an erasure ends it."""

    async def __call__(self, request: Request) -> Leaving:  # type: ignore[override]
        """Who it is, and whether this process knows of the end of their session.

        :raises Unauthenticated: there is no valid token.
        """
        dependencies: AccountDependencies = request.app.state.dependencies
        try:
            principal, ended = await super().__call__(request), False
        except SessionEnded as error:
            principal, ended = error.principal, True
        own = principal.issuer == dependencies.issuer
        session_id = principal.session_id if own else None
        return Leaving(user_id=principal.user_id, session_id=session_id, session_ended=ended)


LeavingDep = Annotated[Leaving, Depends(LeavingBearer())]


def delete_account(leaving: LeavingDep, account: AccountDep, body: JsonBody = None) -> Response:
    """Begin, and say so; the rest is done by the outbox."""
    check_confirmed(body)
    deletion_id = request_erasure(
        account.database,
        account.sessions,
        leaving=leaving,
        parts=[part.name for part in account.parts],
        now=datetime.now(UTC),
    )
    answer = {"success": True, "message": MESSAGE, "deletion_id": deletion_id, "status": "pending"}
    return json_response(answer, status=202)


for _method, _path, _summary in (
    ("DELETE", PATH, "Delete your account"),
    ("POST", ALIAS, "Delete your account (as DELETE /api/account)"),
):
    routes.add_api_route(
        _path,
        delete_account,
        methods=[_method],
        status_code=202,
        summary=_summary,
        operation_id=f"{_method.lower()}_account",
        description=(
            "From now on your profile is hidden and your sessions have ended; every service removes what it has "
            "within a minute. Sent again, the answer is the same."
        ),
        openapi_extra=documents.body(documents.CONFIRMATION),
        responses={
            202: documents.answer("The erasure has begun.", documents.ERASURE),
            400: {"description": "The body is no JSON."},
            413: {"description": "The body is larger than 256 KiB."},
            415: {"description": "The body is not `application/json`."},
            422: {"description": "The body does not confirm it; nothing has changed."},
            503: {
                "description": "The auth service cannot say whether your session lasts; nothing has changed."
            },
            **documents.NO_TOKEN,
        },
    )
