"""Celery with the settings under which it neither hoards work nor runs it for ever (docs/adr/0016).

A message is only a wake-up: it can be lost or come twice. The truth about what there is to do is a row, which the
task claims, and which a sweeper finds when nobody was woken for it. So a task's arguments are ids.
"""

import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any

import structlog
from celery import Celery, signals
from celery import Task as CeleryTask
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from celery.platforms import EX_FAILURE, EX_OK
from celery.worker import state
from kombu import Queue
from kombu.exceptions import OperationalError
from kombu.transport import virtual
from redis import RedisError

from cas_kit import telemetry
from cas_kit.errors import Unavailable
from cas_kit.pulse import Pulse

# A task is told to end, and killed a little later.
TIME_LIMIT = timedelta(seconds=60)
TIME_TO_GIVE_UP = timedelta(seconds=10)
# Redis delivers again what was not acknowledged for this many time limits: never what still runs.
VISIBILITY = 3
# Against memory that grows: a child is replaced after this many tasks, or beyond this much memory.
TASKS_PER_CHILD = 500
KIBIBYTES_PER_CHILD = 512 * 1024
# Seconds. Publishing must fail soon: the caller has a row and tries again.
CONNECT_TIMEOUT = 1.0
SOCKET_TIMEOUT = 5.0
# Seconds between looks at an idle connection to the broker: one that hangs is replaced within about 10 s.
HEALTH_CHECK_INTERVAL = 4
# Seconds. Children have that long to start on a machine that is busy.
CHILD_START_TIMEOUT = 30.0

# Seconds. How often a worker that was told to stop looks whether it can; and how long the last message it asked for
# may still be on its way: kombu asks for one second at a time.
STOP_CHECK_INTERVAL = 0.1
LAST_MESSAGE = 1.2
BROKER_AWAY = (OperationalError, RedisError, OSError)

log = structlog.get_logger(__name__)


