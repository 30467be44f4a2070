"""A worker of the house, run as a process of its own by test_worker.py: `small_worker.py FOLDER REDIS_URL CHANGES`."""

import json
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from cas_kit.pulse import Pulse
from cas_kit.telemetry import configure_logging
from cas_kit.testing import until
from cas_kit.worker import QueuedTask, create_celery, run_worker

PULSE = timedelta(milliseconds=200)


class SmallTasks:
    """Tasks that leave a file with one byte for each of their runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _ran(self, name: str) -> int:
        """How often it has run, this time included."""
        with (self.folder / name).open("a") as file:
            file.write("x")
        return (self.folder / name).stat().st_size

    def note(self, *, name: str, **_: object) -> None:
        self._ran(name)

    def hold(self, *, name: str, **_: object) -> None:
        """Ends only when the test says so."""
        self._ran(name)
        until((self.folder / "release").exists, within=30)
        self._ran(f"{name}-done")

    def die_once(self, *, name: str, **_: object) -> None:
        if self._ran(name) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def crash(self, *, name: str, **_: object) -> None:
        self._ran(name)
        raise RuntimeError("the task's own trouble")

    def stubborn(self, *, name: str, **_: object) -> None:
        """Does not give up when it is told to."""
        try:
            time.sleep(30)
        finally:
            self._ran(name)
            time.sleep(30)


def small_celery(redis_url: str, folder: Path, **changes):
    """Its Celery application, with settings that keep the tests short."""
    tasks = SmallTasks(folder)
    app = create_celery(
        service="small",
        redis_url=redis_url,
        tasks=[
            QueuedTask(f"small.{run.__name__}", "small.jobs", run)
            for run in (tasks.note, tasks.hold, tasks.die_once, tasks.crash, tasks.stubborn)
        ],
    )
    app.conf.broker_transport_options |= changes.pop("broker_transport_options", {})
    app.conf.update(changes)
    return app


def main() -> None:
    folder, redis_url, changes = sys.argv[1:]
    configure_logging(service="small", level="INFO")
    celery = small_celery(redis_url, Path(folder), **json.loads(changes))
    run_worker(celery, concurrency=2, pulse=Pulse(redis_url, of="small", every=PULSE))


if __name__ == "__main__":
    main()
