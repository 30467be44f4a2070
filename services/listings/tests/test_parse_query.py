"""What a sentence says: docs/spec/domain.md 7.5, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.listings.tests.sentences import said

from cas_listings.domain.parse_query import ParsedQuery, parse_query
from cas_listings.domain.towns import find_town, kilometres_between, towns
from cas_taxonomy import entries

WHAT_IS_TAUGHT = {
    "maths": {"subjects": "mathematics"},
    "I need a MATHS tutor": {"subjects": "mathematics"},
    "Numeracy and literacy": {"subjects": "mathematics english"},
    "maths, physics & chemistry": {"subjects": "mathematics physics chemistry"},
    "maths and Mathematics": {"subjects": "mathematics"},
    "art and design": {"subjects": "art"},
    "Art & Design": {"subjects": "art"},
    "English Literature": {"subjects": "english"},
    "modern foreign languages": {"subjects": "languages"},
    "MFL": {"subjects": "languages"},
    "mfl": {"subjects": "languages"},
    "computer_science": {"subjects": "computer-science"},
    "special educational needs": {"subjects": "special-educational-needs"},
    "SEN support": {"subjects": "special-educational-needs", "terms": "support"},
    "français": {"terms": "français"},
    "smart tutor": {"terms": "smart"},
    "a party planner": {"terms": "party planner"},
    "PE teacher": {"subjects": "physical-education"},
    "pe teacher": {"terms": "pe"},
    "P.E.": {"subjects": "physical-education"},
    "RE and RS": {"subjects": "religious-studies"},
    "GCSE RE-SIT maths": {"levels": "gcse", "subjects": "mathematics", "terms": "RE SIT"},
    "GCSE MATHS RE-TAKE": {"levels": "gcse", "subjects": "mathematics", "terms": "RE TAKE"},
    "GCSE-RE": {"levels": "gcse", "subjects": "religious-studies"},
    "RE - GCSE": {"levels": "gcse", "subjects": "religious-studies"},
    "RE-": {"subjects": "religious-studies"},
    "PE-teacher": {"subjects": "physical-education"},
    "A2-LEVEL PHYSICS": {"levels": "a-level", "subjects": "physics"},
    "re: my son": {"terms": "re"},
    "other": {"terms": "other"},
    "A2 physics": {"subjects": "physics", "levels": "a-level"},
    "a2 physics": {"subjects": "physics", "terms": "a2"},
    "ba": {"terms": "ba"},
    "BA": {"levels": "undergraduate"},
    "ib biology": {"subjects": "biology", "levels": "ib"},
    "A-Level": {"levels": "a-level"},
    "a level": {"levels": "a-level"},
    "A–Levels": {"levels": "a-level"},  # noqa: RUF001  an en dash, as phones type it
    "GCSEs": {"levels": "gcse"},
    "ks4": {"levels": "gcse"},
    "key stage 3": {"levels": "ks3"},
    "Key-Stage 1": {"levels": "primary"},
    "primary school": {"levels": "primary"},
    "university": {"levels": "university"},
    "adult learners": {"levels": "adult-learning"},
    "GCSE/A-Level maths": {"subjects": "mathematics", "levels": "gcse a-level"},
}

SCHOOL_YEARS = {
    "year 1": {"levels": "primary"},
    "Year 6 maths": {"levels": "primary", "subjects": "mathematics"},
    "year 7": {"levels": "ks3"},
    "yr 9": {"levels": "ks3"},
    "Y10": {"levels": "gcse"},
    "year 11": {"levels": "gcse"},
    "year 12": {"levels": "a-level"},
    "y13": {"levels": "a-level"},
    "years 7-9": {"levels": "ks3"},
    "year 1-6": {"levels": "primary"},
    "year 6 to 7": {"levels": "primary ks3"},
    "year 6 and year 10": {"levels": "primary gcse"},
    "year 9, 10 and 11": {"levels": "ks3 gcse"},
    "years 9, 10, 11 maths": {"levels": "ks3 gcse", "subjects": "mathematics"},
    "Years 5, 6, or 7": {"levels": "primary ks3"},
    "years 7 to 9 and 12": {"levels": "ks3 a-level"},
    "year 13 to 11": {"levels": "gcse a-level"},
    "year 9/10": {"levels": "ks3 gcse"},
    "year 11 & 12": {"levels": "gcse a-level"},
    "year 6, year 10": {"levels": "primary gcse"},
    "y7-y12": {"levels": "ks3 gcse a-level"},
    "Year 9 to Year 13": {"levels": "ks3 gcse a-level"},
    "Yr11": {"levels": "gcse"},
    "yr10/11": {"levels": "gcse"},
    "year7": {"levels": "ks3"},
    "y": {"terms": "y"},
    "Y9/10": {"levels": "ks3 gcse"},
    "year 10 and 11 students": {"levels": "gcse", "terms": "students"},
    "year 9, 10 pounds an hour": {"levels": "ks3", "max": 10.0},
    "year 9 and £10": {"levels": "ks3", "max": 10.0},
    "year 9, 11+": {"levels": "ks3", "terms": "11+"},
    "year 5 and 11+": {"levels": "primary", "terms": "11+"},
    "year 11, 2 lessons a week": {"levels": "gcse"},
    "year 11, 2 hours": {"levels": "gcse"},
    "year 10, 7 year old brother": {"levels": "gcse", "terms": "brother"},
    "year 10 to": {"levels": "gcse"},
    "year 11 or 12": {"levels": "gcse a-level"},
    "year 14": {},
    "year 0": {},
    "9 years old": {},
    "my 11 year old": {},
    "11+": {"terms": "11+"},
    "11+ for £30": {"terms": "11+", "max": 30.0},
    "under £30, 13+": {"terms": "13+", "max": 30.0},
    "from 11+": {"terms": "11+"},
    "11 plus": {"terms": "11+"},
    "eleven plus": {"terms": "eleven"},
}

PLACES = {
    "in leeds": {"in": "Leeds"},
    "LEEDS": {"in": "Leeds"},
    "Leeds maths": {"in": "Leeds", "subjects": "mathematics"},
    "leedsy": {"terms": "leedsy"},
    "milton keynes": {"in": "Milton Keynes"},
    "Stoke on Trent": {"in": "Stoke-on-Trent"},
    "stoke-on-trent": {"in": "Stoke-on-Trent"},
    "Newcastle": {"in": "Newcastle upon Tyne"},
    "newcastle under lyme": {"in": "Newcastle-under-Lyme"},
    "St. Albans": {"in": "St Albans"},
    "saint albans": {"in": "St Albans"},
    "king's lynn": {"in": "King's Lynn"},
    "kings lynn": {"in": "King's Lynn"},
    "bury st edmunds": {"in": "Bury St Edmunds"},
    "brighton & hove": {"in": "Brighton"},
    "near Córby": {"in": "Corby"},
    "reading and writing": {"terms": "reading writing"},
    "tutor in reading": {"in": "Reading"},
    "maths tutor reading": {"in": "Reading", "subjects": "mathematics"},
    "maths tutor, reading!": {"in": "Reading", "subjects": "mathematics"},
    "Reading maths tutor": {"subjects": "mathematics", "terms": "Reading"},
    "a good deal of help": {"terms": "deal"},
    "around Deal": {"in": "Deal"},
    "near bath or so": {"in": "Bath", "terms": "so"},
    "bath time": {"terms": "bath"},
    "rugby coach": {"terms": "rugby coach"},
    "from Rugby please": {"in": "Rugby"},
    "at Sandwich on mondays": {"in": "Sandwich", "terms": "mondays"},
    "sale now": {"terms": "sale now"},
    "at sale": {"in": "Sale"},
    "London or Leeds": {"in": "London", "terms": "Leeds"},
    "Leeds, in leeds": {"in": "Leeds"},
}

HOW = {
    "online": {"how": "online"},
    "Remote": {"how": "online"},
    "on zoom": {"how": "online"},
    "virtual lessons": {"how": "online"},
    "in person": {"how": "in_person"},
    "in-person": {"how": "in_person"},
    "Face to Face": {"how": "in_person"},
    "face-to-face": {"how": "in_person"},
    "at home": {"how": "in_person"},
    "hybrid": {"how": "hybrid"},
    "online or in person": {"how": "hybrid"},
    "zoom and at home": {"how": "hybrid"},
    "online, remote": {"how": "online"},
    "not online": {},
    "no zoom": {},
    "in person, not online": {"how": "in_person"},
    "not in person": {},
    "at home in Leeds": {"how": "in_person", "in": "Leeds"},
}

TRIALS = {
    "free trial": {"trial": True},
    "trial lesson": {"trial": True},
    "free first lesson": {"trial": True},
    "Free Lesson": {"trial": True},
    "free trial lesson": {"trial": True},
    "no free trial": {},
    "trial and error": {"terms": "trial error"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(text, expected, id=text or "nothing")
        for table in (
            WHAT_IS_TAUGHT,
            SCHOOL_YEARS,
            PLACES,
            HOW,
            TRIALS,
        )
        for text, expected in table.items()
    ],
)
def test_understands(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "intent", "confidence", "sentence"),
    [
        ("show me everybody", "browse", 0.3, "All tutors"),
        ("any tutors", "browse", 0.3, "All tutors"),
        ("harry potter", "search", 0.3, 'Tutors matching "harry potter"'),
        ("", "search", 0.3, "All tutors"),
        ("show all maths", "search", 0.6, "Mathematics tutors"),
        ("maths in leeds", "specific_request", 0.7, "Mathematics tutors in Leeds"),
        ("maths online", "search", 0.7, "Mathematics tutors online"),
        ("in leeds", "search", 0.6, "All tutors in Leeds"),
        (
            "gcse maths in leeds up to £30",
            "specific_request",
            0.9,
            "GCSE Mathematics tutors in Leeds up to £30 per hour",
        ),
        (
            "GCSE and A-level maths, science, art at home in Leeds from £20 to £30.50 with a free trial",
            "specific_request",
            0.95,
            (
                "GCSE and A-Level Mathematics, Science and Art tutors in person in Leeds from £20 to £30.50 per hour"
                " with a free trial"
            ),
        ),
    ],
)
def test_says_what_it_understood(text, intent, confidence, sentence):
    parsed = parse_query(text)
    assert (parsed.intent, parsed.confidence, parsed.sentence) == (intent, confidence, sentence)


@pytest.mark.parametrize("kind", ["subjects", "levels"])
def test_knows_every_spelling_of_the_taxonomy(kind):
    """As whole words, alone and amid others."""
    for entry in entries(kind):
        if entry.id == "other":
            continue
        for spelling in (entry.id, entry.label, *entry.labels.values(), *entry.aliases):
            parsed = parse_query(f"help with {spelling}, please")
            assert entry in getattr(parsed, kind), spelling


class TestPublishedCities:
    def test_are_known_beside_the_list(self):
        assert parse_query("maths in zürich", cities=("Zurich",)).location == "Zurich"
        assert parse_query("maths zurich", cities=("Zurich",)).location == "Zurich"

    def test_do_not_turn_words_into_places(self):
        assert parse_query("clever maths lessons", cities=("Clever",)).location is None
        assert parse_query("maths tutor", cities=("Tutor",)).location is None


ANY_TEXT = st.text(max_size=500)
ITS_WORDS = """
    in not no under between and to - – . , £ 20 30.5 1,000 per hour / hr 11+ 13 + year years old maths A-Level PE
    reading Leeds St Albans online in person free trial lesson around max & ' P.E. y10
    minimum of about at least RE- pm : %
