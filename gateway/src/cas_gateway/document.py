"""kong.yml as data: placeholders filled, and what is wrong with it told by YAML path."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PLACEHOLDER = re.compile(r"\$\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where: `services[0].routes[2].paths[0]`."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path or 'the file'}: {self.text}"


class Refused(Exception):
    """The file cannot be used. Carries every problem found, not the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load(path: Path, values: Mapping[str, object]) -> Any:
    """The content of a YAML file, each `${name}` replaced by the value of that name, lists included.

    :raises Refused: it is not YAML, or a placeholder has no value.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise Refused([Problem("", f"is not YAML: {error}")]) from error
    unknown = [
        Problem(spot, f"no setting is called {name}")
        for spot, name in placeholders(document)
        if name not in values
    ]
    if unknown:
        raise Refused(unknown)
    return _filled(document, values)


def placeholders(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where in the document which placeholder stands."""
    match node:
        case dict():
            for key, value in node.items():
                yield from placeholders(value, f"{path}.{key}".lstrip("."))
        case list():
            for index, value in enumerate(node):
                yield from placeholders(value, f"{path}[{index}]")
        case str() if found := PLACEHOLDER.fullmatch(node):
            yield path, found[1]


def _filled(node: Any, values: Mapping[str, object]) -> Any:
    match node:
        case dict():
            return {key: _filled(value, values) for key, value in node.items()}
        case list():
            return [_filled(value, values) for value in node]
        case str() if found := PLACEHOLDER.fullmatch(node):
            return values[found[1]]
    return node


def yaml_path(document: Any, location: Sequence[str | int]) -> str:
    """A pydantic error location as a path of the document; what is no part of it (a union's tag) is left out."""
    path, node = "", document
    for part in location:
        match node, part:
            case list(), int():
                path, node = f"{path}[{part}]", node[part]
            case dict(), str() if part in node:
                path, node = f"{path}.{part}", node[part]
            case _ if part == location[-1]:
                path = f"{path}.{part}"
    return path.removeprefix(".")
