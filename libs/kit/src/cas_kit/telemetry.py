"""Say what happened, once: structured logs, metrics, and the request id that ties them together."""

import logging
import re
import sys
import threading
import uuid
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from cas_kit.tracebacks import format_privately

request_id: ContextVar[str] = ContextVar("request_id", default="")

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
# Latency objectives of docs/spec/domain.md 9.2 lie between 15 and 400 ms.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.12, 0.25, 0.4, 1.0, 2.5, 10.0)

HTTP_SECONDS = Histogram(
    "cas_http_request_seconds",
    "REST requests by route template.",
    ["method", "route", "status"],
    buckets=_BUCKETS,
)
RPC_SECONDS = Histogram("cas_rpc_seconds", "gRPC calls answered.", ["method", "status"], buckets=_BUCKETS)
RPC_CLIENT_SECONDS = Histogram(
    "cas_rpc_client_seconds", "gRPC calls made.", ["method", "status"], buckets=_BUCKETS
)
RPC_BREAKER_OPEN = Gauge(
    "cas_rpc_breaker_open",
    "1 while a service that did not answer is asked by one call at a time.",
    ["service"],
)
OUTBOX_AGE = Gauge("cas_outbox_age_seconds", "Age of the oldest message that is still tried.")
OUTBOX_PARKED = Gauge("cas_outbox_parked", "Messages that were given up and wait for a person.")
REVOCATIONS_STALE = Gauge(
    "cas_revocations_stale",
    "1 while Redis is away or lacks entries, so that not every ended session is known.",
)
REVOCATIONS_KNOWN = Gauge("cas_revocations_known", "Ended sessions whose access tokens are refused.")
RATE_LIMITER_UNAVAILABLE = Counter(
    "cas_rate_limiter_unavailable_total", "Times a limit was not applied because Redis was away."
)
OUTBOX_DELIVERIES = Counter("cas_outbox_deliveries_total", "Delivery attempts.", ["topic", "result"])
TASK_WAKEUPS = Counter("cas_task_wakeups_total", "Wake-ups sent to workers.", ["task", "result"])


def new_request_id(offered: str | None = None) -> str:
    """The caller's own id when it is short and printable, else a fresh one."""
    if offered and _ACCEPTABLE_ID.fullmatch(offered):
        return offered
    return str(uuid.uuid4())


def configure_logging(*, service: str, level: str) -> None:
    """Write one JSON object per line to standard output, the libraries' own messages included.

    Our own events go straight to the stream; passing them through the standard library costs ten times as much.
    """

    def add_context(
        _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["service"] = service
        if current := request_id.get():
            event["request_id"] = current
        return event

    describe: list[structlog.typing.Processor] = [
        add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *describe,
            _format_exception,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*describe, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _format_exception,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "httpx", "httpcore", "alembic.runtime.plugins", "celery.worker.strategy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.CRITICAL)  # tasks say themselves how they went
    sys.excepthook = _log_the_end
    threading.excepthook = lambda crash: _log_the_end(
        crash.exc_type, crash.exc_value or crash.exc_type(), crash.exc_traceback
    )


def _log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what ends a program or a thread; Python itself would print its text."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("crashed", exc_info=(kind, error, trace))


_format_exception = structlog.processors.ExceptionRenderer(format_privately)


def _to_json(event: Any, **_: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)
