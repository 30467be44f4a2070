"""What the account service asks of others, in its own words."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import httpx
from cas.auth.v1 import auth_pb2
from cas.auth.v1.auth_pb2_grpc import AuthServiceStub
from cas.listings.v1 import listings_pb2
from cas.listings.v1.listings_pb2_grpc import ListingsServiceStub
from cas.onboarding.v1 import onboarding_pb2
from cas.onboarding.v1.onboarding_pb2_grpc import OnboardingServiceStub
from redis import Redis
from redis.exceptions import RedisError

from cas_account.domain.erasure import Receipt
from cas_account.domain.export import ExportItem
from cas_account.domain.health import WorkersMissing
from cas_kit.errors import Unavailable
from cas_kit.outbox import Undeliverable
from cas_kit.pulse import Pulses
from cas_kit.rpc import RemoteRefusal, RpcClient, RpcTls

# Somebody waits for the file, and the gateway for its first byte, which comes after every service has answered.
EXPORT_TIMEOUT = timedelta(seconds=4)
# Somebody who asks to be forgotten waits for the answers to both.
INTROSPECTION_TIMEOUT = CLOSING_TIMEOUT = timedelta(seconds=2)
OWNER_TIMEOUT = timedelta(seconds=2)  # nobody waits but the other messages
ERASURE_TIMEOUT = timedelta(seconds=5)  # nobody waits but the other messages
# Somebody who completes an onboarding waits for the first try.
ROLES_TIMEOUT = timedelta(seconds=1)
PROBE_TIMEOUT = timedelta(seconds=1)


class RemotePart:
    """What another service keeps about users: every one answers the same two calls, with messages of its own.

    :param target: `host:port` of its gRPC server.
    :param messages: the module of its messages.
    :param safe_methods: further calls that may be repeated.
    """

    def __init__(
        self,
        name: str,
        target: str,
        *,
        stub: Callable[[grpc.Channel], Any],
        messages: Any,
        safe_methods: Sequence[str] = (),
        tls: RpcTls | None = None,
    ) -> None:
        self.name = name
        safe = ["ExportUser", "EraseUser", *safe_methods]
        service = messages.DESCRIPTOR.services_by_name[f"{name.capitalize()}Service"]
        self._rpc = RpcClient(target, service=service.full_name, safe_methods=safe, tls=tls)
        self._stub = stub(self._rpc.channel)
        self._messages = messages

    def export_user(self, user_id: UUID) -> Iterator[ExportItem]:
        """Everything it keeps about a user; nothing when it knows no such user.

        :raises Unavailable: it did not answer in time.
        """
        request = self._messages.ExportUserRequest(user_id=str(user_id))
        for item in self._rpc.stream(self._stub.ExportUser, request, timeout=EXPORT_TIMEOUT):
            yield ExportItem(item.section, item.document)

    def erase_user(self, user_id: UUID) -> Receipt:
        """Remove everything it keeps about a user. Safe to repeat.

        :raises Unavailable: it did not answer in time.
        """
        request = self._messages.EraseUserRequest(user_id=str(user_id))
        answer = self._rpc.call(self._stub.EraseUser, request, timeout=ERASURE_TIMEOUT)
        return Receipt(rows=answer.rows, objects=answer.objects)

    def close(self) -> None:
        """Close the channel."""
        self._rpc.close()


class OnboardingClient(RemotePart):
    """The onboarding service."""

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        super().__init__("onboarding", target, stub=OnboardingServiceStub, messages=onboarding_pb2, tls=tls)


class ListingsClient(RemotePart):
    """The listings service."""

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        super().__init__(
            "listings",
            target,
            stub=ListingsServiceStub,
            messages=listings_pb2,
            safe_methods=["RefreshOwner"],
            tls=tls,
        )

    def refresh_owner(self, *, user_id: UUID, display_name: str, avatar_url: str, version: int) -> None:
        """Let the user's listings show this name and picture. Safe to repeat; an older version changes nothing.

        :raises Unavailable: it did not answer in time.
        """
        request = listings_pb2.RefreshOwnerRequest(
            user_id=str(user_id), display_name=display_name, avatar_url=avatar_url, version=version
        )
        self._rpc.call(self._stub.RefreshOwner, request, timeout=OWNER_TIMEOUT)


class AuthClient(RemotePart):
    """The auth service."""

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        super().__init__(
            "auth",
            target,
            stub=AuthServiceStub,
            messages=auth_pb2,
            safe_methods=["SetAppRoles", "IntrospectSession", "CloseUser"],
            tls=tls,
        )

    def set_app_roles(
        self, *, user_id: UUID, roles: Sequence[str], active_role: str | None, version: int
    ) -> None:
        """Let the user's next token carry these roles. Safe to repeat; an older version changes nothing.

        A user whom auth no longer has needs no roles: that is no failure.

        :raises Undeliverable: the auth service will never accept it.
        :raises Unavailable: it did not answer in time.
        """
        request = auth_pb2.SetAppRolesRequest(
            user_id=str(user_id), roles=roles, active_role=active_role, version=version
        )
        try:
            self._rpc.call(self._stub.SetAppRoles, request, timeout=ROLES_TIMEOUT)
        except RemoteRefusal as refusal:
            if refusal.status is not grpc.StatusCode.NOT_FOUND:
                raise Undeliverable(str(refusal)) from refusal

    def is_session_active(self, *, user_id: UUID, session_id: str) -> bool:
        """Whether a session lasts at this moment; what is no session id does not.

        :raises Unavailable: it did not answer in time.
        """
        request = auth_pb2.IntrospectSessionRequest(user_id=str(user_id), session_id=session_id)
        try:
            state = self._rpc.call(self._stub.IntrospectSession, request, timeout=INTROSPECTION_TIMEOUT)
        except RemoteRefusal:
            return False
        return bool(state.active)

    def close_user(self, user_id: UUID) -> None:
        """Sign the user out everywhere, for good. Safe to repeat.

        :raises Unavailable: it did not answer in time.
        """
        request = auth_pb2.CloseUserRequest(user_id=str(user_id))
        self._rpc.call(self._stub.CloseUser, request, timeout=CLOSING_TIMEOUT)


class ReadinessProbe:
    """The readiness address of another service."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(timeout=PROBE_TIMEOUT.total_seconds(), trust_env=False)

    def check(self) -> None:
        """Prove that the service can serve.

        :raises Unavailable: it cannot, or does not answer.
        """
        try:
            self._http.get(self._url).raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class WorkersProbe:
    """The workers of the services.

    :param workers: the services that have one.
    """

    def __init__(self, url: str, *, workers: Sequence[str]) -> None:
        self._pulses = Pulses(url)
        self._workers = workers

    def check(self) -> None:
        """Prove that each of them lives.

        :raises WorkersMissing: one does not.
        :raises Unavailable: it cannot be told.
        """
        if missing := self._pulses.missing(self._workers):
            raise WorkersMissing(missing)

    def close(self) -> None:
        """Close the connection."""
        self._pulses.close()


class RedisProbe:
    """The Redis that holds rate limits."""

    def __init__(self, url: str) -> None:
        timeout = PROBE_TIMEOUT.total_seconds()
        self._redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)

    def check(self) -> None:
        """Prove that a command runs.

        :raises Unavailable: it does not.
        """
        try:
            self._redis.ping()
        except RedisError as error:
            raise Unavailable from error

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
