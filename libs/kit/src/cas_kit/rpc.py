"""The gRPC edge every service shares: server and client with deadlines, retries of safe calls, one error mapping."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self, TypeVar

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from cas_kit import telemetry
from cas_kit.breaker import Breaker
from cas_kit.errors import DomainError, InternalError, Kind, Unavailable
from cas_kit.settings import ServiceSettings

WORKERS = 16
# More than this many calls at once are refused early instead of queueing past their deadlines.
MAX_CONCURRENT_CALLS = 64
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
REQUEST_ID = "x-request-id"
ERROR_CODE = "cas-error-code"
# A connection whose other end fell silent is given up after both, in milliseconds; nothing else would notice.
PING_EVERY, PING_TIMEOUT = 10_000, 5_000
LONGEST_CONNECT = 2_000  # milliseconds

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)

STATUS = {
    Kind.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.NOT_ALLOWED: grpc.StatusCode.UNIMPLEMENTED,
    Kind.CONFLICT: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.VERSION_MISMATCH: grpc.StatusCode.ABORTED,
    Kind.TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNSUPPORTED: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class RpcTls:
    """What a service proves who it is with, and the authority it wants the others' proof from."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self | None:
        """The certificates these settings name, None when they name none."""
        certificate, key, authority = (
            settings.rpc_certificate_file,
            settings.rpc_key_file,
            settings.rpc_ca_file,
        )
        if certificate is None or key is None or authority is None:
            return None
        return cls(certificate.read_bytes(), key.read_bytes(), authority.read_bytes())

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server that answers nobody without a certificate of the authority."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], root_certificates=self.authority, require_client_auth=True
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a client that speaks to nobody without a certificate of the authority for that address."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


class RemoteRefusal(Exception):
    """Another service understood the call and refused it; repeating it changes nothing.

    `code` is the stable error code of that service, `status` the gRPC status.
    """

    def __init__(self, status: grpc.StatusCode, code: str) -> None:
        super().__init__(f"{status.name} ({code})")
        self.status = status
        self.code = code


# ---- server ----


class RpcServer:
    """A gRPC server with the health service; `register` adds the servicers.

    :param tls: None for plain text
    """

    def __init__(self, register: Callable[[grpc.Server], None], *, tls: RpcTls | None = None) -> None:
        self._tls = tls
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS, thread_name_prefix="rpc"),
            interceptors=[_Edge()],
            maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),
                # Clients that ping more often than a server permits are sent away; by default that is five minutes.
                ("grpc.http2.min_ping_interval_without_data_ms", PING_EVERY // 2),
            ],
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        register(self._server)

    def start(self, *, host: str, port: int) -> int:
        """Begin to serve; returns the port (a free one for 0).

        :raises RuntimeError: the address is taken.
        """
        address = f"{host}:{port}"
        bound = (
            self._server.add_insecure_port(address)
            if self._tls is None
            else self._server.add_secure_port(address, self._tls.server_credentials())
        )
        self._server.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        return bound

    def announce_stop(self) -> None:
        """Tell watching clients to go elsewhere; calls are still answered."""
        self._health.enter_graceful_shutdown()

    def stop(self, grace: timedelta) -> None:
        """Refuse new calls, let running ones finish within `grace`, then end them."""
        self._server.stop(grace.total_seconds()).wait()


