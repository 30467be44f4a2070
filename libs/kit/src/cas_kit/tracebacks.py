"""Tracebacks for the log: where something broke, but nothing of what people sent.

The text of an exception often repeats the value it stumbled over: an address, a token, a whole row of a table.
"""

import traceback
from collections.abc import Iterator
from types import TracebackType

import psycopg
from sqlalchemy.exc import SQLAlchemyError, StatementError

# Of these the text tells of the program: names, types, paths and states.
_TELLING = (
    AttributeError,
    ImportError,
    IndexError,
    MemoryError,
    NameError,
    OSError,
    psycopg.OperationalError,
    RuntimeError,
    SQLAlchemyError,
    TypeError,
)

# Classes of states in which PostgreSQL quotes the value: bad data, violated constraints.
_ABOUT_VALUES = {"22", "23"}

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def format_privately(exc_info: ExcInfo) -> str:
    """The traceback of an exception and of what led to it, as Python writes it, without texts that may be personal."""
    return "".join(_chain(exc_info[1], seen=set())).rstrip("\n")


def _chain(error: BaseException, *, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _chain(earlier, seen=seen)
        yield _CAUSE if error.__cause__ else _CONTEXT
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}{_text(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _chain(part, seen=seen)


def _text(error: BaseException) -> str:
    """What may be said of it; a statement is ours, its parameters are not."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        where = (error.diag.table_name, error.diag.constraint_name)
        words = None if error.sqlstate[:2] in _ABOUT_VALUES else error.diag.message_primary
        return f": {' '.join(filter(None, (error.sqlstate, *where, words)))}"
    if isinstance(error, StatementError):
        return f": {error.statement}"
    return f": {error}" if isinstance(error, _TELLING) else ""
