"""What a person can put right: each text says what happened and, where there is one, the way out."""


class CannotRun(Exception):
    """The stack cannot start or go on; shown without a traceback."""


class ProgramFailed(CannotRun):
    """A program ended, or did not become ready in time; the text carries its last log lines."""


class PortTaken(CannotRun):
    """Another process listens where the gateway should."""


class AlreadyRunning(CannotRun):
    """Another stack uses this data folder."""


class CannotRunPostgres(CannotRun):
    """Root has no way to run PostgreSQL on this folder."""
