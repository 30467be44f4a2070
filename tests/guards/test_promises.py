"""What the existing web client depends on, and each failure that a rule prevents, has a test with a name.

Read from docs/spec/domain.md: every line of these chapters with **[WEB]** or *Prevents:* needs an entry here.
"""

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/spec/domain.md").read_text(encoding="utf-8")
CHAPTERS = ("1.", "2.", "3.", "4.", "5.", "6.", "7.", "8.", "9.")
MARK = re.compile(r"\*\*\[WEB.*?\]\*\*|\*Prevents:\*")

PICTURES = "services/account/tests/test_pictures.py"
FILES = "services/account/tests/test_picture_files.py"
PROFILE = "services/account/tests/test_rest_profile.py"
TEMPLATE = "services/account/tests/test_rest_professional_info.py"
RULES = "services/account/tests/test_professional_info.py"
AVAILABILITY = "libs/fields/tests/test_availability.py"
ONBOARDING = "services/onboarding/tests/test_rest.py"
COMPLETION = "services/onboarding/tests/test_completion.py"
PROGRESS = "services/onboarding/tests/test_operations.py"
MACHINE = "services/onboarding/tests/test_progress_machine.py"
RULES_OF_SAVES = "services/onboarding/tests/test_domain_progress.py"
SPECIFIED = "services/account/tests/test_template_specification.py"
LISTINGS = "services/listings/tests/test_rest_listings.py"
FOUND = "services/listings/tests/test_rest_search.py"
MAPPING = "services/onboarding/tests/test_domain_completion.py"
SENTENCES = "services/listings/tests/test_parse_query.py"
JOURNEY = "tests/integration/test_onboarding_journey.py"

