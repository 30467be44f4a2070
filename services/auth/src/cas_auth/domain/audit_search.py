"""What administrators look for in the audit log: `author:`, `action:` or `type:` and a text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from cas_auth.domain.audit import AuditAction, log_type
from cas_auth.domain.refusals import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """Which entries.

    :param actions: of these; None: of all.
    :param author: by whom: an id, or how an address begins; None: by anybody.
    """

    actions: frozenset[AuditAction] | None = None
    author: str | None = None

    @classmethod
    def read(cls, query: str) -> Self:
        """What the query of the protocol asks for; the empty one asks for everything.

        :raises InvalidRequest: it names another scope.
        """
        scope, separator, text = query.partition(":")
        wanted = text.strip().lower()
        if not query or (separator and not wanted and scope in _SCOPES):
            return cls()
        if not separator or scope not in _SCOPES:
            raise InvalidRequest(f"Invalid query scope: {query[:100]}")
        if scope == "author":
            return cls(author=wanted)
        name_of = _SCOPES[scope]
        return cls(actions=frozenset(action for action in AuditAction if wanted in name_of(action)))


_SCOPES: dict[str, Callable[[AuditAction], str]] = {"author": str, "action": str, "type": log_type}
