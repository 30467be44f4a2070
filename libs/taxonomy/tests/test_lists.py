"""The data says what docs/spec/domain.md 2.2 to 2.12 say."""

import pytest

from cas_taxonomy import KINDS, Surface, Window, entries, label_for, offered, resolve

COUNTS = {
    "subjects": 38,
    "levels": 12,
    "languages": 13,
    "teaching-methods": 14,
    "specializations": 13,
    "learning-goals": 8,
    "learning-preferences": 7,
    "agency-services": 18,
    "coverage-areas": 18,
    "experience-bands": 6,
    "years-in-business": 8,
    "number-of-tutors": 10,
    "student-capacities": 4,
    "education-attained": 5,
    "certifications": 5,
    "session-types": 4,
    "delivery-modes": 3,
    "sessions-per-week": 6,
    "session-lengths": 5,
    "trial-lengths": 4,
    "availability-slots": 6,
    "rate-bands": 11,
}

# As the page lists them: the text is what the surface shows or, for wizards, what it sends.
OFFERED = {
    ("subjects", Surface.TEMPLATE): (
        "Mathematics, Physics, Chemistry, Biology, English, History, Geography, Computer Science, Spanish, French,"
        " German, Economics, Business Studies, Psychology"
    ),
    ("subjects", Surface.WIZARD): (
        "mathematics, languages, computer_science, sciences, business, test_prep, arts, other"
    ),
    ("subjects", Surface.LISTING): (
        "Mathematics, English, Physics, Chemistry, Biology, History, Geography, Computer Science, Economics,"
        " Business Studies, Psychology, Sociology, Art, Music, Drama, Physical Education, Religious Studies,"
        " Modern Foreign Languages, Other"
    ),
    ("subjects", Surface.FILTER): (
        "Mathematics, English, Science, Physics, Chemistry, Biology, History, Geography, Languages, Music, Art,"
        " Computer Science"
    ),
    ("subjects", Surface.AGENT): (
        "Mathematics, Sciences, Languages, Humanities, Arts, Music, Sports, Special Educational Needs (SEN),"
        " Exam Preparation, University Admissions"
    ),
    ("levels", Surface.TEMPLATE): (
        "Primary (KS1-KS2), KS3 (Years 7-9), GCSE, A-Level, IB, Undergraduate, Postgraduate"
    ),
    ("levels", Surface.AGENT): (
        "Primary (KS1-KS2), KS3 (Years 7-9), GCSE, A-Level, IB, Undergraduate, Postgraduate, Adult Education"
    ),
    ("levels", Surface.LISTING): (
        "Primary (KS1 & KS2), KS3, GCSE, A-Level, IB, Undergraduate, Postgraduate, Adult Learning"
    ),
    ("levels", Surface.FILTER): "Primary, KS3, GCSE, A-Level, University, Adult Learning",
    ("teaching-methods", Surface.TEMPLATE): (
        "Interactive, Exam-focused, Visual learning, Hands-on practice, Discussion-based, Problem-solving,"
        " One-on-one attention"
    ),
    ("teaching-methods", Surface.LISTING): (
        "Interactive Learning, Exam-Focused, Visual Learning, Hands-on Practice, Discussion-Based,"
        " One-on-One Attention, Project-Based, Structured Lessons, Flexible Approach, Technology-Enhanced,"
        " Games & Activities, Real-World Examples, Other"
    ),
    ("agency-services", Surface.TEMPLATE): (
        "Tutor placement, Background checks, Quality assurance, Tutor training, Performance monitoring,"
        " Parent support, Curriculum development, Educational consulting, Group tutoring, Online tutoring platform"
    ),
    ("agency-services", Surface.WIZARD): (
        "academic_tutoring, test_prep, language_learning, stem_tutoring, special_needs, college_prep,"
        " career_coaching, enrichment"
    ),
    ("experience-bands", Surface.TEMPLATE): "0-1 years, 1-3 years, 3-5 years, 5-10 years, 10+ years",
    ("experience-bands", Surface.WIZARD): "beginner, intermediate, experienced, expert",
    ("experience-bands", Surface.LISTING): "0-1, 1-3, 3-5, 5-10, 10+",
    (
        "years-in-business",
        Surface.TEMPLATE,
    ): "0-1 years, 1-3 years, 3-5 years, 5-10 years, 10-20 years, 20+ years",
    ("years-in-business", Surface.WIZARD): "startup, early, established, mature",
    ("number-of-tutors", Surface.TEMPLATE): "1-5, 6-10, 11-25, 26-50, 51-100, 100+",
    ("number-of-tutors", Surface.WIZARD): "solo, small, medium, large",
    ("student-capacities", Surface.WIZARD): "small, medium, large, enterprise",
    ("certifications", Surface.TEMPLATE): (
        "Teaching Certificate, TESOL/TEFL, Subject-Specific Certification, Tutoring Certification"
    ),
    ("sessions-per-week", Surface.TEMPLATE): "1, 2, 3, 4, 5+",
    ("sessions-per-week", Surface.WIZARD): "1, 2, 3, 4+",
    ("session-lengths", Surface.TEMPLATE): "30 minutes, 45 minutes, 1 hour, 1.5 hours, 2 hours",
    ("session-lengths", Surface.WIZARD): "30 minutes, 1 hour, 1.5 hours, 2 hours",
    ("rate-bands", Surface.WIZARD): "25-35, 40-50, 60-75, 80-100, 100+",
    ("rate-bands", Surface.LISTING): "15-20, 20-25, 25-30, 30-40, 40-50, 50-70, 70-100, 100+",
}


