"""What a sentence says: docs/spec/domain.md 7.5, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_listings.domain.parse_query import ParsedQuery, parse_query
from cas_listings.domain.towns import find_town, kilometres_between, towns
from cas_taxonomy import entries


def said(text: str) -> dict[str, object]:
    """What was recognised, without what is empty."""
    parsed = parse_query(text)
    parts = {
        "subjects": " ".join(entry.id for entry in parsed.subjects),
        "levels": " ".join(entry.id for entry in parsed.levels),
        "in": parsed.location,
        "how": parsed.location_type,
        "min": parsed.prices.lowest,
        "max": parsed.prices.highest,
        "trial": parsed.free_trial_only,
        "terms": " ".join(parsed.terms),
    }
    return {
        name: value
        for name, value in parts.items()
        if value is not None and value is not False and value != ""
    }


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

PRICES = {
    "under £30": {"max": 30.0},
    "under 30": {"max": 30.0},
    "below 30.50": {"max": 30.5},
    "less than £25": {"max": 25.0},
    "up to 40": {"max": 40.0},
    "max 40": {"max": 40.0},
    "at most £40": {"max": 40.0},
    "cheaper than 20": {"max": 20.0},
    "no more than 20": {"max": 20.0},
    "not over 20": {"max": 20.0},
    "£40 max": {"max": 40.0},
    "£40 or less": {"max": 40.0},
    "over 20": {"min": 20.0},
    "above £20": {"min": 20.0},
    "more than 20": {"min": 20.0},
    "at least £20": {"min": 20.0},
    "from 20": {"min": 20.0},
    "min 20": {"min": 20.0},
    "£20+": {"min": 20.0},
    "20+ per hour": {"min": 20.0},
    "£20 or more": {"min": 20.0},
    "over 0": {"min": 0.0},
    "between 20 and 30": {"min": 20.0, "max": 30.0},
    "between £30 and £20": {"min": 20.0, "max": 30.0},
    "£20-£30": {"min": 20.0, "max": 30.0},
    "£20-30": {"min": 20.0, "max": 30.0},
    "20-30 pounds": {"min": 20.0, "max": 30.0},
    "£20 to £30": {"min": 20.0, "max": 30.0},
    "from 20 to 30": {"min": 20.0, "max": 30.0},
    "20 – 30 per hour": {"min": 20.0, "max": 30.0},  # noqa: RUF001
    "over 20 and under 30": {"min": 20.0, "max": 30.0},
    "over 30 under 20": {"min": 20.0, "max": 30.0},
    "around £40": {"min": 32.0, "max": 48.0},
    "around 25.50": {"min": 20.4, "max": 30.6},
    "£30": {"max": 30.0},
    "GBP 30": {"max": 30.0},
    "30 GBP": {"max": 30.0},
    "30 pounds": {"max": 30.0},
    "30 quid": {"max": 30.0},
    "30 an hour": {"max": 30.0},
    "30 per hour": {"max": 30.0},
    "30/hr": {"max": 30.0},
    "30 / hr": {"max": 30.0},
    "£30ph": {"max": 30.0},
    "£1,250": {"max": 1250.0},
    "30": {},
    "20-30": {},
    "free": {"terms": "free"},
    "2 years": {},
    "from 9 am": {},
    "at least 10 lessons": {},
    "60 min": {},
    "£99999999999999999999": {},
    "under £30 for a 9 year old": {"max": 30.0},
}

WORDS_BETWEEN_A_BOUND_AND_ITS_PRICE = {
    "min. £30": {"min": 30.0},
    "min: £30": {"min": 30.0},
    "a level maths min. 25": {"subjects": "mathematics", "levels": "a-level", "min": 25.0},
    "over: £30": {"min": 30.0},
    "minimum of £20": {"min": 20.0},
    "maths, a minimum of £20 an hour": {"subjects": "mathematics", "min": 20.0},
    "minimum price £20": {"min": 20.0},
    "min price 20": {"min": 20.0},
    "Min. price: £20": {"min": 20.0},
    "minimum hourly rate of 20": {"min": 20.0},
    "from just £20": {"min": 20.0},
    "from only 20": {"min": 20.0},
    "max. £30": {"max": 30.0},
    "maximum of £20": {"max": 20.0},
    "max price 30": {"max": 30.0},
    "max budget is 30": {"max": 30.0},
    "maximum rate £35/hr": {"max": 35.0},
    "from about £30": {"min": 30.0},
    "at least around £25": {"min": 25.0},
    "more than around £30": {"min": 30.0},
    "no more than about £30": {"max": 30.0},
    "up to around 40": {"max": 40.0},
    "around about £40": {"min": 32.0, "max": 48.0},
    "approx. £40": {"min": 32.0, "max": 48.0},
    "between about £20 and about £30": {"min": 20.0, "max": 30.0},
    "from £20 to around £30": {"min": 20.0, "max": 30.0},
    "from £20 to a maximum of £30": {"min": 20.0, "max": 30.0},
    "a minimum of 2 lessons": {},
    "minimum of £20, 2 lessons a week": {"min": 20.0},
}

OTHER_WORDS_FOR_BOUNDS = {
    "starting at £20": {"min": 20.0},
    "prices starting from about £20": {"min": 20.0},
    "higher than £20": {"min": 20.0},
    "upwards of £20": {"min": 20.0},
    "not lower than 20": {"min": 20.0},
    "> £20": {"min": 20.0},
    "£25 at least": {"min": 25.0},
    "£25 min": {"min": 25.0},
    "£20 an hour minimum": {"min": 20.0},
    "£20 and up": {"min": 20.0},
    "£20 and above": {"min": 20.0},
    "20 pounds upwards": {"min": 20.0},
    "£20 or higher": {"min": 20.0},
    "30 max per hour": {"max": 30.0},
    "30 or more an hour": {"min": 30.0},
    "£25 at most": {"max": 25.0},
    "£30 tops": {"max": 30.0},
    "£30 or cheaper": {"max": 30.0},
    "£30 and under": {"max": 30.0},
    "< £30": {"max": 30.0},
    "lower than 30": {"max": 30.0},
    "not higher than 30": {"max": 30.0},
    "£30 at least 2 years experience": {"max": 30.0, "terms": "experience"},
    "£30 minimum of 2 lessons": {"max": 30.0},
    "£20 minimum, £30 maximum": {"min": 20.0, "max": 30.0},
    "min £20 max £30": {"min": 20.0, "max": 30.0},
    "max £30 min £20": {"min": 20.0, "max": 30.0},
    "about £20-£30": {"min": 20.0, "max": 30.0},
    "budget 30": {"max": 30.0},
    "my budget is £30 an hour": {"max": 30.0},
    "Budget: 20-30": {"min": 20.0, "max": 30.0},
    "price range £20-£30": {"min": 20.0, "max": 30.0},
    "price: 30": {"max": 30.0},
    "price around £40": {"min": 32.0, "max": 48.0},
    "budget of about 40": {"min": 32.0, "max": 48.0},
    "circa £40": {"min": 32.0, "max": 48.0},
    "£20 (min) - £30 (max)": {"min": 20.0, "max": 30.0},
    "20£ - 30£": {"min": 20.0, "max": 30.0},
    "£30 each": {"max": 30.0},
    "~£40": {"min": 32.0, "max": 48.0},
    "£20 minimum. 2 lessons a week": {"min": 20.0},
    "starting price £20": {"min": 20.0},
    "can pay up to £30": {"max": 30.0},
    "cost under 30": {"max": 30.0},
    "over £20 but under £30": {"min": 20.0, "max": 30.0},
}

MEASURES = {
    "maths from 6 to 8pm": {"subjects": "mathematics"},
    "from 6pm to 8pm": {},
    "from 9 to 5pm": {},
    "from 9am to 5": {},
    "4-6pm": {},
    "between 4 and 6pm": {},
    "between 11 and 1pm": {},
    "after 4pm": {},
    "from 4.30 p.m.": {},
    "from 16:00": {},
    "from 4:30pm": {},
    "from 9:30 to 11": {},
    "between 4:00 and 6:30": {},
    "until 9:00": {},
    "from 6 o'clock": {},
    "from 6 to 8 in the evening": {},
    "under 30 in the evening": {"max": 30.0, "terms": "evening"},
    "over 90% pass rate": {"terms": "pass"},
    "over 90 % pass rate": {"terms": "pass"},
    "at least 95 percent": {},
    "more than 90 per cent": {},
    "from 80 to 90%": {},
    "100% pass rate for under £30": {"max": 30.0, "terms": "pass"},
    "from 16:00, under £30": {"max": 30.0},
    "under 30 - 4pm": {"max": 30.0},
    "under 30 - 1 hour a week": {"max": 30.0},
    "under 20 and 4pm": {"max": 20.0},
    "year 9 - 4pm": {"levels": "ks3"},
    "key stage 3 - 4pm": {"levels": "ks3"},
    "mondays from 5pm to 7pm for under £30 an hour": {"max": 30.0, "terms": "mondays"},
    "£30 for 2 hours": {"max": 30.0},
    "60 min £30": {"max": 30.0},
    "£20 per 30 min": {"max": 20.0},
    "up to 90 minutes": {},
    "up to 10 miles": {},
    "1:1 maths": {"subjects": "mathematics"},
    "1:": {},
    "from 20:": {"min": 20.0},
}

REFUSED_PRICES = {
    "I can't pay more than £25": {"max": 25.0},
    "cannot afford over £30": {"max": 30.0},
    "don't want to pay over about £30 an hour": {"max": 30.0},
    "don’t want anybody over £30": {"max": 30.0},  # noqa: RUF001  as phones type it
    "nothing over £30": {"max": 30.0},
    "no one above 30": {"max": 30.0},
    "never more than £20": {"max": 20.0},
    "not exceeding £30": {"max": 30.0},
    "nobody under £20": {"min": 20.0},
    "not online, more than £20": {"min": 20.0},
    "not pushy, over £20": {"min": 20.0, "terms": "not pushy"},
}

WHAT_COUNTS_SOMETHING_ELSE = {
    "over 18s": {},
    "over 4.5 rating": {"terms": "rating"},
    "10+ years experience": {"terms": "experience"},
    "at least 5+ yrs of experience, £40": {"max": 40.0, "terms": "experience"},
    "in 2025 £30": {"max": 30.0},
    "2 hours a week": {},
    "1st class maths": {"subjects": "mathematics"},
    "from 12 to 14 years": {},
    "from 10 to 12 weeks": {},
    "over 4.5 stars": {"terms": "stars"},
    "over 5 years": {},
    "under 9 years old": {},
    "under 20 and 2 lessons": {"max": 20.0},
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
            PRICES,
            WORDS_BETWEEN_A_BOUND_AND_ITS_PRICE,
            OTHER_WORDS_FOR_BOUNDS,
            REFUSED_PRICES,
            MEASURES,
            WHAT_COUNTS_SOMETHING_ELSE,
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
