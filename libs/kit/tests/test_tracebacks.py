"""What the log says of a crash, and what it keeps to itself."""

import json
import subprocess
import sys

import pytest
from pydantic import BaseModel
from sqlalchemy import create_engine, text

from cas_kit.tracebacks import format_privately

CANARY = "ada@example.com"


def traceback_of(work) -> str:
    try:
        work()
    except Exception:  # noqa: BLE001  whatever it was
        return format_privately(sys.exc_info())
    raise AssertionError("did not fail")


class Strict(BaseModel):
    number: int


def nest():
    try:
        {}[CANARY]
    except KeyError as error:
        raise RuntimeError("no such setting") from error


def fail_while_failing():
    try:
        int(CANARY)
    except ValueError:
        {}.missing()


def fail_in_a_group():
    raise ExceptionGroup(CANARY, [ValueError(CANARY), TypeError("not callable")])


@pytest.mark.parametrize(
    ("work", "type_name"),
    [
        (lambda: {}[CANARY], "KeyError"),
        (lambda: int(CANARY), "ValueError"),
        (lambda: Strict(number=CANARY), "ValidationError"),
        (f"{CANARY}\udcff".encode, "UnicodeEncodeError"),
        (fail_in_a_group, "ExceptionGroup"),
    ],
)
def test_names_the_exception_and_hides_the_value(work, type_name):
    shown = traceback_of(work)
    assert CANARY not in shown
    assert type_name in shown
    assert "Traceback (most recent call last):" in shown
    assert __name__.rpartition(".")[2] in shown


def test_keeps_what_tells_of_the_program():
    assert traceback_of(lambda: None.email).endswith(
        "AttributeError: 'NoneType' object has no attribute 'email'"
    )


def test_shows_what_led_to_it():
    shown = traceback_of(nest)
    assert (
        shown.index("KeyError") < shown.index("direct cause") < shown.index("RuntimeError: no such setting")
    )


def test_shows_what_was_being_handled():
    shown = traceback_of(fail_while_failing)
    assert shown.index("ValueError") < shown.index("During handling") < shown.index("AttributeError")
    assert CANARY not in shown


def test_shows_the_parts_of_a_group():
    shown = traceback_of(fail_in_a_group)
    assert "ValueError\n" in shown
    assert "TypeError: not callable" in shown


class TestOfTheDatabase:
    @pytest.fixture
    def run(self, database_urls):
        engine = create_engine(database_urls["kit"], hide_parameters=True)

        def run(*statements, **parameters):
            with engine.connect() as connection:
                for statement in statements:
                    connection.execute(text(statement), parameters)

        yield run
        engine.dispose()

    def test_names_a_constraint_and_not_the_row(self, run):
        people = "CREATE TABLE people (email text CONSTRAINT uq_people_email UNIQUE)"
        add = "INSERT INTO people VALUES (:email)"
        shown = traceback_of(lambda: run(people, add, add, email=CANARY))
        assert CANARY not in shown
        assert "UniqueViolation: 23505 people uq_people_email" in shown
        assert f"IntegrityError: {add.replace(':email', '%(email)s')}" in shown

    def test_does_not_quote_a_value(self, run):
        shown = traceback_of(lambda: run("SELECT CAST(CAST(:email AS text) AS integer)", email=CANARY))
        assert CANARY not in shown
        assert "InvalidTextRepresentation: 22P02" in shown

    def test_says_what_is_wrong_with_a_statement(self, run):
        shown = traceback_of(lambda: run("SELECT nothing FROM nowhere"))
        assert 'UndefinedTable: 42P01 relation "nowhere" does not exist' in shown


PROGRAM = """
import logging, sys, threading
from cas_kit.telemetry import configure_logging

configure_logging(service="kit", level="INFO")
try:
    int("ada@example.com")
except ValueError:
    logging.getLogger("library").exception("broken")
thread = threading.Thread(target=lambda: {}["ada@example.com"])
thread.start()
thread.join()
sys.exit(int("ada@example.com"))
"""


def test_is_how_everything_of_a_program_is_logged():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [event["event"] for event in events] == ["broken", "crashed", "crashed"]
    assert [event["exception"].splitlines()[-1] for event in events] == [
        "ValueError",
        "KeyError",
        "ValueError",
    ]
    assert CANARY not in ended.stdout + ended.stderr
    assert ended.returncode == 1
