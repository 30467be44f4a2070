"""The command line: `cas-local run | up | down | status | logs | exec | reset`."""

import argparse
import sys
from collections.abc import Callable

from cas_local import commands
from cas_local.errors import CannotRun
from cas_local.settings import Settings


def main() -> None:
    """Run one command; a failure that a person can put right is told in plain words."""
    options = _parser().parse_args()
    try:
        sys.exit(_run(options, Settings.from_environment()))
    except CannotRun as error:
        sys.exit(f"\n{error}")


def _run(options: argparse.Namespace, settings: Settings) -> int:
    actions: dict[str, Callable[[], int]] = {
        "run": lambda: commands.run(settings, background=options.background),
        "up": lambda: commands.up(settings),
        "down": lambda: commands.down(settings),
        "status": lambda: commands.status(settings),
        "logs": lambda: commands.logs(settings),
        "exec": lambda: commands.execute(settings, service=options.service, words=options.words),
        "reset": lambda: commands.reset(settings, sure=options.yes),
    }
    return actions[options.command]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cas-local", description=__doc__)
    command = parser.add_subparsers(dest="command", required=True)
    run = command.add_parser("run", help="run everything until Ctrl-C")
    run.add_argument("--background", action="store_true", help="do not print the logs")
    command.add_parser("up", help="run everything in the background")
    command.add_parser("down", help="stop what runs")
    command.add_parser("status", help="print what runs and whether it is healthy")
    command.add_parser("logs", help="follow the logs of what runs")
    execute = command.add_parser("exec", help="run a command of a service with the settings it runs with")
    execute.add_argument("service", help="for instance auth")
    execute.add_argument("words", nargs=argparse.REMAINDER, help="for instance service-token --days 1")
    reset = command.add_parser("reset", help="stop and delete all data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    main()
