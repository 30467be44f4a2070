"""Finding entries by what people and clients write, and what lies around them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cas_taxonomy import (
    KINDS,
    Surface,
    UnknownKind,
    ancestors,
    deduplicate,
    descendants,
    entries,
    label_for,
    matching,
    normalise,
    offered,
    related,
    resolve,
)

TEXTS = [
    (kind, entry, text)
    for kind in KINDS
    for entry in entries(kind)
    for text in (entry.id, entry.wire, entry.label, *entry.labels.values(), *entry.aliases)
]


def ids(found):
    return [entry.id for entry in found]


def spellings(text):
    """The same text in another case, with other separators and stray punctuation."""
    separators = st.sampled_from([" ", "  ", "_", "-", " – ", "\t"])  # noqa: RUF001  # the en dash is meant
    parts = text.replace("_", " ").replace("-", " ").split()
    cased = st.tuples(*(st.sampled_from([part, part.upper(), part.lower(), part.title()]) for part in parts))
    edges = st.sampled_from(["", " ", ".", "!  ", " (", ")"])
    return st.builds(lambda words, gap, edge: edge + gap.join(words) + edge, cased, separators, edges)


class TestResolve:
    def test_finds_every_entry_by_id_label_and_alias(self):
        assert [text for kind, entry, text in TEXTS if resolve(kind, text) is not entry] == []

    @settings(max_examples=500, deadline=None)
    @given(st.data())
    def test_ignores_case_separators_and_punctuation(self, data):
        kind, entry, text = data.draw(st.sampled_from(TEXTS))
        assert resolve(kind, data.draw(spellings(text))) is entry

    @settings(max_examples=500, deadline=None)
    @given(st.sampled_from(KINDS), st.text() | st.sampled_from(TEXTS).map(lambda row: row[2]))
    def test_no_text_means_two_entries_of_a_kind(self, kind, text):
        owners = {row[1].id for row in TEXTS if row[0] == kind and normalise(row[2]) == normalise(text)}
        found = resolve(kind, text)
        assert owners == ({found.id} if found else set())

    @pytest.mark.parametrize(
        ("kind", "text", "entry_id"),
        [
            ("subjects", "maths", "mathematics"),
            ("subjects", "test_prep", "test-preparation"),
            ("subjects", "business", "business-studies"),
            ("subjects", "MFL", "languages"),
            ("subjects", "p.e.", "physical-education"),
            ("levels", "Primary (KS1 and KS2)", "primary"),
            ("levels", "iGCSE", "gcse"),
            ("languages", "FR", "french"),
            ("specializations", "11+", "entrance-exams"),
            ("agency-services", "test_prep", "test-preparation"),
            ("experience-bands", "5+Y", "5-plus-years"),
            ("number-of-tutors", "1", "solo"),
            ("delivery-modes", "in_person", "in-person"),
            ("session-types", "1:1", "one-on-one"),
            ("session-lengths", "1.5 hours", "90"),
            ("availability-slots", "weekday_morning", "weekday-morning"),
        ],
    )
    def test_knows_what_clients_send(self, kind, text, entry_id):
        assert resolve(kind, text).id == entry_id

    @pytest.mark.parametrize("text", ["", "   ", "?", "Astronomy", "Mathematics Physics"])
    def test_answers_none_for_anything_else(self, text):
        assert resolve("subjects", text) is None

    def test_refuses_an_unknown_kind_by_name(self):
        with pytest.raises(UnknownKind, match="unknown kind: colours") as caught:
            resolve("colours", "red")
        assert caught.value.kind == "colours"


class TestLabelFor:
    @pytest.mark.parametrize(
        ("kind", "entry_id", "surface", "label"),
        [
            ("subjects", "sciences", Surface.FILTER, "Science"),
            ("subjects", "sciences", Surface.TEMPLATE, "Sciences"),
            ("subjects", "languages", Surface.LISTING, "Modern Foreign Languages"),
            ("subjects", "computer-science", Surface.WIZARD, "Programming"),
            ("levels", "primary", Surface.TEMPLATE, "Primary (KS1-KS2)"),
            ("levels", "primary", Surface.LISTING, "Primary (KS1 & KS2)"),
            ("levels", "primary", Surface.FILTER, "Primary"),
            ("levels", "adult-learning", Surface.AGENT, "Adult Education"),
            ("levels", "adult-learning", Surface.LISTING, "Adult Learning"),
            ("teaching-methods", "interactive", Surface.LISTING, "Interactive Learning"),
            ("experience-bands", "5-10-years", Surface.LISTING, "5-10"),
            ("experience-bands", "5-10-years", Surface.TEMPLATE, "5-10 years"),
        ],
    )
    def test_gives_the_label_of_the_surface(self, kind, entry_id, surface, label):
        assert label_for(resolve(kind, entry_id), surface) == label

    @pytest.mark.parametrize("surface", Surface)
    def test_every_label_of_every_surface_leads_back(self, surface):
        for kind in KINDS:
            for entry in entries(kind):
                assert resolve(kind, label_for(entry, surface)) is entry


class TestHierarchy:
    def test_a_parent_has_its_descendants(self):
        assert ids(descendants(resolve("levels", "university"))) == ["undergraduate", "postgraduate"]
        assert ids(descendants(resolve("subjects", "sciences"))) == ["physics", "chemistry", "biology"]
        assert ids(descendants(resolve("experience-bands", "expert"))) == ["5-10-years", "10-plus-years"]
        assert descendants(resolve("subjects", "french")) == ()

    def test_a_child_has_its_ancestors(self):
        assert ids(ancestors(resolve("subjects", "french"))) == ["languages"]
        assert ids(ancestors(resolve("sessions-per-week", "5+"))) == ["4-plus"]
        assert ancestors(resolve("subjects", "languages")) == ()

    def test_ancestors_and_descendants_mirror_each_other(self):
        for kind in KINDS:
            for entry in entries(kind):
                for above in ancestors(entry):
                    assert entry in descendants(above)


class TestMatching:
    def test_a_filter_finds_the_entry_and_its_descendants(self):
        assert ids(matching(resolve("levels", "University"))) == [
            "university",
            "undergraduate",
            "postgraduate",
        ]

    def test_a_filter_does_not_find_ancestors(self):
        assert ids(matching(resolve("subjects", "French"))) == ["french"]

    @pytest.mark.parametrize(
        ("area", "found"),
        [
            ("london", ["london", "nationwide", "international"]),
            ("northern-ireland", ["northern-ireland", "nationwide", "international"]),
            ("nationwide", ["nationwide", "international"]),
            ("international", ["international"]),
            ("local", ["local", "regional", "hybrid"]),
            ("regional", ["regional"]),
            ("online", ["online", "hybrid"]),
            ("hybrid", ["hybrid"]),
        ],
    )
    def test_wider_coverage_satisfies_a_narrower_filter(self, area, found):
        assert ids(matching(resolve("coverage-areas", area))) == found


class TestRelated:
    @pytest.mark.parametrize(
        ("kind", "entry_id", "link"),
        [
            ("learning-goals", "exam-preparation", ("specializations", "exam-preparation")),
            ("learning-goals", "homework-help", ("specializations", "homework-help")),
            ("learning-preferences", "visual-learning", ("teaching-methods", "visual-learning")),
            ("learning-preferences", "hands-on-practice", ("teaching-methods", "hands-on-practice")),
            ("learning-preferences", "discussion-based", ("teaching-methods", "discussion-based")),
            ("learning-preferences", "step-by-step", ("teaching-methods", "structured-lessons")),
        ],
    )
    def test_leads_to_the_nearest_entry_of_another_kind(self, kind, entry_id, link):
        assert [(entry.kind, entry.id) for entry in related(resolve(kind, entry_id))] == [link]

    def test_is_empty_where_nothing_is_near(self):
        assert related(resolve("learning-preferences", "fast-paced")) == ()


class TestDeduplicate:
    def test_one_entry_keeps_its_first_spelling(self):
        assert deduplicate("subjects", ["Maths", "Physics", "mathematics", "MATH"]) == ["Maths", "Physics"]

    def test_free_texts_are_compared_normalised(self):
        assert deduplicate("subjects", ["Rock & Roll", "rock-and-roll", "Astronomy"]) == [
            "Rock & Roll",
            "Astronomy",
        ]

    def test_related_entries_are_different_values(self):
        assert deduplicate("subjects", ["French", "Languages", "Art", "Arts"]) == [
            "French",
            "Languages",
            "Art",
            "Arts",
        ]

    @settings(deadline=None)
    @given(st.lists(st.text() | st.sampled_from(TEXTS).map(lambda row: row[2])))
    def test_nothing_is_reordered_repeated_or_lost(self, texts):
        kept = deduplicate("subjects", texts)
        values = [resolve("subjects", text) or normalise(text) for text in texts]
        assert [resolve("subjects", text) or normalise(text) for text in kept] == list(dict.fromkeys(values))
        assert all(text in texts for text in kept)


class TestOffered:
    def test_a_surface_without_its_own_set_offers_everything(self):
        assert offered("specializations", Surface.LISTING) == entries("specializations")

    def test_the_agent_form_is_a_template_form(self):
        assert offered("agency-services", Surface.AGENT) == offered("agency-services", Surface.TEMPLATE)

    def test_refuses_an_unknown_kind(self):
        with pytest.raises(UnknownKind):
            offered("colours", Surface.FILTER)
