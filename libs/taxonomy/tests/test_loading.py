"""Data that contradicts itself is refused with the place and the fault."""

import pytest

from cas_taxonomy import KINDS, TaxonomyDataInvalid
from cas_taxonomy.loading import DATA, load


def load_text(directory, text):
    (directory / "levels.toml").write_text(text, encoding="utf-8")
    return load(directory, ["levels"])["levels"]


def test_every_data_file_is_a_kind():
    assert {path.stem for path in DATA.iterdir()} == set(KINDS)


def test_reads_a_list_with_all_it_may_say(tmp_path):
    table = load_text(
        tmp_path,
        """
        default = "a"
        offered.filter = ["b", "a"]
        [entries]
        a = { label = "A", aliases = ["first"], min = 0 }
        b = { label = "B", parents = ["a"], related = ["levels/a"], satisfies = ["a"], min = 1, max = 2 }
        c = { label = "C", deprecated = true, replaced_by = "b" }
        d = { label = "D", window = { days = [7], start = "22:00", end = "24:00" } }
        """,
    )
    assert list(table.by_id) == ["a", "b", "c", "d"]
    assert table.by_id["a"].default
    assert not table.by_id["b"].default
    assert table.by_id["b"].offered == {"filter": 1}
    assert table.by_id["c"].replaced_by == "b"
    assert table.by_text["first"] is table.by_id["a"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[entries]\na = { label = "A" }\na = { label = "B" }', r"levels\.toml: .*overwrite"),
        ('[entries]\na = { label = "A" }\nb = { label = "a" }', "levels/b: 'a' already means 'a'"),
        (
            '[entries]\na = { label = "A" }\nb = { label = "B", aliases = ["-A-"] }',
            "levels/b: '-A-' already means 'a'",
        ),
        ('[entries]\na = { label = "A", parents = ["z"] }', "levels/a: parents: 'z' does not exist"),
        ('[entries]\na = { label = "A", satisfies = ["z"] }', "levels/a: satisfies: 'z' does not exist"),
        (
            '[entries]\na = { label = "A", related = ["levels/z"] }',
            "levels/a: related: 'levels/z' does not exist",
        ),
        (
            '[entries]\na = { label = "A", parents = ["b"] }\nb = { label = "B", parents = ["a"] }',
            "levels/a: is its own ancestor",
        ),
        ('[entries]\nA_b = { label = "A" }', "levels/A_b: the id is not kebab-case"),
        ('[entries]\na = { label = "?" }', r"levels/a: '\?' is empty"),
        ('[entries]\na = { aliases = ["x"] }', "levels/a: 'label' is missing"),
        ('[entries]\na = { label = "A", parrents = ["b"] }', "levels/a: unknown key 'parrents'"),
        ("[entries]\na = { label = 1 }", "levels/a: label: 1 is no str"),
        ('[entries]\na = "A"', "levels: entries: 'A' is no dict"),
        ('[entries]\na = { label = "A", min = true }', "levels/a: min: True is no int"),
        ('[entries]\na = { label = "A", max = 3 }', "levels/a: max without min"),
        ('[entries]\na = { label = "A", min = 4, max = 3 }', "levels/a: max without min <= max"),
        (
            '[entries]\na = { label = "A", labels = { shop = "B" } }',
            "levels/a: labels: 'shop' is not a valid Surface",
        ),
        (
            '[entries]\na = { label = "A", window = { days = [1] } }',
            "levels/a: window: needs days, start and end",
        ),
        (
            '[entries]\na = { label = "A", window = { days = [0], start = "06:00", end = "07:00" } }',
            "levels/a: window: days run from 1 to 7",
        ),
        (
            '[entries]\na = { label = "A", window = { days = [1], start = "7:00", end = "06:00" } }',
            "levels/a: window: start and end are HH:MM, in order",
        ),
        (
            '[entries]\na = { label = "A", replaced_by = "z", deprecated = true }',
            "replaced_by: 'z' does not exist",
        ),
        ('[entries]\na = { label = "A", replaced_by = "a" }', "levels/a: is replaced but not deprecated"),
        (
            'offered.filter = ["z"]\n[entries]\na = { label = "A" }',
            "levels: offered.filter: 'z' does not exist",
        ),
        (
            'offered.filter = ["a", "a"]\n[entries]\na = { label = "A" }',
            "levels: offered.filter: names an entry twice",
        ),
        (
            'offered.filter = ["a"]\n[entries]\na = { label = "A", deprecated = true }',
            "levels: offered.filter: offers a deprecated entry",
        ),
        ('default = "z"\n[entries]\na = { label = "A" }', "levels: default: 'z' does not exist"),
        ('default = "a"', "levels: 'entries' is missing"),
    ],
)
def test_refuses_a_fault_and_names_its_place(tmp_path, text, fault):
    with pytest.raises(TaxonomyDataInvalid, match=fault):
        load_text(tmp_path, text)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(TaxonomyDataInvalid, match=r"levels\.toml: No such file"):
        load(tmp_path, ["levels"])
