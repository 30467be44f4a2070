"""Whatever JSON arrives: it is read, or refused with the names of the fields, and what was read can be merged."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cas_account.domain import professional_info, profile
from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.roles import Role
from cas_kit.errors import ValidationFailed

words = st.sampled_from(
    [
        "GCSE",
        "weekday_morning",
        "monday",
        "09:00",
        "2026-01-01",
        "recurring",
        "one-time",
        "20-40",
        "https://a.example",
    ]
)
parts = (
    "min max monday start end type days fromDate toDate startTime endTime availability unavailability GCSE"
)
names = st.sampled_from(parts.split())
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=40) | words
)
json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | st.text(), inner, max_size=4)
)


def read(reader, document):
    """What was read; None when it was refused in the proper way, by name of field."""
    try:
        return reader(document)
    except ValidationFailed as error:
        refusal = error
    assert refusal.detail
    assert all(problem.field and problem.message for problem in refusal.problems)
    return None


class TestProfessionalInfo:
    @settings(max_examples=400)
    @given(st.dictionaries(st.sampled_from(sorted(FIELDS)), json, max_size=6), json)
    def test_is_read_or_refused(self, document, body):
        read(professional_info.read_changes, body)
        changes = read(professional_info.read_changes, {"role_type": "tutor", **document})
        if changes is not None:
            fields = professional_info.merge({}, changes.values, timezone="Europe/London")
            professional_info.entry_ids(fields)
            professional_info.unresolved(changes.values)
            shown = professional_info.answered(Role.TUTOR, fields)
            again = read(professional_info.read_changes, {"role_type": "tutor", **shown})
            assert professional_info.merge(fields, again.values, timezone="Europe/London") == fields


class TestProfile:
    FIELDS = ("display_name", "bio", "phone", "timezone", "preferences", "avatar_url", "active_role")

    @settings(max_examples=200)
    @given(st.dictionaries(st.sampled_from(FIELDS), json, max_size=4), json)
    def test_is_read_or_refused(self, document, body):
        for each in (document, body):
            read(lambda value: profile.read_changes(value, media_url="https://media.example/"), each)
