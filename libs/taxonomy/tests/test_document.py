"""The lists as the API serves them, and their version."""

import json
import shutil

import pytest

from cas_taxonomy import KINDS, UnknownKind, as_document, entries, version
from cas_taxonomy.document import fingerprint
from cas_taxonomy.loading import DATA, load


def entry_documents(kind):
    return {entry["id"]: entry for entry in as_document([kind])["kinds"][kind]}


class TestAsDocument:
    def test_holds_every_kind_in_order_and_survives_json(self):
        document = as_document()
        assert list(document["kinds"]) == list(KINDS)
        assert json.loads(json.dumps(document)) == document
        assert document["version"] == version()

    @pytest.mark.parametrize("kind", KINDS)
    def test_gives_the_entries_in_display_order(self, kind):
        documents = as_document([kind])["kinds"][kind]
        assert [document["id"] for document in documents] == [entry.id for entry in entries(kind)]
        assert [document["order"] for document in documents] == list(range(1, len(documents) + 1))

    def test_selects_kinds_under_the_same_version(self):
        document = as_document(["levels", "subjects"])
        assert list(document["kinds"]) == ["levels", "subjects"]
        assert document["version"] == as_document()["version"]

    def test_refuses_an_unknown_kind(self):
        with pytest.raises(UnknownKind, match="colours"):
            as_document(["levels", "colours"])

    def test_an_entry_carries_what_forms_need(self):
        assert entry_documents("subjects")["sciences"] == {
            "kind": "subjects",
            "id": "sciences",
            "label": "Sciences",
            "labels": {"filter": "Science"},
            "aliases": ["sciences", "Science", "General Science", "Combined Science"],
            "parents": [],
            "order": 2,
            "offered": {"agent": 2, "wizard": 4, "filter": 3},
        }

    def test_bands_slots_rates_and_links_carry_their_own(self):
        assert entry_documents("experience-bands")["5-plus-years"]["max"] is None
        assert entry_documents("rate-bands")["40-50"]["sends"] == {"wizard": 40, "listing": 45}
        assert entry_documents("languages")["english"]["default"] is True
        assert entry_documents("coverage-areas")["hybrid"]["satisfies"] == ["online", "local"]
        assert entry_documents("learning-preferences")["step-by-step"]["related"] == [
            "teaching-methods/structured-lessons"
        ]
        assert entry_documents("availability-slots")["weekend-evening"]["window"] == {
            "days": [6, 7],
            "start": "17:00",
            "end": "22:00",
        }

    def test_a_caller_cannot_change_the_lists(self):
        as_document()["kinds"]["subjects"][0]["aliases"].append("Sums")
        assert "Sums" not in as_document()["kinds"]["subjects"][0]["aliases"]


class TestVersion:
    @pytest.fixture
    def copy(self, tmp_path):
        return shutil.copytree(DATA, tmp_path / "data")

    def fingerprint_of(self, directory):
        return fingerprint(entry for table in load(directory).values() for entry in table.by_id.values())

    def edit(self, path, old, new):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def test_the_same_data_has_the_same_version(self, copy):
        assert self.fingerprint_of(copy) == version()

    def test_comments_and_layout_do_not_count(self, copy):
        self.edit(copy / "levels.toml", "[entries]\n", "# another remark\n\n[entries]\n\n")
        assert self.fingerprint_of(copy) == version()

    @pytest.mark.parametrize(
        ("kind", "old", "new"),
        [
            ("levels", '"iGCSE"', '"International GCSE"'),
            ("subjects", 'label = "Physics"', 'label = "Physics!"'),
            ("subjects", '"french", "german", "economics"', '"german", "french", "economics"'),
            ("experience-bands", "min = 10", "min = 11"),
            ("availability-slots", 'end = "22:00"', 'end = "23:00"'),
            ("certifications", '["none"]', '["none"], deprecated = true'),
            ("languages", 'default = "english"', 'default = "french"'),
        ],
    )
    def test_every_change_of_the_data_counts(self, copy, kind, old, new):
        self.edit(copy / f"{kind}.toml", old, new)
        assert self.fingerprint_of(copy) != version()
