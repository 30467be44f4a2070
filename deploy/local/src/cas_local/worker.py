"""A program that nobody calls: ready when its log says that it takes work."""

from cas_local.http_server import STOP_SECONDS, wait_until_ready
from cas_local.process import Process

READY = b'"event":"worker_started"'


class Worker:
    """A service's worker; what it works on waits in Redis and PostgreSQL."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._log_begins = 0

    def start(self) -> None:
        """Start it and wait until it takes work.

        :raises ProgramFailed: when it ends or is not ready in time
        """
        self.launch()
        wait_until_ready([self])

    def launch(self) -> None:
        """Start it without waiting."""
        log = self.process.log
        self._log_begins = log.stat().st_size if log.exists() else 0
        self.process.start()

    def is_ready(self) -> bool:
        """Tell whether it has taken work since it was launched."""
        with self.process.log.open("rb") as log:
            log.seek(self._log_begins)
            return READY in log.read()

    def stop(self) -> None:
        """Stop it when it has finished what it works on, by force if that takes too long."""
        self.process.stop(grace=STOP_SECONDS)
