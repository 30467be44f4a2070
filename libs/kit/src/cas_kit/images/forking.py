"""The warm process: started once per service, forks one bounded child for each picture (docs/adr/0021).

It has one thread and decodes nothing itself, so forking is safe and a child that is killed takes nothing along. It ends
when the service does: its control socket is closed then.
"""

import os
import resource
import signal
import socket
import sys
from pathlib import Path

import msgspec

from cas_kit.images import decoding
from cas_kit.images.recipes import STARTED, Answer, Bounds, Job

CHUNK = 1 << 20
NICENESS = 10  # requests go first


def main() -> None:
    """Serve the control socket whose file descriptor and bounds are the arguments."""
    control = socket.socket(fileno=int(sys.argv[1]))
    bounds = msgspec.json.decode(sys.argv[2], type=Bounds)
    # The service decides when this ends, also when a terminal or a supervisor signals the whole process group.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(NICENESS)
    decoding.allow_three_formats()
    control.send(STARTED)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not asked:
            return
        for descriptor in descriptors:
            _fork(control, descriptor, bounds)


def _fork(control: socket.socket, descriptor: int, bounds: Bounds) -> None:
    with socket.socket(fileno=descriptor) as conversation:
        try:
            child = os.fork()
        except OSError:
            return  # closing the conversation without a word tells the service
        if child == 0:
            control.close()
            _work(conversation, bounds)


def _work(conversation: socket.socket, bounds: Bounds) -> None:
    """Answer one job, and end."""
    try:
        _confine(bounds)
        conversation.sendall(STARTED)
        job = msgspec.msgpack.decode(read_all(conversation), type=Job)
        reply: Answer = decoding.answer(job)
        conversation.sendall(msgspec.msgpack.encode(reply))
        conversation.shutdown(socket.SHUT_WR)
    finally:
        os._exit(0)


def _confine(bounds: Bounds) -> None:
    """The kernel ends whatever takes more; it can write no file, and what libraries print goes nowhere."""
    signal.setitimer(signal.ITIMER_REAL, bounds.wall)
    for what, limit in (
        (resource.RLIMIT_AS, bounds.memory),
        (resource.RLIMIT_CPU, bounds.cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    nowhere = os.open(Path(os.devnull), os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def read_all(conversation: socket.socket) -> bytes:
    """Everything until the other side has no more to say."""
    received = bytearray()
    while chunk := conversation.recv(CHUNK):
        received += chunk
    return bytes(received)


if __name__ == "__main__":
    main()
