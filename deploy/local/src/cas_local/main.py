"""The command line: `cas-local run | up | down | status | logs | reset`."""

import argparse
import sys

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
    match options.command:
        case "run":
            return commands.run(settings, background=options.background)
        case "up":
            return commands.up(settings)
        case "down":
            return commands.down(settings)
        case "status":
            return commands.status(settings)
        case "logs":
            return commands.logs(settings)
        case _:
            return commands.reset(settings, sure=options.yes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cas-local", description=__doc__)
    command = parser.add_subparsers(dest="command", required=True)
    run = command.add_parser("run", help="run everything until Ctrl-C")
    run.add_argument("--background", action="store_true", help="do not print the logs")
    command.add_parser("up", help="run everything in the background")
    command.add_parser("down", help="stop what runs")
    command.add_parser("status", help="print what runs and whether it is healthy")
    command.add_parser("logs", help="follow the logs of what runs")
    reset = command.add_parser("reset", help="stop and delete all data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    main()
