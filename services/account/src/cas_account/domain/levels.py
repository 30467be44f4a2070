"""The levels of a tutor: one list seen as `levels` and as `skill_levels` (docs/spec/domain.md 4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from cas_fields.reading import Json, Refused, Schema, TextList, identity, read_object

LEVELS = "levels"
_GRADES = range(1, 6)


@dataclass(frozen=True, slots=True)
class SkillLevels:
    """A map of level to true or to a grade from 1 to 5; levels mapped to false or null are dropped."""

    @property
    def schema(self) -> Schema:
        value: Schema = {"type": ["boolean", "integer", "null"], "minimum": 1, "maximum": 5}
        return {"type": "object", "additionalProperties": value}

    def __call__(self, value: Json) -> dict[str, Json]:
        grades: dict[str, Json] = {}
        for label, grade in read_object(value).items():
            if grade is None or grade is False:
                continue
            if grade is not True and grade not in _GRADES:
                raise Refused("must be true, false or a grade from 1 to 5", path=label)
            _check(label)
            grades[label] = grade
        chosen = TextList(LEVELS)(list(grades))
        return _graded(chosen, grades)


def _check(label: str) -> None:
    """Refuse, by its own name, a label that cannot be kept: a map has no positions."""
    try:
        TextList(LEVELS)([label])
    except Refused as refusal:
        raise Refused(refusal.message, path=label, code=refusal.code) from refusal


def both_views(changes: Mapping[str, Json]) -> dict[str, Json]:
    """What a change of either view makes of both; empty when neither changes.

    When both are given, `levels` decides which levels stay.
    """
    if LEVELS in changes:
        chosen, grades = changes[LEVELS] or [], changes.get("skill_levels") or {}
    elif "skill_levels" in changes:
        grades = changes["skill_levels"] or {}
        chosen = list(read_object(grades))
    else:
        return {}
    return {LEVELS: chosen, "skill_levels": _graded(chosen, grades)}


def _graded(chosen: Json, grades: Json) -> dict[str, Json]:
    by_identity = {identity(label, kind=LEVELS): grade for label, grade in read_object(grades).items()}
    labels = [label for label in chosen if isinstance(label, str)] if isinstance(chosen, list) else []
    return {label: by_identity.get(identity(label, kind=LEVELS), True) for label in labels}
