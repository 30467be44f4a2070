"""Becomes another program, under the identity and the parent-death signal asked for.

Run by path with ``python -I -S`` and nothing but the standard library, so that it costs about 20 ms. It
exists because the signal must be set after the identity (the kernel clears it on every change of
credentials) and because running Python between fork and exec is unsafe in a process with threads.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_user_namespace(libc: ctypes.CDLL, *, seen_as: int) -> None:
    """Become another uid in this process's own eyes while files keep their owner."""
    outside = os.getuid()
    _check(libc.unshare(CLONE_NEWUSER), "unshare")
    Path("/proc/self/uid_map").write_text(f"{seen_as} {outside} 1", encoding="ascii")


def become(uid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def die_with_parent(libc: ctypes.CDLL, *, parent: int, signal_number: int) -> None:
    """Have the kernel send the signal when the parent's starting thread ends, however it ends."""
    _check(libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        sys.exit("the parent is already gone")


def main() -> None:
    """Apply the options, then replace this process with the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--user-namespace", type=int)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # our parent holds signals back until it knows of us
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if options.user_namespace is not None:
            enter_user_namespace(libc, seen_as=options.user_namespace)
        if options.uid is not None:
            become(options.uid)
        die_with_parent(libc, parent=options.parent, signal_number=options.death_signal)
    os.execv(options.command[0], options.command)  # noqa: S606 - replacing itself is the point


if __name__ == "__main__":
    main()
