"""How the whole system is, for everybody to see (docs/spec/domain.md 8.1)."""

from fastapi import Response

from cas_account.rest import documents
from cas_account.rest.caller import AccountDep
from cas_kit.rest import json_response, router

routes = router(tags=["health"])


@routes.get("/health", include_in_schema=False)
@routes.get(
    "/api/health",
    summary="State of the system",
    description="Always 200 when this service can answer; the verdict is in `status`.",
    responses={200: documents.answer("The state of every part.", documents.HEALTH)},
)
def get_health(account: AccountDep) -> Response:
    """Reused for five seconds."""
    return json_response(account.health.report())
