"""Every operation of every service, asked for by everybody, about their own things, another's, and none."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.authorisation.cast import PEOPLE, THINGS, Caller, Cast
from tests.authorisation.expected import EXPECTED, Access, Row
from tests.integration.person import Person

from cas_local.stack import Stack

API = Path(__file__).parents[2] / "docs" / "api"
METHODS = {"get", "post", "put", "patch", "delete"}
OWN, OTHER, MISSING = "own", "another's", "missing"

Cells = dict[tuple[str, str], int]


def operations(service: str) -> set[str]:
    """What the exported OpenAPI document of this service lists, as `METHOD path`."""
    paths = json.loads((API / f"{service}.json").read_text())["paths"]
    return {
        f"{method.upper()} {path}" for path, found in paths.items() for method in found if method in METHODS
    }


def test_every_service_has_a_table():
    assert set(EXPECTED) == {file.stem for file in API.glob("*.json")}


@pytest.mark.parametrize("service", EXPECTED)
def test_every_operation_has_a_row(service):
    assert set(EXPECTED[service]) == operations(service)


@pytest.fixture
def cast(stack: Stack, service_token: str) -> Iterator[Cast]:
    cast = Cast(stack.url, service_token)
    yield cast
    cast.dismiss()


@pytest.fixture(scope="module")
def regulars(stack: Stack, service_token: str) -> Iterator[Cast]:
    cast = Cast(stack.url, service_token)
    yield cast
    cast.dismiss()


@pytest.fixture(scope="module")
def company(regulars: Cast) -> Mapping[Caller, Person]:
    """Somebody of each role, for what can be asked again and again."""
    return {caller: regulars.person(caller) for caller in PEOPLE}


@pytest.fixture(scope="module")
def stranger(regulars: Cast) -> Person:
    """Whose things are another's."""
    return regulars.person(Caller.NEWCOMER)


@pytest.mark.parametrize("door", ["gateway", "service"])
@pytest.mark.parametrize(
    ("service", "operation"),
    [(service, operation) for service, rows in EXPECTED.items() for operation in rows],
)
def test_everybody_gets_what_the_table_says(service, operation, door, stack, cast, company, stranger):
    """The services judge for themselves: nothing rests on the gateway."""
    row = EXPECTED[service][operation]
    base = stack.url if door == "gateway" else stack.urls[service]
    # The protocol of auth has a 403 for a token without a person; the gateway lets none through.
    program = 403 if (service, door) == ("auth", "service") else 401
    scene = Scene(base, operation, row, cast, company, stranger)
    assert scene.play(expected(row, program)) == expected(row, program)


def expected(row: Row, program: int) -> Cells:
    """The status of each cell.

    :param program: what a service token gets where a person is demanded.
    """
    match row.access:
        case Access.PUBLIC if row.thing:
            hidden = {(Caller.ANONYMOUS, OWN): row.other, (Caller.PROGRAM, OWN): row.program or row.other}
            return hidden | _cells_of_people(row)
        case Access.PUBLIC:
            return {(caller, OWN): row.ok for caller in Caller} | {
                (Caller.PROGRAM, OWN): row.program or row.ok
            }
        case Access.PERSON:
            refused = {(Caller.ANONYMOUS, OWN): 401, (Caller.PROGRAM, OWN): program}
            return refused | _cells_of_people(row)
        case Access.ADMINISTRATOR:
            refused = {(Caller.ANONYMOUS, OWN): 401} | {(person, OWN): 403 for person in PEOPLE}
            missing = {(Caller.PROGRAM, MISSING): row.missing} if row.thing else {}
            return refused | {(Caller.PROGRAM, OWN): row.ok} | missing


def _cells_of_people(row: Row) -> Cells:
    cells: Cells = {(person, OWN): row.ok for person in PEOPLE}
    if row.thing:
        cells |= {(person, OTHER): row.other for person in PEOPLE}
        cells |= {(person, MISSING): row.missing for person in PEOPLE}
    return cells


class Scene:
    """One operation, tried by everybody."""

    def __init__(
        self,
        base: str,
        operation: str,
        row: Row,
        cast: Cast,
        company: Mapping[Caller, Person],
        stranger: Person,
    ) -> None:
        self._base = base
        self._method, self._path = operation.split(" ")
        self._row = row
        self._cast = cast
        self._company = company
        self._stranger = stranger

    def play(self, cells: Cells) -> Cells:
        return {(caller, target): self._status(caller, target) for caller, target in cells}

    def _status(self, caller: Caller, target: str) -> int:
        person = self._person(caller)
        parameters = dict(self._row.path)
        if self._row.thing:
            parameters |= self._things(person, target)
        request = self._row.request()
        request["headers"] |= self._token(caller, person)
        url = self._base + self._path.format(**parameters)
        return httpx.request(self._method, url, timeout=15, **request).status_code

    def _person(self, caller: Caller) -> Person:
        """Who calls, or, where a program or nobody does, whose things are asked for."""
        if caller not in PEOPLE:
            return self._cast.person(Caller.NEWCOMER) if self._row.thing else self._stranger
        return self._cast.person(caller) if self._row.once else self._company[caller]

    def _things(self, person: Person, target: str) -> Mapping[str, str]:
        owner = self._stranger if target == OTHER else person
        names = [name for name in THINGS if f"{{{name}}}" in self._path]
        found = {name: self._cast.thing(name, owner) for name in names}
        return found | ({str(self._row.thing): str(uuid4())} if target == MISSING else {})

    def _token(self, caller: Caller, person: Person) -> Mapping[str, str]:
        match caller:
            case Caller.ANONYMOUS:
                return {}
            case Caller.PROGRAM:
                return {"Authorization": f"Bearer {self._cast.service_token}"}
            case _:
                return {"Authorization": str(person.http.headers["Authorization"])}