# Words of the line, enough to find it, and the tests that show it.
PROMISES: Mapping[str, tuple[str, ...]] = {
    # ---- 3.3 and 3.4: the public profile, pictures ----
    'row-level "public read" that exposed every column': (
        "services/account/tests/test_rest_public_profile.py::test_shows_exactly_what_everybody_may_know",
    ),
    "alias of the avatar upload for the existing web client": (
        f"{PICTURES}::TestUpload::test_by_name_is_the_same_for_the_existing_web_client",
        f"{PICTURES}::TestUpload::test_by_name_wants_a_name",
    ),
    "orphan files; HTML served as an image": (
        f"{PICTURES}::TestOldFiles::test_of_an_upload_that_was_never_shown_go",
        f"{PICTURES}::TestAtTheSameTime::test_one_upload_wins_and_no_file_is_left_over",
        f"{PICTURES}::TestRefusals::test_leave_the_old_picture_in_place",
    ),
    # ---- 1 and 2: roles, taxonomy ----
    "give `role_type` in the spelling the request used": (
        f"{TEMPLATE}::TestNothingSaved::test_is_404_in_the_spelling_of_the_request",
        f"{TEMPLATE}::TestRoundTrip::test_every_field_comes_back_for_every_role",
    ),
    "users enrolled as clients before they chose": (
        f"{PROFILE}::TestFirstCall::test_creates_the_profile_from_the_token",
    ),
    '"completed, no role" accounts': (
        f"{JOURNEY}::TestATutorOnboards::test_in_five_saves_with_a_stale_one_and_a_duplicate_in_between",
        f"{COMPLETION}::TestWhenAllIsWell::test_nothing_answered_still_adds_the_role",
    ),
    "four spellings of one idea": (
        "libs/taxonomy/tests/test_specification.py::TestEveryTable::test_gives_texts_that_resolve",
        f"{SPECIFIED}::TestBothVocabularies::test_of_every_entry_are_kept_and_understood",
    ),
    "template lists backed by a kind": (
        f"{SPECIFIED}::TestBothVocabularies::test_outside_them_a_short_text_is_kept_without_an_id",
        "libs/fields/tests/test_reading.py::TestTextList::test_lets_only_known_texts_be_long",
    ),
    # ---- 3: profiles ----
    "sign-ups that fail because profile creation failed": (
        "services/account/tests/test_concurrency.py::TestFirstCalls::test_create_one_profile_and_one_template",
        "services/account/tests/test_operations.py::TestWelcome::test_creates_once",
    ),
    "the **bare** profile object": (
        f"{PROFILE}::TestTheObject::test_is_bare_and_has_every_column_but_the_storage_keys",
        f"{PROFILE}::TestTheObject::test_says_nothing_is_null_but_the_role_nobody_chose",
    ),
    "POST /api/profile, PATCH /api/profile": (
        f"{PROFILE}::TestTheObject::test_stands_in_an_envelope_after_saving",
        f"{PROFILE}::TestSaving::test_merges_and_answers_the_whole_profile",
    ),
    "Every validation failure here is **400**": (
        f"{PROFILE}::TestRefusals::test_of_values_are_400_and_say_what_is_wrong_first",
        f"{PROFILE}::TestRefusals::test_of_a_missing_body_is_400",
    ),
    "an avatar that uploads well and is gone after reload": (
        f"{PROFILE}::TestSaving::test_keeps_picture_addresses",
        f"{FILES}::TestAPostedProfile::test_as_it_was_read_keeps_the_pictures",
        f"{FILES}::TestAPostedProfile::test_as_it_was_read_long_ago_keeps_what_became_of_the_pictures",
        f"{FILES}::TestAPostedProfile::test_never_shows_the_upload_of_another",
    ),
    "an old address that another session brings back": (
        f"{PROFILE}::TestFirstCall::test_an_older_token_does_not_bring_the_old_email_back",
    ),
    '"Expected string, received null"': (f"{PROFILE}::TestSaving::test_of_what_was_read_changes_nothing",),
    # ---- 4: templates ----
    "GET /api/account/professional-info?role_type=": (
        f"{TEMPLATE}::TestTheObject::test_is_bare_and_has_every_field_of_the_role_and_what_others_saved",
    ),
    "No professional info found for role: <role as asked>": (
        f"{TEMPLATE}::TestNothingSaved::test_is_404_in_the_spelling_of_the_request",
    ),
    "body `role_type` + any subset": (f"{TEMPLATE}::TestEnvelope::test_has_the_words_the_page_looks_for",),
    "missing or malformed header": (f"{TEMPLATE}::TestNothingSaved::test_without_a_token_is_401",),
    "`message` contains both `Template saved`": (
        f"{TEMPLATE}::TestEnvelope::test_has_the_words_the_page_looks_for",
    ),
    "fields that could never be cleared": (
        f"{TEMPLATE}::TestSaving::test_clears_and_keeps_zero_and_false",
        f"{RULES}::TestReadChanges::test_blanks_clear_every_field",
        f"{RULES}::TestRates::test_zero_is_a_rate",
    ),
    "a required choice that never reached the server": (
        f"{RULES}::TestLevels::test_are_two_views_of_one_list",
        f"{RULES}::TestLevels::test_of_both_views_the_list_decides",
    ),
    "40-50 collapsing to 45-45": (
        f"{RULES}::TestRates::test_a_range_alone_brings_its_midpoint",
        f"{RULES}::TestRates::test_a_rate_alone_keeps_a_range_that_contains_it",
    ),
    "9:00 AM to 5:00 PM refused by text comparison": (
        f"{AVAILABILITY}::TestDayMap::test_takes_nine_to_five_in_twelve_hour_times",
    ),
    "A list where an object was expected": (
        f"{AVAILABILITY}::TestPeriods::test_recur_on_their_days",
        f"{AVAILABILITY}::TestSlots::test_may_be_a_map_of_choices_or_hold_blanks",
    ),
    # ---- 5: onboarding ----
    "one JSON column shared by all roles": (
        f"{PROGRESS}::TestSaveProgress::test_of_one_role_leaves_the_others_alone",
    ),
    "POST /api/onboarding/save-progress": (f"{ONBOARDING}::TestSaveProgress::test_answers_what_is_stored",),
    "string `detail` naming the field": (
        f"{ONBOARDING}::TestSaveProgress::test_names_the_bad_field_in_a_sentence",
    ),
    "404 nothing saved (clients read it as none)": (
        f"{ONBOARDING}::TestReading::test_of_nothing_is_404",
        f"{ONBOARDING}::TestReading::test_of_an_unknown_role_is_400",
    ),
    "DELETE /api/onboarding/progress/{role_type}": (
        f"{ONBOARDING}::TestDeleting::test_forgets_and_may_be_repeated",
        f"{ONBOARDING}::TestReading::test_of_an_unknown_role_is_400",
    ),
    "saving under a posted id": (f"{ONBOARDING}::TestSaveProgress::test_takes_the_user_from_the_token_only",),
    "a late auto-save or beacon": (
        f"{MACHINE}::test_nothing_acknowledged_is_lost_and_nothing_goes_back",
        f"{RULES_OF_SAVES}::TestCompletedRow::test_rule_8_is_never_un_completed",
    ),
    "redirect loops from a stale profile": (
        f"{COMPLETION}::TestWhenAllIsWell::test_reading_says_so_too",
        f"{COMPLETION}::TestWhenAProcessDies::test_between_commit_and_delivery_the_relay_takes_over",
    ),
    "users with one role being unable to add a second": (
        f"{JOURNEY}::TestATutorOnboards::test_and_becomes_a_client_later_without_losing_anything",
    ),
    "biography, availability and capacity silently discarded": (
        f"{JOURNEY}::TestAnAgencyOnboards::test_and_every_answer_lands_in_its_template",
        f"{MAPPING}::TestMapping::test_of_every_tutor_answer",
        f"{MAPPING}::TestMapping::test_of_every_client_answer",
        f"{MAPPING}::TestMapping::test_of_every_agent_answer",
    ),
    # ---- 6: listings ----
    "`images` is a list of URL strings": (
        f"{LISTINGS}::TestWhatNobodyMaySay::test_pictures_are_not_made_by_naming_them",
    ),
    "dropped by a fixed column list": (
        f"{LISTINGS}::TestRoundTrip::test_every_field_comes_back",
        f"{LISTINGS}::TestRoundTrip::test_examples_name_every_field",
    ),
    '`"published"` creates and publishes in one transaction': (
        f"{LISTINGS}::TestMaking::test_can_publish_at_once",
        f"{LISTINGS}::TestMaking::test_publishes_completely_or_makes_nothing",
    ),
    "cached searches that hid new listings": (
        f"{FOUND}::TestAtOnce::test_a_published_listing_is_found",
        f"{FOUND}::TestAtOnce::test_a_hidden_listing_is_gone",
    ),
    # ---- 7: search ----
    "GET /api/marketplace/search": (
        f"{FOUND}::TestAnswer::test_of_a_body_is_that_of_an_address",
        f"{FOUND}::TestAtOnce::test_a_published_listing_is_found",
        "services/listings/tests/test_search_rules.py::TestParameters::test_mean_the_same_in_both_spellings",
    ),
    "Card = public listing": (f"{FOUND}::TestAnswer::test_has_all_its_parts",),
    "POST /api/ai/parse-query": (
        f"{FOUND}::TestSentences::test_become_filters_that_the_search_accepts",
        f"{FOUND}::TestSentences::test_are_needed",
    ),
    '"smart" read as Art': (f"{SENTENCES}::test_understands",),
    "lower-case cities missed": (
        f"{SENTENCES}::test_understands",
        f"{SENTENCES}::TestPublishedCities::test_are_known_beside_the_list",
    ),
    # ---- 8 and 9: health, errors ----
    "200 whenever the checker can answer": (
        "services/account/tests/test_rest_public.py::TestHealth::test_is_always_answered",
    ),
    "`[object Object]` on screen": (
        "libs/kit/tests/test_problems.py",
        f"{ONBOARDING}::TestSaveProgress::test_names_the_bad_field_in_a_sentence",
    ),
}


def promises() -> list[str]:
    """The lines with a mark."""
    sections = re.split(r"^##+ ", PAGE, flags=re.MULTILINE)
    covered = [each for each in sections if each.startswith(CHAPTERS)]
    return [line.strip() for section in covered for line in section.splitlines() if MARK.search(line)]


@cache
def names_in(file: str) -> frozenset[str]:
    """`test`, `Class` and `Class::test` of a test file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            found |= {
                f"{each.name}::{inner.name}" for inner in each.body if isinstance(inner, ast.FunctionDef)
            }
    return frozenset(found)


@pytest.mark.parametrize("line", promises())
def test_every_promise_has_an_entry(line):
    assert [words for words in PROMISES if words in line]


@pytest.mark.parametrize("words", PROMISES)
def test_every_entry_is_about_a_promise(words):
    assert [line for line in promises() if words in line]


@pytest.mark.parametrize("test", sorted({test for tests in PROMISES.values() for test in tests}))
def test_every_entry_names_a_test(test):
    file, _, name = test.partition("::")
    assert not name or name in names_in(file)
