"""The database as a service sees it: transactions for writes, autocommit for single-statement reads."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Connection, Enum, create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from cas_kit.errors import DomainError, Unavailable
from cas_kit.settings import ServiceSettings

# A host that vanished ends no connection; without these, its packets are sent again for a quarter of an hour.
TCP_LIMITS = {
    "connect_timeout": 3,  # seconds
    "tcp_user_timeout": 3000,  # milliseconds
    "keepalives_idle": 5,  # seconds, as the interval
    "keepalives_interval": 2,
    "keepalives_count": 2,
}

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

AT_ONCE = "at-once"
"""Where a session keeps the messages that are delivered as soon as its transaction is durable."""


def text_enum(values: type[StrEnum], *, name: str) -> Enum:
    """A column type that stores the enum's value as text with a check constraint (docs/adr/0009)."""
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=None,
        values_callable=lambda members: [member.value for member in members],
    )


class Database:
    """Connections to one service's schema.

    Every method that opens a connection raises `Unavailable` when the database cannot be reached or all connections
    stay busy.

    :param url: of a copy to read from, instead of the service's own database.
    """

    def __init__(
        self, settings: ServiceSettings, *, application_name: str, url: SecretStr | None = None
    ) -> None:
        self.engine = create_engine(
            (url or settings.database_url).get_secret_value(),
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.database_pool_timeout.total_seconds(),
            connect_args={"application_name": application_name, **TCP_LIMITS},
            hide_parameters=True,  # errors are logged, and parameters are personal data
        )
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._deliver: Callable[[UUID], object] | None = None

    def deliver_with(self, deliver: Callable[[UUID], object]) -> None:
        """Try messages that want it at once by this, in the thread that committed them; it must not raise."""
        self._deliver = deliver

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose work is committed when the block ends and undone when it raises.

        A `DomainError` with `keeps_transaction` is committed and raised all the same.
        Nothing else commits: what an edge answers after this block is durable (docs/adr/0004).
        """
        with (
            ExitStack() as afterwards,
            unavailable_when_unreachable(),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            try:
                yield session
            except DomainError as error:
                if error.keeps_transaction:
                    self._commit(session, afterwards)
                raise
            self._commit(session, afterwards)

    def _commit(self, session: Session, afterwards: ExitStack) -> None:
        """Commit; messages are delivered once the connection is free again."""
        session.commit()
        for message_id in session.info.pop(AT_ONCE, ()):
            if self._deliver is not None:
                afterwards.callback(self._deliver, message_id)

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection for single statements: no BEGIN, no COMMIT, each statement is its own transaction."""
        with unavailable_when_unreachable(), self._autocommit.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Prove that a statement runs.

        :raises Unavailable: it does not.
        """
        with self.autocommit() as connection:
            connection.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def unavailable_when_unreachable() -> Iterator[None]:
    """Turn a lost connection, an exhausted pool or a timed-out statement into `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable from error
    except DBAPIError as error:
        # A session that was ended for idling in a transaction is lost too, but no OperationalError.
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            raise Unavailable from error
        raise
