"""The gRPC edge of the onboarding service."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import grpc
from cas.onboarding.v1 import onboarding_pb2, onboarding_pb2_grpc

from cas_kit.db import Database
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_onboarding import operations


class OnboardingServicer(onboarding_pb2_grpc.OnboardingServiceServicer):
    """Answers the calls of `protos/cas/onboarding/v1/onboarding.proto`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ExportUser(  # noqa: N802
        self, request: onboarding_pb2.ExportUserRequest, context: grpc.ServicerContext
    ) -> Iterator[onboarding_pb2.ExportUserResponse]:
        """Everything kept about the user."""
        del context
        with self._database.transaction() as session:
            for item in operations.export_user(session, user_id=_user_id(request.user_id)):
                yield onboarding_pb2.ExportUserResponse(section=item.section, document=item.document)

    def EraseUser(  # noqa: N802  the name of the RPC
        self, request: onboarding_pb2.EraseUserRequest, context: grpc.ServicerContext
    ) -> onboarding_pb2.EraseUserResponse:
        """Remove all data of a user."""
        del context
        with self._database.transaction() as session:
            removed = operations.erase_user(session, user_id=_user_id(request.user_id), now=datetime.now(UTC))
        return onboarding_pb2.EraseUserResponse(rows=removed)


def register(server: grpc.Server, database: Database) -> None:
    """Add the service to a gRPC server."""
    onboarding_pb2_grpc.add_OnboardingServiceServicer_to_server(OnboardingServicer(database), server)


def _user_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValidationFailed.of([FieldProblem("user_id", "is not a UUID")]) from None