"""  # noqa: RUF001
SENTENCES = st.lists(st.sampled_from(ITS_WORDS.split()), max_size=40).map(" ".join)


@given(ANY_TEXT | SENTENCES)
def test_reads_any_text_the_same_way_twice(text):
    parsed = parse_query(text)
    assert parsed == parse_query(text)
    assert_can_be_searched_for(parsed)


def assert_can_be_searched_for(parsed: ParsedQuery) -> None:
    low, high = parsed.prices.lowest, parsed.prices.highest
    assert low is None or high is None or low <= high
    assert 0.3 <= parsed.confidence <= 0.95
    assert parsed.location is None or find_town(parsed.location)
    assert parsed.location_type in {None, "online", "in_person", "hybrid"}
    assert all(term.strip() for term in parsed.terms)
    assert parsed.sentence


class TestTowns:
    def test_are_hundreds_in_every_region(self):
        regions = {entry.id for entry in entries("coverage-areas")}
        assert len(towns()) > 500
        assert {town.region for town in towns()} <= regions
        assert all(49.8 < town.latitude < 60.9 and -8.2 < town.longitude < 1.8 for town in towns())

    def test_are_found_by_any_spelling(self):
        assert find_town("ST. ALBANS") == find_town("saint albans")
        assert find_town("Atlantis") is None

    def test_are_as_far_apart_as_they_are(self):
        london, leeds = find_town("London"), find_town("Leeds")
        assert london
        assert leeds
        assert 265 < kilometres_between(london, leeds) < 280
