"""Second factors of others: see them, and take one off for somebody who lost it."""

from uuid import UUID

from fastapi import Response
from pydantic import TypeAdapter

from cas_auth.operations import administration
from cas_auth.rest.admin.users import USER, act_of
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AdminDep, AuthDep, OriginDep
from cas_auth.rest.schemas import FactorOut
from cas_kit.rest import router

FACTORS = f"{USER}/factors"

routes = router(tags=["admin"])
_factors = TypeAdapter(list[FactorOut])


@routes.get(FACTORS, responses={200: {"model": list[FactorOut]}, **documented(401, 403, 404)})
def list_factors(user_id: UUID, admin: AdminDep, dependencies: AuthDep) -> Response:
    """List the second factors of a user."""
    del admin
    with dependencies.database.transaction() as session:
        user = administration.get_user(session, user_id=user_id)
    shown = [FactorOut.of(factor) for factor in user.factors]
    return Response(_factors.dump_json(shown, exclude_none=True), media_type="application/json")


@routes.delete(f"{FACTORS}/{{factor_id}}", responses={200: {"model": FactorOut}, **documented(401, 403, 404)})
def delete_factor(
    user_id: UUID, factor_id: UUID, admin: AdminDep, dependencies: AuthDep, origin: OriginDep
) -> Response:
    """Take a second factor off a user; sessions that were proven by it fall back to what was proven first."""
    with dependencies.database.transaction() as session:
        factor = administration.delete_factor(
            session, dependencies.tools, user_id=user_id, factor_id=factor_id, act=act_of(admin, origin)
        )
    return Response(FactorOut.of(factor).model_dump_json(exclude_none=True), media_type="application/json")
