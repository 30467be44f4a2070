"""How to run PostgreSQL when started by root, which it refuses to run as.

A user namespace in which root is somebody else comes first: folders and files keep their owner and nothing
needs to be readable by others. Where namespaces are forbidden, an unprivileged uid takes over, provided it can
reach the folder. Nothing here creates users or changes folders not made for the server.
"""

import os
import signal
import subprocess
from pathlib import Path

from cas_local.process import Identity

# Belongs to no account on ordinary systems; files need an owner, not a name.
UNPRIVILEGED_UID = 47320


class CannotRunPostgres(Exception):
    """Root has no way to run PostgreSQL on this folder; the text says what would help."""


def identity_for(data: Path, *, program: Path) -> Identity:
    """Choose whom to run the program as; an empty folder is given to that identity.

    :raises CannotRunPostgres: when started by root and no identity will do
    """
    if os.geteuid() != 0:
        return Identity()
    for identity in _candidates(data):
        _give_if_empty(data, identity)
        if _can_run(program, identity=identity, folder=data):
            return identity
    _give_if_empty(data, Identity(uid=0))
    raise CannotRunPostgres(
        f"PostgreSQL does not run as root. User namespaces are not available, and uid {UNPRIVILEGED_UID} "
        f"cannot reach both {data} and {program}. Start as an ordinary user, or choose a data folder which "
        "others can reach."
    )


def _candidates(data: Path) -> list[Identity]:
    owner = data.stat().st_uid
    if owner != 0:
        return [Identity(uid=owner)]
    return [Identity(user_namespace=True), Identity(uid=UNPRIVILEGED_UID)]


def _give_if_empty(data: Path, identity: Identity) -> None:
    if not any(data.iterdir()):
        identity.own(data)


def _can_run(program: Path, *, identity: Identity, folder: Path) -> bool:
    """Try it: the identity must exist here, enter and own the folder and execute the program."""
    script = 'cd "$1" && test -O . && exec "$0" --version'
    command = ["/bin/sh", "-c", script, str(program), str(folder)]
    launched = identity.launch(command, death_signal=signal.SIGKILL)
    return subprocess.run(launched, capture_output=True, timeout=30, check=False).returncode == 0
