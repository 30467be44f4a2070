"""The data files, read once and checked: a list that contradicts itself is never served."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cas_taxonomy.checks import check_kind, check_related, index_by_text
from cas_taxonomy.entry import Entry
from cas_taxonomy.errors import TaxonomyDataInvalid
from cas_taxonomy.fields import read_entry, read_file

KINDS = (
    "subjects",
    "levels",
    "languages",
    "teaching-methods",
    "specializations",
    "learning-goals",
    "learning-preferences",
    "agency-services",
    "coverage-areas",
    "experience-bands",
    "years-in-business",
    "number-of-tutors",
    "student-capacities",
    "education-attained",
    "certifications",
    "session-types",
    "delivery-modes",
    "sessions-per-week",
    "session-lengths",
    "trial-lengths",
    "availability-slots",
    "rate-bands",
)
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class KindTable:
    """The entries of one kind by id, in display order, and by every normalised id, label and alias."""

    by_id: Mapping[str, Entry]
    by_text: Mapping[str, Entry]


def load(directory: Path = DATA, kinds: Iterable[str] = KINDS) -> Mapping[str, KindTable]:
    """Read ``<kind>.toml`` of every kind.

    :raises TaxonomyDataInvalid: when a file is missing, malformed or contradicts itself.
    """
    tables = {kind: _load_kind(kind, directory / f"{kind}.toml") for kind in kinds}
    check_related({kind: table.by_id for kind, table in tables.items()})
    return tables


def _load_kind(kind: str, path: Path) -> KindTable:
    data = read_file(kind, _parse(path))
    offered, default = data.get("offered", {}), data.get("default")
    by_id = {
        entry_id: Entry(
            kind=kind,
            id=entry_id,
            order=order,
            offered={surface: ids.index(entry_id) + 1 for surface, ids in offered.items() if entry_id in ids},
            default=entry_id == default,
            **read_entry(f"{kind}/{entry_id}", row),
        )
        for order, (entry_id, row) in enumerate(data["entries"].items(), start=1)
    }
    check_kind(kind, by_id, offered=offered, default=default)
    return KindTable(by_id, index_by_text(by_id.values()))


def _parse(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaxonomyDataInvalid(f"{path.name}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:  # an id given twice is one of these
        raise TaxonomyDataInvalid(f"{path.name}: {error}") from error