class _Edge(grpc.ServerInterceptor):
    """Wraps every call with one request: request id, deadline, error mapping, metrics. One, since each costs time."""

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = continuation(details)
        if handler is None or handler.request_streaming or details.method.startswith("/grpc.health."):
            return handler
        serializers = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            streaming = _answering_with_many(details.method, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(streaming, **serializers)
        return grpc.unary_unary_rpc_method_handler(
            _answering(details.method, handler.unary_unary), **serializers
        )


def _answering(method: str, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        with _answered(method, context):
            return behaviour(request, context)

    return answer


def _answering_with_many(
    method: str, behaviour: Callable[[Any, Any], Iterable[Any]]
) -> Callable[[Any, Any], Iterator[Any]]:
    def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with _answered(method, context):
            yield from behaviour(request, context)

    return answer


@contextmanager
def _answered(method: str, context: grpc.ServicerContext) -> Iterator[None]:
    started = time.perf_counter()
    offered = dict(context.invocation_metadata()).get(REQUEST_ID)
    id_token = telemetry.request_id.set(telemetry.new_request_id(str(offered or "")))
    deadline_token = _deadline.set(_deadline_of(context))
    status = grpc.StatusCode.OK
    try:
        yield
    except Exception as error:
        refusal = error if isinstance(error, DomainError) else InternalError()
        if refusal is not error:
            log.exception("rpc_crashed", method=method)
        status = STATUS[refusal.kind]
        context.set_trailing_metadata(((ERROR_CODE, refusal.code),))
        context.abort(status, refusal.detail)
    finally:
        telemetry.RPC_SECONDS.labels(method, status.name).observe(time.perf_counter() - started)
        _deadline.reset(deadline_token)
        telemetry.request_id.reset(id_token)


def _deadline_of(context: grpc.ServicerContext) -> float | None:
    remaining: float | None = context.time_remaining()  # the stub forgets that a call may have no deadline
    return None if remaining is None else time.monotonic() + remaining


# ---- client ----


class RpcClient:
    """A channel to one service of another process.

    :param service: full proto name, such as `cas.account.v1.AccountService`.
    :param safe_methods: methods whose comment in the proto says that they are safe to repeat; only these are retried,
        at most twice and only while the other side is unavailable.
    :param tls: None for plain text
    """

    def __init__(
        self, target: str, *, service: str, safe_methods: Sequence[str] = (), tls: RpcTls | None = None
    ) -> None:
        options = _channel_options(service, safe_methods)
        self._breaker = Breaker(service)
        self.channel = (
            grpc.insecure_channel(target, options)
            if tls is None
            else grpc.secure_channel(target, tls.channel_credentials(), options)
        )

    def call(self, method: Callable[..., Answer], request: Any, *, timeout: timedelta) -> Answer:
        """Call a stub's method; never later than the deadline of the call being answered here.

        :raises Unavailable: no answer in time, the other side cannot serve, or did not answer lately.
        :raises RemoteRefusal: it answered with an error of its own.
        """
        with self._called(method, timeout) as options:
            return method(request, **options)

    def stream(
        self, method: Callable[..., Iterable[Answer]], request: Any, *, timeout: timedelta
    ) -> Iterator[Answer]:
        """Call a stub's method that answers with many messages; `timeout` is for all of them together.

        :raises Unavailable: the last one did not come in time, the other side cannot serve, or did not answer lately.
        :raises RemoteRefusal: it answered with an error of its own.
        """
        with self._called(method, timeout) as options:
            yield from method(request, **options)

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()

    @contextmanager
    def _called(self, method: Callable[..., Any], timeout: timedelta) -> Iterator[dict[str, Any]]:
        options = _options(timeout)
        self._breaker.admit(seconds=options["timeout"])
        started = time.perf_counter()
        status = grpc.StatusCode.OK
        try:
            yield options
        except grpc.RpcError as error:
            status = error.code()
            raise _as_error(error) from error
        finally:
            self._breaker.note(status)
            name = getattr(method, "_method", b"")
            label = name.decode() if isinstance(name, bytes) else str(name)
            telemetry.RPC_CLIENT_SECONDS.labels(label, status.name).observe(time.perf_counter() - started)


def _channel_options(service: str, safe_methods: Sequence[str]) -> list[tuple[str, str | int]]:
    return [
        ("grpc.service_config", _service_config(service, safe_methods)),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.min_reconnect_backoff_ms", LONGEST_CONNECT),  # in truth how long one attempt may take
        ("grpc.keepalive_time_ms", PING_EVERY),
        ("grpc.keepalive_timeout_ms", PING_TIMEOUT),
        ("grpc.http2.ping_timeout_ms", PING_TIMEOUT),  # else a minute, whatever the line above says
        ("grpc.http2.max_pings_without_data", 0),  # no limit
    ]


def _service_config(service: str, safe_methods: Sequence[str]) -> str:
    retried = {
        "name": [{"service": service, "method": method} for method in safe_methods],
        "retryPolicy": {
            "maxAttempts": 3,
            "initialBackoff": "0.05s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "healthCheckConfig": {"serviceName": ""},
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
            "methodConfig": [retried] if safe_methods else [],
        }
    )


def _options(timeout: timedelta) -> dict[str, Any]:
    return {
        "timeout": _bounded(timeout.total_seconds()),
        "metadata": ((REQUEST_ID, telemetry.request_id.get()),),
    }


_PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


def _as_error(error: Any) -> Exception:
    if error.code() in _PASSING:
        return Unavailable()
    trailing = dict(error.trailing_metadata() or ())
    return RemoteRefusal(error.code(), str(trailing.get(ERROR_CODE, "")))


def _bounded(timeout: float) -> float:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unavailable  # gRPC may still send a call whose time is over
    return min(timeout, left)
