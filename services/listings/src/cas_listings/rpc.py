"""The gRPC edge of the listings service: messages to own types, one operation per call."""

from uuid import UUID

import grpc
from cas.listings.v1 import listings_pb2
from cas.listings.v1.listings_pb2_grpc import ListingsServiceServicer, add_ListingsServiceServicer_to_server

from cas_kit.db import Database
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_listings.domain.owner import Owner
from cas_listings.operations.owners import refresh_owner


def register(server: grpc.Server, *, database: Database) -> None:
    """Add the listings service to a server."""
    add_ListingsServiceServicer_to_server(ListingsServicer(database), server)


class ListingsServicer(ListingsServiceServicer):
    """Answers the other services; the comments in the proto say what each call does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def RefreshOwner(  # noqa: N802  the proto's name
        self, request: listings_pb2.RefreshOwnerRequest, context: grpc.ServicerContext
    ) -> listings_pb2.RefreshOwnerResponse:
        """Show another name or picture of an owner."""
        del context
        owner = Owner(
            user_id=_uuid(request.user_id, "user_id"),
            display_name=request.display_name,
            avatar_url=request.avatar_url or None,
            version=request.version,
        )
        with self._database.transaction() as session:
            changed = refresh_owner(session, owner=owner)
        return listings_pb2.RefreshOwnerResponse(changed=changed)


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ValidationFailed.of([FieldProblem(field, "must be a UUID")]) from error
