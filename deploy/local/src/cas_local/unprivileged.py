"""Whom to run PostgreSQL as: it refuses root, and it refuses a uid without a name.

An ordinary user runs it directly. Otherwise a user namespace in which we are `nobody` comes first: folders and
files keep their owner and nothing needs to be readable by others. Where namespaces are forbidden, root becomes
the real `nobody`, provided that one can reach the folder. Nothing here creates users or changes folders not made
for the server.
"""

import os
import pwd
import signal
import subprocess
from pathlib import Path

from cas_local.errors import CannotRunPostgres
from cas_local.process import Identity

NOBODY = 65534  # by this name and number on every Linux distribution


def identity_for(data: Path, *, program: Path) -> Identity:
    """Choose whom to run the program as; an empty folder is given to that identity.

    :raises CannotRunPostgres: when no identity will do
    """
    for identity in _candidates(data):
        _give_if_empty(data, identity)
        if _can_run(program, identity=identity, folder=data):
            return identity
    if os.geteuid() == 0:
        _give_if_empty(data, Identity(uid=0))
    raise CannotRunPostgres(
        f"PostgreSQL runs neither as root nor as a user without a name. User namespaces are not available, and "
        f"uid {NOBODY} cannot use both {data} and {program}. Start as an ordinary user, or choose a data folder "
        "which others can reach (CAS_LOCAL_DATA)."
    )


def _candidates(data: Path) -> list[Identity]:
    ourselves, owner = os.geteuid(), data.stat().st_uid
    if ourselves != 0:
        return [Identity() if _has_name(ourselves) else Identity(user_namespace=NOBODY)]
    if owner != 0:
        return [Identity(uid=owner)]
    return [Identity(user_namespace=NOBODY), Identity(uid=NOBODY)]


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def _give_if_empty(data: Path, identity: Identity) -> None:
    if not any(data.iterdir()):
        identity.own(data)


def _can_run(program: Path, *, identity: Identity, folder: Path) -> bool:
    """Try it: the identity must exist here, enter and own the folder and execute the program."""
    script = 'cd "$1" && test -O . && exec "$0" --version'
    command = ["/bin/sh", "-c", script, str(program), str(folder)]
    launched = identity.launch(command, death_signal=signal.SIGKILL)
    return subprocess.run(launched, capture_output=True, timeout=30, check=False).returncode == 0
