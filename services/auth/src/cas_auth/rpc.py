"""The gRPC edge: what other services ask about users."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import grpc
from cas.auth.v1 import auth_pb2, auth_pb2_grpc

from cas_auth.domain.accounts import account_name
from cas_auth.domain.audit import Origin
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.models import User
from cas_auth.operations import directory
from cas_auth.operations.export import export_user
from cas_auth.operations.tools import Tools
from cas_kit import telemetry
from cas_kit.db import Database
from cas_kit.ratelimit import RateLimiter


class AuthServicer(auth_pb2_grpc.AuthServiceServicer):
    """Answers the calls of `protos/cas/auth/v1/auth.proto`."""

    def __init__(self, database: Database, tools: Tools, limiter: RateLimiter) -> None:
        self._database = database
        self._tools = tools
        self._limiter = limiter

    def GetUser(  # noqa: N802  named by the proto
        self, request: auth_pb2.GetUserRequest, context: grpc.ServicerContext
    ) -> auth_pb2.GetUserResponse:
        """The user of this id."""
        del context
        with self._database.transaction() as session:
            user = directory.get_user(session, user_id=_uuid(request.user_id, "user_id"))
        return auth_pb2.GetUserResponse(user=_message(user))

    def BatchGetUsers(  # noqa: N802
        self, request: auth_pb2.BatchGetUsersRequest, context: grpc.ServicerContext
    ) -> auth_pb2.BatchGetUsersResponse:
        """Those of these users that there are."""
        del context
        user_ids = {_uuid(text, "user_ids") for text in request.user_ids}
        with self._database.transaction() as session:
            found = directory.list_users(session, user_ids=user_ids)
        return auth_pb2.BatchGetUsersResponse(users=[_message(user) for user in found])

    def IntrospectSession(  # noqa: N802
        self, request: auth_pb2.IntrospectSessionRequest, context: grpc.ServicerContext
    ) -> auth_pb2.IntrospectSessionResponse:
        """Whether a session lasts."""
        del context
        with self._database.transaction() as session:
            state = directory.introspect_session(
                session,
                self._tools,
                user_id=_uuid(request.user_id, "user_id"),
                session_id=_uuid(request.session_id, "session_id"),
                now=datetime.now(UTC),
            )
        return auth_pb2.IntrospectSessionResponse(
            active=state.active, aal=state.aal or "", banned=state.banned
        )

    def SetAppRoles(  # noqa: N802
        self, request: auth_pb2.SetAppRolesRequest, context: grpc.ServicerContext
    ) -> auth_pb2.SetAppRolesResponse:
        """Put roles and active role into the user's tokens."""
        del context
        with self._database.transaction() as session:
            applied = directory.set_app_roles(
                session,
                user_id=_uuid(request.user_id, "user_id"),
                roles=request.roles,
                active_role=request.active_role if request.HasField("active_role") else None,
                version=request.version,
                now=datetime.now(UTC),
            )
        return auth_pb2.SetAppRolesResponse(applied=applied)

    def ExportUser(  # noqa: N802
        self, request: auth_pb2.ExportUserRequest, context: grpc.ServicerContext
    ) -> Iterator[auth_pb2.ExportUserResponse]:
        """Everything kept about the user."""
        del context
        with self._database.transaction() as session:
            for item in export_user(session, user_id=_uuid(request.user_id, "user_id")):
                yield auth_pb2.ExportUserResponse(section=item.section, document=item.document)

    def CloseUser(  # noqa: N802
        self, request: auth_pb2.CloseUserRequest, context: grpc.ServicerContext
    ) -> auth_pb2.CloseUserResponse:
        """Sign the user out for good."""
        del context
        with self._database.transaction() as session:
            ended = directory.close_user(
                session, user_id=_uuid(request.user_id, "user_id"), now=datetime.now(UTC)
            )
        return auth_pb2.CloseUserResponse(ended=ended)

    def EraseUser(  # noqa: N802
        self, request: auth_pb2.EraseUserRequest, context: grpc.ServicerContext
    ) -> auth_pb2.EraseUserResponse:
        """Forget the user, and first what was counted for them: afterwards nobody knows their addresses."""
        del context
        user_id = _uuid(request.user_id, "user_id")
        with self._database.transaction() as session:
            addresses = directory.list_addresses(session, user_id=user_id)
        for name in (str(user_id), *map(account_name, addresses)):
            self._limiter.forget(name)
        with self._database.transaction() as session:
            removed = directory.erase_user(
                session,
                user_id=user_id,
                origin=Origin(request_id=telemetry.request_id.get()),
                now=datetime.now(UTC),
            )
        return auth_pb2.EraseUserResponse(rows=removed)


def register(server: grpc.Server, *, database: Database, tools: Tools, limiter: RateLimiter) -> None:
    """Let `server` answer these calls."""
    auth_pb2_grpc.add_AuthServiceServicer_to_server(AuthServicer(database, tools, limiter), server)


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidRequest(f"{field} must be a UUID") from error


def _message(user: User) -> auth_pb2.User:
    message = auth_pb2.User(
        id=str(user.id),
        email=user.email or "",
        email_verified=user.email_confirmed_at is not None,
        phone=user.phone or "",
        phone_verified=user.phone_confirmed_at is not None,
        display_name=user.display_name,
    )
    message.created_at.FromDatetime(user.created_at)
    return message