class Task(CeleryTask[Any, Any]):
    """A task that can be woken; when it runs, the request that caused it is bound to its logs."""

    def wake(self, **ids: str) -> None:
        """Ask a worker to run this task soon.

        :raises Unavailable: the broker takes nothing right now.
        """
        headers = {"request_id": telemetry.request_id.get()}
        try:
            self.apply_async(kwargs=ids, headers=headers, retry=False)
        except BROKER_AWAY as error:
            telemetry.TASK_WAKEUPS.labels(self.name, "failed").inc()
            raise Unavailable from error
        telemetry.TASK_WAKEUPS.labels(self.name, "sent").inc()

    def backlog(self) -> int:
        """How many messages wait in this task's queue.

        :raises Unavailable: the broker cannot be asked right now.
        """
        queue = self.app.amqp.router.route({}, self.name)["queue"].name
        try:
            with self.app.connection_for_write() as connection:
                channel: Any = connection.default_channel
                return int(channel.queue_declare(queue=queue).message_count)
        except BROKER_AWAY as error:
            raise Unavailable from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and say once how it went."""
        token = telemetry.request_id.set(telemetry.new_request_id(self.request.get("request_id")))
        began = time.perf_counter()
        try:
            result = super().__call__(*args, **kwargs)
        except Exception:
            log.exception("task_crashed", task=self.name)
            raise
        else:
            log.info("task_done", task=self.name, seconds=round(time.perf_counter() - began, 3))
            return result
        finally:
            telemetry.request_id.reset(token)


def only_sent(**_: object) -> None:
    """What a task is where it is woken and never run.

    :raises RuntimeError: it was run all the same.
    """
    raise RuntimeError("this process wakes the task; a worker runs it")


@dataclass(frozen=True, slots=True)
class QueuedTask:
    """What runs under which name, and where it waits.

    :param name: `<service>.<verb>_<noun>`; `queue`: `<service>.<kind>`.
    :param run: takes ids by keyword, and `**_` for those a newer sender adds; may run twice.
    """

    name: str
    queue: str
    run: Callable[..., None] = only_sent


def create_celery(
    *, service: str, redis_url: str, tasks: Sequence[QueuedTask], time_limit: timedelta = TIME_LIMIT
) -> Celery[Task]:
    """The tasks of one service, connected to nothing: `task_named(app, name).wake(...)` sends, `run_worker` runs.

    :param time_limit: how long a task may run; it is told to give up 10 s before.
    """
    seconds = int(time_limit.total_seconds())
    app = Celery(service, broker=redis_url, task_cls=Task, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_time_limit=seconds,
        task_soft_time_limit=seconds - int(TIME_TO_GIVE_UP.total_seconds()),
        task_queues=[Queue(name) for name in sorted({task.queue for task in tasks})],
        task_routes={task.name: {"queue": task.queue} for task in tasks},
        task_create_missing_queues=False,
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        broker_connection_timeout=CONNECT_TIMEOUT,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(service, seconds),
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_max_tasks_per_child=TASKS_PER_CHILD,
        worker_max_memory_per_child=KIBIBYTES_PER_CHILD,
        worker_proc_alive_timeout=CHILD_START_TIMEOUT,
        # What runs when the broker goes away is finished: it would only be done again.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
    )
    for task in tasks:
        app.task(name=task.name, shared=False)(_function(task))
    return app


def _function(task: QueuedTask) -> Callable[..., None]:
    """What Celery can register: it looks too closely at methods and partials."""

    def run(**ids: Any) -> None:
        task.run(**ids)

    return run


def _transport_options(service: str, time_limit: int) -> dict[str, Any]:
    return {
        "global_keyprefix": f"cas-{service}-tasks:",
        "visibility_timeout": VISIBILITY * time_limit,
        # By default it takes up to 100 s more until a lost message is found; these make it one.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_INTERVAL,
    }


def task_named(app: Celery[Task], name: str) -> Task:
    """The task of this name, to wake it.

    :raises KeyError: there is none.
    """
    task = app.tasks[name]
    if not isinstance(task, Task):
        raise KeyError(name)
    return task


def run_worker(app: Celery[Task], *, concurrency: int, pulse: Pulse) -> None:
    """Run tasks of every queue until SIGTERM or SIGINT, finish those that run, and end the process.

    :param concurrency: how many processes run tasks.
    :param pulse: beats from before the worker says that it is ready, for as long as it can take tasks.
    """
    # It warns of root, who may run in a container; what it fears are pickled messages, and those are refused.
    warnings.simplefilter("ignore", SecurityWarning)
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_ready.connect(_say_ready, weak=False)
    worker = _Worker(
        app=app,
        concurrency=concurrency,
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.pulse = pulse
    worker.start()
    signal.setitimer(signal.ITIMER_REAL, 0)  # it would kill an interpreter that has put its handlers away
    log.info("worker_stopped")
    sys.exit(worker.exitcode)


class _Worker(Worker):
    """Celery's program with two signals, a stop of its own, and nothing printed between the log lines.

    Told to stop while tasks run, Celery may wait 30 s for results that came in and repeat their tasks. So this first
    takes no more messages, lets the loop deliver what runs, and tells Celery only when nothing is left.
    """

    pulse: Pulse
    _told_at: float | None = None

    def install_platform_tweaks(self, worker: Any) -> None:
        """Stop after what runs at the first signal, at once at the second."""
        del worker
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGALRM, self._end_when_idle)

    def on_consumer_ready(self, consumer: Any) -> None:
        """Begin to beat, in the loop that takes tasks: a pulse of another thread would outlive it.

        Comes once; the timer outlives connections.
        """
        self._settle_connection(consumer)
        self.pulse.beat()
        consumer.timer.call_repeatedly(self.pulse.every.total_seconds(), self.pulse.beat)
        super().on_consumer_ready(consumer)

    def _settle_connection(self, consumer: Any) -> None:
        """Have the consumer ask for no more messages once we stop, and free the place of what it could not acknowledge.

        Each connection needs it. Celery calls back at the first one, and at the next if it is asked to again.
        """
        qos = consumer.task_consumer.channel.qos
        has_room = qos.can_consume
        qos.can_consume = lambda: self._told_at is None and has_room()
        qos.ack = partial(_acknowledge, qos, qos.ack)
        consumer.init_callback = self._settle_connection

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._told_at is not None:
            state.should_terminate = EX_FAILURE  # type: ignore[assignment]
            return
        self._told_at = time.monotonic()
        # A timer of the system: without a broker, Celery's own loop does not turn.
        signal.setitimer(signal.ITIMER_REAL, STOP_CHECK_INTERVAL, STOP_CHECK_INTERVAL)

    def _end_when_idle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        waited = time.monotonic() - (self._told_at or 0.0)
        is_idle = waited > LAST_MESSAGE and not state.reserved_requests
        # Without a broker nobody notices that a task is done; by its time limit it is.
        if is_idle or waited > self.app.conf.task_time_limit:
            state.should_stop = EX_OK  # type: ignore[assignment]


def _acknowledge(qos: Any, acknowledge: Callable[[str], None], tag: str) -> None:
    """Tell the broker that a task is done; when it cannot be told, the task no longer counts as under way all the same.

    kombu would keep its place for ever, so a broker that went away while every place was taken left a worker that takes
    nothing. A broker that forgot nothing delivers the message again, and the row says that there is nothing to do.
    """
    try:
        acknowledge(tag)
    except BROKER_AWAY:
        virtual.QoS.ack(qos, tag)
        raise


def _keep_logging(**_: object) -> None:
    """Being there is enough: Celery then leaves the logs as they are."""


def _say_ready(**_: object) -> None:
    log.info("worker_started")
