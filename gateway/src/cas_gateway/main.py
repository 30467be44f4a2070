"""The command line: `cas-gateway check | envoy | kong | serve`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cas_gateway.document import Problem, Refused, load, placeholders
from cas_gateway.envoy import bootstrap
from cas_gateway.keys import missing_for_kong, placeholders_of
from cas_gateway.kong import KongFile, read
from cas_gateway.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 when what it was given is refused."""
    options = vars(_parser().parse_args(arguments))
    command, env_file, out = options.pop("command"), options.pop("env"), options.pop("out", None)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(_env_file=env_file, **given)
        return _run(command, settings, out)
    except (Refused, ValidationError) as refused:
        print(refused, file=sys.stderr)  # noqa: T201
        return 1


def _run(command: str, settings: Settings, out: Path | None) -> int:
    match command:
        case "check":
            kong_file(settings)
        case "kong":
            _write(production_file(settings), out)
        case "envoy":
            _write(json.dumps(bootstrap(kong_file(settings), settings), indent=2) + "\n", out)
        case "serve":
            from cas_gateway.process import serve

            return serve(bootstrap(kong_file(settings), settings), settings)
    return 0


def kong_file(settings: Settings) -> KongFile:
    """kong.yml with its placeholders filled, checked.

    :raises Refused: it holds something the two gateways would not treat alike.
    """
    return read(_filled(settings))


def production_file(settings: Settings) -> str:
    """The file Kong reads.

    :raises Refused: kong.yml is wrong, or one of its placeholders was left to the default for one machine.
    """
    raw = yaml.safe_load(settings.kong_file.read_text())
    said = (
        settings.model_fields_set | Settings.good_anywhere | ({"consumers"} if settings.jwks_file else set())
    )
    silent = {name: path for path, name in placeholders(raw) if name not in said}
    problems = [
        Problem(path, f"set {_variable(name)}, its default is for one machine")
        for name, path in silent.items()
    ]
    if problems := [*problems, *missing_for_kong(settings)]:
        raise Refused(problems)
    document = _filled(settings)
    read(document)
    return yaml.safe_dump(document, sort_keys=False, width=110)


def _filled(settings: Settings) -> Any:
    return load(settings.kong_file, placeholders_of(settings))


def _variable(placeholder: str) -> str:
    return f"CAS_GATEWAY_{'JWKS_FILE' if placeholder == 'consumers' else placeholder.upper()}"


def _write(text: str, out: Path | None) -> None:
    if out:
        out.write_text(text)
    else:
        sys.stdout.write(text)


def _parser() -> argparse.ArgumentParser:
    """Every setting is an option too."""
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument(
        "--env", type=Path, metavar="FILE", help="read CAS_GATEWAY_* settings from this file too"
    )
    for name in Settings.model_fields:
        settings.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE")
    parser = argparse.ArgumentParser(prog="cas-gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "check", parents=[settings], help="say what in kong.yml the two gateways would not treat alike"
    )
    commands.add_parser(
        "serve", parents=[settings], help="run Envoy; finish the requests under way when told to stop"
    )
    for name, help_text in (("envoy", "write the Envoy bootstrap"), ("kong", "write the file Kong reads")):
        writing = commands.add_parser(name, parents=[settings], help=help_text)
        writing.add_argument("--out", type=Path, metavar="FILE")
    return parser
