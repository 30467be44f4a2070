"""Forgetting a user: the word that begins it, and what services answer (docs/spec/domain.md 8.3)."""

from dataclasses import dataclass

from cas_fields.reading import Json
from cas_kit.errors import DomainError, FieldProblem, Kind

CONFIRMATION = "DELETE"
# Until everybody else has finished, its user stands for whom there is to erase, and keeps the address taken.
LAST = "auth"


class ConfirmationRequired(DomainError):
    kind = Kind.INVALID
    code = "confirmation-required"
    sentence = f'To delete your account, send {{"confirm": "{CONFIRMATION}"}}. This cannot be undone.'


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a service removed; zero when nothing was left to remove."""

    rows: int = 0
    objects: int = 0


def check_confirmed(document: Json) -> None:
    """See that the body says exactly what it must.

    :raises ConfirmationRequired: it does not.
    """
    if not isinstance(document, dict) or document.get("confirm") != CONFIRMATION:
        problem = FieldProblem("confirm", f"must be {CONFIRMATION}")
        raise ConfirmationRequired(problems=[problem])
