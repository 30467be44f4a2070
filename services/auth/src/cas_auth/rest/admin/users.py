"""List, add, change and delete users."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from cas_auth.domain.audit import Origin
from cas_auth.domain.user_list import UserMatch
from cas_auth.operations import administration
from cas_auth.operations.administration import Act
from cas_auth.rest.admin import ADMIN_PREFIX
from cas_auth.rest.admin.paging import Page, cursor_headers, read_cursor, write_cursor
from cas_auth.rest.admin.schemas import (
    DeletionIn,
    NewUserIn,
    PaginationOut,
    UserAttributesIn,
    UserListIn,
    UserListOut,
)
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import Admin, AdminDep, AuthDep, AuthDependencies, OriginDep
from cas_auth.rest.schemas import NothingOut, UserOut
from cas_auth.rest.sessions import user_response
from cas_kit.rest import json_response, router

USERS = f"{ADMIN_PREFIX}/users"
USER = f"{USERS}/{{user_id}}"
ListDep = Annotated[UserListIn, Query()]

routes = router(tags=["admin"])


def act_of(admin: Admin, origin: Origin) -> Act:
    """What is done in this request, for the record."""
    return Act(admin.user_id, origin, datetime.now(UTC))


@routes.get(USERS, responses={200: {"model": UserListOut}, **documented(400, 401, 403)})
def list_users(admin: AdminDep, dependencies: AuthDep, query: ListDep) -> Response:
    """List users, newest first: by page numbers, or from a cursor (empty: from the beginning).

    `email` is one whole address, `filter` how addresses begin; both are quick however many users there are.
    """
    del admin
    asked = Page.read(query.page, query.per_page)
    kept = {"email": query.email, "filter": query.filter}
    if query.cursor is not None:
        return _list_after(dependencies, query.match, query.cursor, asked.per_page, kept)
    with dependencies.database.transaction() as session:
        found = administration.list_user_page(
            session, query.match, page=asked.number, per_page=asked.per_page
        )
    headers = asked.headers(USERS, total=found.total or 0, query=kept)
    return _rendered(UserListOut.of(found.users, audience=dependencies.settings.audience), headers)


@routes.post(USERS, responses={200: {"model": UserOut}, **documented(400, 401, 403, 413, 422, 503)})
def create_user(body: NewUserIn, admin: AdminDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Add a user, with a password, a hash of another system, or neither. Nobody is mailed."""
    user = administration.create_user(
        dependencies.database,
        dependencies.tools,
        user_id=body.id,
        attributes=body.attributes,
        act=act_of(admin, origin),
    )
    return user_response(user, audience=dependencies.settings.audience)


@routes.get(USER, responses={200: {"model": UserOut}, **documented(401, 403, 404)})
def get_user(user_id: UUID, admin: AdminDep, dependencies: AuthDep) -> Response:
    """Get one user."""
    del admin
    with dependencies.database.transaction() as session:
        user = administration.get_user(session, user_id=user_id)
    return user_response(user, audience=dependencies.settings.audience)


@routes.put(USER, responses={200: {"model": UserOut}, **documented(400, 401, 403, 404, 413, 422, 503)})
def update_user(
    user_id: UUID, body: UserAttributesIn, admin: AdminDep, dependencies: AuthDep, origin: OriginDep
) -> Response:
    """Change a user. A new password or a ban ends their sessions; a null in metadata removes its key."""
    user = administration.update_user(
        dependencies.database,
        dependencies.tools,
        user_id=user_id,
        attributes=body.attributes,
        act=act_of(admin, origin),
    )
    return user_response(user, audience=dependencies.settings.audience)


@routes.delete(USER, responses={200: {"model": NothingOut}, **documented(401, 403, 404)})
def delete_user(
    user_id: UUID,
    admin: AdminDep,
    dependencies: AuthDep,
    origin: OriginDep,
    body: DeletionIn | None = None,
) -> Response:
    """Delete a user; with `should_soft_delete` the id stays, and nothing else."""
    keep_id = body is not None and bool(body.should_soft_delete)
    with dependencies.database.transaction() as session:
        administration.delete_user(session, user_id=user_id, keep_id=keep_id, act=act_of(admin, origin))
    return json_response({})


def _list_after(
    dependencies: AuthDependencies, match: UserMatch, cursor: str, per_page: int, kept: dict[str, str]
) -> Response:
    with dependencies.database.transaction() as session:
        found = administration.list_users_after(session, match, cursor=read_cursor(cursor), per_page=per_page)
    following = write_cursor(found.next_cursor) if found.next_cursor else None
    document = UserListOut.of(
        found.users,
        audience=dependencies.settings.audience,
        pagination=PaginationOut(next_cursor=following, has_more=following is not None),
    )
    headers = cursor_headers(USERS, cursor=following, query={"per_page": str(per_page), **kept})
    return _rendered(document, headers)


def _rendered(document: UserListOut, headers: dict[str, str]) -> Response:
    body = document.model_dump_json(exclude_none=True)
    return Response(body, headers=headers, media_type="application/json")
