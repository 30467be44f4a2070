"""`cas-local run` with the small programs of this folder: `supervise.py FOLDER MODE-OF-THE-LAST-SERVICE`."""

import sys
from pathlib import Path

from cas_local.commands import supervise
from cas_local.errors import CannotRun
from cas_local.services import Service
from cas_local.stack import Stack

HERE = Path(__file__).parent


def small_stack(folder: Path, mode: str) -> Stack:
    def program(name: str, mode: str) -> tuple[str, ...]:
        return (sys.executable, str(HERE / "service.py"), str(folder), name, mode)

    services = (
        Service(name="auth", rest_port=0, grpc_port=0, keys=("KEY",), program=program("auth", "works")),
        Service(
            name="notes",
            rest_port=0,
            grpc_port=0,
            asks=("auth",),
            watches=("auth", "notes"),
            worker=True,
            mails=True,
            program=program("notes", mode),
        ),
    )
    say = lambda line: print(line, flush=True)  # noqa: E731
    return Stack(folder, services=services, durable=False, say=say)


if __name__ == "__main__":
    try:
        sys.exit(supervise(small_stack(Path(sys.argv[1]), sys.argv[2]), follow_logs=True))
    except CannotRun as error:
        sys.exit(str(error))
