"""Files and the rows that name them: neither is long without the other, whatever is cut off (docs/adr/0022)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from cas_kit.errors import Unavailable
from cas_kit.outbox import Outbox

UNUSED_AFTER = timedelta(minutes=2)
"""How long files may be without a use; far longer than a request takes, or one try of a worker at writing them."""


class FileClaims:
    """Who may write, use and remove files: the outbox tells.

    A message says that the files below a path go unless a row names them when it is delivered; its handler looks, and
    removes. Paths are `<area>/<owner>/<digest>`: the files of one owner change hands one after the other.

    :param topic: of the messages, whose payload is the path alone.
    """

    def __init__(self, outbox: Outbox, *, topic: str) -> None:
        self._outbox = outbox
        self._topic = topic

    def claim(self, session: Session, paths: Collection[str]) -> Mapping[str, UUID]:
        """Before files are written: nobody removes them for a while, then they go unless they are used.

        :returns: the claim on each path, for `use`.
        :raises Unavailable: the same files are just being removed.
        """
        messages = self._outbox.table
        waiting = messages.c.id.in_(self._waiting(session, paths))
        later = func.now() + UNUSED_AFTER
        session.execute(update(messages).where(waiting).values(next_attempt_at=later))
        return {path: self._queue(session, path, wait=UNUSED_AFTER) for path in dict.fromkeys(paths)}

    def use(self, session: Session, claims: Mapping[str, UUID]) -> None:
        """When a row names the files: their claims have done their work.

        :raises Unavailable: it took so long that the files may be gone.
        """
        if not self._waiting(session, claims).issuperset(claims.values()):
            raise Unavailable
        messages = self._outbox.table
        session.execute(delete(messages).where(messages.c.id.in_(claims.values())))

    def release(self, session: Session, paths: Collection[str]) -> None:
        """When a row no longer names files: they go unless others do, or somebody has claimed them anew."""
        if not paths:
            return
        claimed = {message.path for message in self._locked(session, paths)}
        for path in dict.fromkeys(paths):
            self._queue(session, path, wait=UNUSED_AFTER if path in claimed else timedelta(0))

    def _waiting(self, session: Session, paths: Collection[str]) -> set[UUID]:
        """The messages that nobody has begun to deliver; nobody will until this transaction ends."""
        messages = self._locked(session, paths)
        if any(message.attempts and message.parked_at is None for message in messages):
            raise Unavailable
        return {message.id for message in messages}

    def _locked(self, session: Session, paths: Collection[str]) -> Sequence[Row[Any]]:
        """The messages about these files, while nobody else hands over files of their owners."""
        for owner in sorted({path.split("/")[1] for path in paths}):
            name = f"{self._topic} {owner}"
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
        columns = self._outbox.table.c
        path = columns.payload["path"].astext.label("path")
        found = select(columns.id, columns.attempts, columns.parked_at, path)
        about = found.where(columns.topic == self._topic, path.in_(paths)).order_by(columns.id)
        return session.execute(about.with_for_update()).all()

    def _queue(self, session: Session, path: str, *, wait: timedelta) -> UUID:
        return self._outbox.add(session, topic=self._topic, payload={"path": path}, relay_waits=wait)
