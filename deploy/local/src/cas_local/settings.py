"""What the environment decides about a local stack."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cas_local.errors import CannotRun

# Programs get these of ours and nothing else, so that a stack does not depend on the shell it was started from.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """CAS_LOCAL_DATA and CAS_LOCAL_GATEWAY_PORT."""

    data: Path
    gateway_port: int

    @classmethod
    def from_environment(cls) -> Self:
        """Read them; unset means ``.cas`` in the current folder and port 8000.

        :raises CannotRun: when the port is not a number
        """
        environment = _environment()
        port = environment.get("CAS_LOCAL_GATEWAY_PORT", "8000")
        if not port.isdecimal():
            raise CannotRun(f"CAS_LOCAL_GATEWAY_PORT must be a number, not {port!r}.")
        return cls(
            data=Path(environment.get("CAS_LOCAL_DATA", ".cas")).absolute(),
            gateway_port=int(port),
        )


def inherited(prefix: str) -> dict[str, str]:
    """Give what a program inherits: the usual few, and the settings that begin with its own prefix."""
    taken = {
        name: value for name, value in _environment().items() if name in INHERITED or name.startswith(prefix)
    }
    return taken | {"PYTHONUNBUFFERED": "1"}  # logs are files here, and the last lines before a crash matter


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - this module is where it is read
