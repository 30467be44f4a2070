"""What a service holds to have pictures processed: safe to use from many threads at once."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from cas_kit.errors import Unavailable
from cas_kit.images.errors import ImageTooLarge, ImageUnreadable, UnsupportedImageType
from cas_kit.images.inspection import ImageLimits, inspect
from cas_kit.images.recipes import STARTED, Answer, Bounds, Job, Picture, Recipe

CHUNK = 1 << 20
MOST_ANSWERED = 64 * 1024 * 1024
START_SECONDS = 10.0
GRACE = 1.0  # seconds beyond the child's own limit
TOO_COSTLY = (
    "The picture takes too long to open, or too much memory. Save it as a plain JPEG, then try again."
)
# The output does not depend on the number of processors; nothing is swapped to files; no arena is set aside per thread.
ENVIRONMENT = {"VIPS_CONCURRENCY": "1", "VIPS_DISC_THRESHOLD": "1g", "MALLOC_ARENA_MAX": "1"}

_REFUSALS = {refusal.code: refusal for refusal in (ImageTooLarge, ImageUnreadable, UnsupportedImageType)}

log = structlog.get_logger(__name__)


class ImageProcessor:
    """Makes pictures out of files, each in a process of its own that the kernel ends when it takes too much.

    The warm process behind it starts with the first picture, and anew when it was lost.

    :param at_once: how many pictures are decoded at the same time; more wait for their turn.
    """

    def __init__(
        self, *, limits: ImageLimits | None = None, bounds: Bounds | None = None, at_once: int = 2
    ) -> None:
        self._limits = limits or ImageLimits()
        self._bounds = bounds or Bounds()
        self._turns = threading.BoundedSemaphore(at_once)
        self._starting = threading.Lock()
        self._warm: _WarmProcess | None = None

    def process(self, data: bytes, recipe: Recipe) -> Picture:
        """Make the variants of `recipe`. Safe to repeat: the same file gives the same bytes.

        :raises DomainError: one of `cas_kit.images.errors`, when the file is to blame.
        :raises Unavailable: too many pictures are waiting, or the machine is too busy.
        """
        header = inspect(data, self._limits)
        job = Job(recipe, header.type.value, self._limits.pixels, data)
        with self._turn():
            answer = self._run(msgspec.msgpack.encode(job))
        if answer.picture is not None:
            return answer.picture
        raise _REFUSALS.get(answer.refusal or "", ImageUnreadable)

    def close(self) -> None:
        """End the warm process."""
        with self._starting:
            if self._warm is not None:
                self._warm.close()
                self._warm = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._bounds.wall):
            raise Unavailable
        try:
            yield
        finally:
            self._turns.release()

    def _run(self, job: bytes) -> Answer:
        deadline = time.monotonic() + self._bounds.wall
        conversation = self._new_child()
        with conversation:
            conversation.settimeout(self._bounds.wall + GRACE)
            try:
                reply = _converse(conversation, job)
                return msgspec.msgpack.decode(reply, type=Answer)
            except (OSError, msgspec.MsgspecError) as error:
                # The child was ended. Computing is bounded below the deadline: whoever meets that was kept waiting.
                log.warning("image_process_ended", error=type(error).__name__)
                if time.monotonic() >= deadline:
                    raise Unavailable from error
                raise ImageUnreadable(TOO_COSTLY) from error

    def _new_child(self) -> socket.socket:
        """A conversation with a child that has started; a warm process that was lost is replaced once."""
        for _ in range(2):
            warm = self._warm_process()
            conversation = warm.fork(within=self._bounds.wall)
            if conversation is not None:
                return conversation
            self._forget(warm)
        raise Unavailable

    def _warm_process(self) -> "_WarmProcess":
        with self._starting:
            if self._warm is None:
                self._warm = _WarmProcess(self._bounds)
            return self._warm

    def _forget(self, lost: "_WarmProcess") -> None:
        with self._starting:
            if self._warm is lost:
                self._warm = None
        lost.close()


class _WarmProcess:
    """`cas_kit.images.forking` in a process of its own.

    :raises Unavailable: it did not start.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(START_SECONDS)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  this interpreter and our own module
                [
                    *(sys.executable, "-I", "-m", "cas_kit.images.forking"),
                    *(str(theirs.fileno()), msgspec.json.encode(bounds).decode()),
                ],
                pass_fds=[theirs.fileno()],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
            )
        self._await_start()

    def fork(self, *, within: float) -> socket.socket | None:
        """A socket to a new child that said hello; None when the warm process is lost or cannot fork."""
        ours, theirs = socket.socketpair()
        ours.settimeout(within)
        try:
            with theirs:
                socket.send_fds(self._control, [STARTED], [theirs.fileno()])
            if ours.recv(len(STARTED)) == STARTED:
                return ours
        except OSError:
            log.warning("image_process_lost")
        ours.close()
        return None

    def close(self) -> None:
        """It ends by itself when nobody can ask it any more."""
        self._control.close()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_start(self) -> None:
        try:
            started = self._control.recv(len(STARTED)) == STARTED
        except OSError:
            started = False
        if not started:
            log.error("image_process_did_not_start")
            self.close()
            raise Unavailable


def _converse(conversation: socket.socket, job: bytes) -> bytes:
    conversation.sendall(job)
    conversation.shutdown(socket.SHUT_WR)
    reply = bytearray()
    while chunk := conversation.recv(CHUNK):
        reply += chunk
        if len(reply) > MOST_ANSWERED:
            raise OSError("the answer is too long")
    return bytes(reply)
