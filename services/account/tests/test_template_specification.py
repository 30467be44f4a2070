"""The fields of a template are those of docs/spec/domain.md 4.3, in both vocabularies that clients speak."""

import re
from pathlib import Path

import pytest

import cas_taxonomy
from cas_account.domain.professional_info import answered, entry_ids, merge, read_changes, unresolved
from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.roles import Role
from cas_fields.reading import FREE_TEXT_IN_LIST, TextList
from cas_taxonomy import Surface

PAGE = (Path(__file__).parents[3] / "docs/spec/domain.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("### 4.3 Fields")[2].partition("### 4.4")[0]


def rows() -> dict[str, tuple[str, dict[Role, str]]]:
    """The type of each field and what it is to each role: R, o or -."""
    found = {}
    for line in re.findall(r"^\| `.*\|$", TABLE, re.MULTILINE):
        names, kind, *marks = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"`([a-z_]+)`", names):
            found[name] = (kind, dict(zip(Role, (mark[0] for mark in marks), strict=True)))
    return found


ON_PAGE = rows()
OF_ONE_TYPE = [
    name for name, (kind, _) in ON_PAGE.items() if not kind.startswith(("map", "as named", "same"))
]
KINDS = {name: field.kind for name, field in FIELDS.items() if field.kind}


def saved(**values):
    changes = read_changes({"role_type": "tutor", **values})
    return merge({}, changes.values, timezone="Europe/London"), changes.values


class TestFields:
    def test_are_those_of_the_page(self):
        # Days off are a field of their own beside the table, 4.5.
        assert set(FIELDS) == set(ON_PAGE) | {"unavailability"}

    @pytest.mark.parametrize("name", ON_PAGE)
    @pytest.mark.parametrize("role", Role)
    def test_belong_to_the_roles_of_the_page(self, name, role):
        mark, field = ON_PAGE[name][1][role], FIELDS[name]
        required = mark == "R" and name != "skill_levels"  # of the two views, `levels` is the required one
        assert (role in field.required) is required
        assert field.belongs_to(role) is (mark in "Ro")

    @pytest.mark.parametrize("name", OF_ONE_TYPE)
    def test_are_null_or_a_list_while_unset(self, name):
        kind, marks = ON_PAGE[name]
        role = next(role for role, mark in marks.items() if mark != "-")
        assert answered(role, {})[name] == ([] if kind.startswith("string[]") else None)


@pytest.mark.parametrize("name", KINDS)
class TestBothVocabularies:
    """The wizards send ids, the forms send labels; both come back as they were sent and mean the same entry."""

    def test_of_every_entry_are_kept_and_understood(self, name):
        kind = KINDS[name]
        for entry in cas_taxonomy.entries(kind):
            for text in (entry.id, entry.wire, *(cas_taxonomy.label_for(entry, each) for each in Surface)):
                value = [text] if isinstance(FIELDS[name].read, TextList) else text
                fields, values = saved(**{name: value})
                assert fields[name] == value
                assert entry_ids(fields)[name] == ([entry.id] if isinstance(value, list) else entry.id)
                assert unresolved(values) == []

    def test_of_one_entry_are_one_value_of_a_list(self, name):
        entry, field = cas_taxonomy.entries(KINDS[name])[0], FIELDS[name]
        if isinstance(field.read, TextList) and not field.free:
            fields, _ = saved(**{name: [entry.label, entry.id, entry.wire, *entry.aliases]})
            assert fields[name] == [entry.label]

    def test_outside_them_a_short_text_is_kept_without_an_id(self, name):
        text = "x" * FREE_TEXT_IN_LIST
        if getattr(FIELDS[name].read, "closed", False):
            return
        value = [text] if isinstance(FIELDS[name].read, TextList) else text
        fields, _ = saved(**{name: value})
        assert fields[name] == value
        assert entry_ids(fields)[name] == ([None] if isinstance(value, list) else None)