def test_every_kind_has_all_its_entries():
    assert {kind: len(entries(kind)) for kind in KINDS} == COUNTS


@pytest.mark.parametrize(("kind", "surface"), OFFERED)
def test_a_surface_offers_its_set_in_its_order(kind, surface):
    listed = [resolve(kind, text) for text in OFFERED[kind, surface].split(", ")]
    assert list(offered(kind, surface)) == listed


@pytest.mark.parametrize(("kind", "surface"), [key for key in OFFERED if key[1] != Surface.WIZARD])
def test_a_surface_shows_its_own_labels(kind, surface):
    shown = [label_for(entry, surface).replace("£", "") for entry in offered(kind, surface)]
    assert shown == OFFERED[kind, surface].split(", ")


def test_languages_are_known_by_their_iso_codes():
    codes = ["en", "es", "fr", "de", "it", "pt", "ru", "ja", "ko", "ar", "hi", "zh"]
    names = (
        "English Spanish French German Italian Portuguese Russian Japanese Korean Arabic Hindi Mandarin Other"
    )
    assert [entry.label for entry in entries("languages")] == names.split()
    assert [resolve("languages", code) for code in codes] == list(entries("languages")[:-1])


@pytest.mark.parametrize("kind", ["subjects", "languages", "teaching-methods", "specializations"])
def test_open_listing_fields_have_an_entry_for_other(kind):
    assert resolve(kind, "Other").id == "other"


def test_defaults_are_english_and_half_an_hour():
    defaults = {(kind, entry.id) for kind in KINDS for entry in entries(kind) if entry.default}
    assert defaults == {("languages", "english"), ("trial-lengths", "30")}


@pytest.mark.parametrize(
    ("slot", "window"),
    [
        ("weekday_morning", Window((1, 2, 3, 4, 5), "06:00", "12:00")),
        ("weekday_afternoon", Window((1, 2, 3, 4, 5), "12:00", "17:00")),
        ("weekday_evening", Window((1, 2, 3, 4, 5), "17:00", "22:00")),
        ("weekend_morning", Window((6, 7), "06:00", "12:00")),
        ("weekend_afternoon", Window((6, 7), "12:00", "17:00")),
        ("weekend_evening", Window((6, 7), "17:00", "22:00")),
    ],
)
def test_slots_have_their_days_and_hours(slot, window):
    entry = resolve("availability-slots", slot)
    assert entry.window == window
    assert entry.wire == slot


def test_rate_bands_send_their_numbers():
    def numbers(surface):
        return [band.sends[surface] for band in offered("rate-bands", surface)]

    assert numbers(Surface.WIZARD) == [25, 40, 60, 80, 100]
    assert numbers(Surface.LISTING) == [20, 25, 30, 35, 45, 60, 85, 100]


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        ("experience-bands", [(0, 1), (1, 3), (3, 5), (5, None), (5, 10), (10, None)]),
        ("years-in-business", [(0, 1), (1, 3), (3, 10), (3, 5), (5, 10), (10, None), (10, 20), (20, None)]),
        ("student-capacities", [(1, 25), (25, 100), (100, 500), (500, None)]),
    ],
)
def test_bands_carry_their_bounds(kind, bounds):
    assert [(entry.min, entry.max) for entry in entries(kind)] == bounds
