"""Options as single words of the search index (docs/adr/0034)."""

import pytest
from sqlalchemy import text

import cas_taxonomy
from cas_listings.domain.search.concepts import KINDS, concepts_in, concepts_of, indexed, ways_to_write

ENTRIES = [entry for kind in KINDS for entry in cas_taxonomy.entries(kind)]


def named(written: str) -> set[str]:
    return {*concepts_in([*indexed(written)])}


def concepts(entry) -> set[str]:
    """Those that every way to write it has."""
    return set.intersection(*({*concepts_of(way)} for way in ways_to_write(entry)))


def test_every_option_has_a_concept_whatever_way_it_is_written():
    assert all(concepts(entry) for entry in ENTRIES)
    assert len(set.union(*map(concepts, ENTRIES))) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.id}")
def test_every_way_to_write_an_option_names_it(entry):
    for way in ways_to_write(entry):
        assert {*concepts_of(way)} <= named(f"before {' '.join(way)} behind")


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("Mathematical puzzles", {"su0mathematics"}),
        ("Key Stages 4", {"le0gcse"}),
        ("A-Levels", {"le0alevel"}),
        ("computing science", {"su0computerscience", "su0sciences"}),
        ("Computer Science", {"su0computerscience", "su0sciences"}),
        ("Physical Education", {"su0physicaleducation"}),
        ("Physics and physical education", {"su0physics", "su0physicaleducation"}),
        ("the key to the stage", set()),
        ("", set()),
    ],
)
def test_texts_name_options_in_any_form_of_their_words(written, names):
    assert named(written) == names


@pytest.mark.parametrize("configuration", ["listing_words", "simple"])
def test_postgresql_takes_each_as_one_word_and_leaves_it_as_it_is(listings_database, configuration):
    every = sorted({concept for entry in ENTRIES for concept in concepts(entry)})
    vector = text("SELECT tsvector_to_array(to_tsvector(CAST(:configuration AS regconfig), :words))")
    with listings_database.autocommit() as connection:
        kept = connection.scalar(vector, {"configuration": configuration, "words": " ".join(every)})
    assert kept == every
