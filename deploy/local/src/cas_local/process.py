"""One child process: started, watched, stopped, and never outliving the process that started it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cas_local.errors import ProgramFailed

POLL_SECONDS = 0.02
TAIL_LINES = 20
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom a child runs as; by default whoever starts it.

    :param uid: becomes this user, which only root can
    :param user_namespace: is this uid in its own eyes, and whoever starts it in everybody else's
    """

    uid: int | None = None
    user_namespace: int | None = None

    def launch(self, command: Sequence[str], *, death_signal: signal.Signals) -> list[str]:
        """Wrap a command so that it takes this identity and dies with this process."""
        options = [f"--parent={os.getpid()}", f"--death-signal={death_signal.value}"]
        if self.uid is not None:
            options.append(f"--uid={self.uid}")
        if self.user_namespace is not None:
            options.append(f"--user-namespace={self.user_namespace}")
        launcher = Path(__file__).with_name("launch.py")
        return [sys.executable, "-I", "-S", str(launcher), *options, "--", *command]

    def own(self, path: Path) -> None:
        """Give a file or folder of ours to this identity."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)


def installed(command: str) -> list[str]:
    """Begin the command line of a command installed beside this one.

    By the interpreter and not by the script's first line, which is limited in length and to one location.
    """
    return [sys.executable, str(Path(sys.executable).with_name(command))]


@contextlib.contextmanager
def stop_signals_held() -> Iterator[None]:
    """Have whoever is told to stop meanwhile hear of it afterwards: a child that nobody knows of cannot be stopped.

    Holds them for this thread, the only one of a process that starts a stack.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Process:
    """A program with a name and a log file, in a session of its own so that Ctrl-C reaches only its parent.

    The kernel sends ``stop_signal`` when the thread that called :meth:`start` ends, so call it from one that
    lives as long as the program should.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
        identity: Identity | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._stop_signal = stop_signal
        self._identity = identity or Identity()
        self._child: subprocess.Popen[bytes] | None = None
        self._group: int | None = None  # forgotten once killed: the number may by then be another group's
        self._asked_to_stop = False

    @property
    def pid(self) -> int | None:
        """The process id while the program runs."""
        return self._child.pid if self._child and self.running else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """None while it runs and before the first start; negative for a signal."""
        return self._child.poll() if self._child else None

    def start(self) -> None:
        command = self._identity.launch(self._command, death_signal=self._stop_signal)
        self._asked_to_stop = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch(mode=0o600)
        with self.log.open("ab") as output, stop_signals_held():
            self._child = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Not a session: Linux may share the processor out by session, and priorities count within one only.
                process_group=0,
            )
            self._group = self._child.pid

    def ask_to_stop(self) -> None:
        """Send the stop signal, once: many programs take a second one for impatience."""
        if self._child is not None and not self._asked_to_stop:
            self._asked_to_stop = True
            self._child.send_signal(self._stop_signal)

    def stop(self, *, grace: float = 15.0) -> None:
        """Ask politely, then after ``grace`` seconds kill whatever is left of its process group."""
        if self._child is None:
            return
        if self.running:
            self.ask_to_stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(grace)
        self.kill()

    def kill(self) -> None:
        """Kill the process group at once; harmless when it has ended."""
        if self._child is None or self._group is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)
        self._child.wait()
        self._group = None

    def wait_until(self, ready: Callable[[], bool], *, within: float) -> None:
        """Poll until ready.

        :raises ProgramFailed: when the program ends first or ``within`` seconds pass
        """
        deadline = time.monotonic() + within
        while not ready():
            self.require_running()
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready within {within:g} s")
            time.sleep(POLL_SECONDS)

    def require_running(self) -> None:
        """Do nothing while it runs.

        :raises ProgramFailed: when it has ended
        """
        if not self.running:
            raise self.failure(f"ended with code {self.returncode}")

    def finish(self, *, within: float) -> None:
        """Wait for a program which is expected to end by itself; it has ended afterwards in any case.

        :raises ProgramFailed: when it fails or takes longer than ``within`` seconds
        """
        if self._child is None:
            raise RuntimeError(f"{self.name} has not been started.")
        try:
            code = self._child.wait(within)
        except subprocess.TimeoutExpired:
            raise self.failure(f"took longer than {within:g} s") from None
        finally:
            self.kill()
        if code != 0:
            raise self.failure(f"ended with code {code}")

    def failure(self, what: str) -> ProgramFailed:
        """Tell what happened to it, with the last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return ProgramFailed("\n  ".join([f"{self.name} {what}.", *lines[-TAIL_LINES:]]))
