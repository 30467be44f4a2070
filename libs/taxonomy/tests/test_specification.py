"""The data and the tables of docs/spec/domain.md 2 are the same lists: neither can change without the other."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cas_taxonomy import KINDS, Surface, entries, normalise, offered, resolve

PAGE = (Path(__file__).parents[3] / "docs/spec/domain.md").read_text(encoding="utf-8")
SURFACES = {"T": Surface.TEMPLATE, "L": Surface.LISTING, "F": Surface.FILTER}
RELATED = {"specialization": "specializations", "teaching method": "teaching-methods", "": "teaching-methods"}


@dataclass
class Listed:
    """One entry as the page lists it; `surfaces` are its labels where they differ."""

    id: str
    label: str
    surfaces: dict[Surface, str] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    @property
    def texts(self) -> set[str]:
        return {normalise(text) for text in (self.id, self.label, *self.surfaces.values(), *self.aliases)}


# ---- reading the page ----


def sections() -> Iterator[tuple[list[str], str]]:
    """The kinds named in each heading of 2.2 to 2.12, and what stands below."""
    chapter = PAGE.partition("### 2.2 ")[2].partition("\n## 3.")[0]
    for section in re.split(r"\n### 2\.\d+ ", "\n### 2.2 " + chapter)[1:]:
        heading, _, body = section.partition("\n")
        yield re.findall(r"`([a-z-]+)`", heading), body


def tables(body: str) -> Iterator[list[dict[str, str]]]:
    """Each table of a section, its rows by column."""
    for block in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        header, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        ]
        yield [dict(zip(header, row, strict=True)) for row in rows]


def each(cell: str, count: int) -> list[str]:
    """What a cell says of each of the entries its row lists; one text of several entries is of the first alone."""
    parts = re.sub(r" \([a-z]+ entries\)", "", cell).split(" / ")
    return parts if len(parts) == count else [cell, *[""] * (count - 1)]


def listed(row: dict[str, str]) -> Iterator[Listed]:
    """The entries of a row; several are separated by slashes."""
    ids = re.sub(r" \(minutes\)", "", row["id"]).split(" / ")
    labels = each(row.get("label") or row["label (template)"], len(ids))
    for number, entry_id in enumerate(ids):
        yield Listed(
            entry_id,
            labels[number],
            surfaces=surfaces(each(row.get("surface labels", ""), len(ids))[number], row),
            aliases=aliases(ids, number, row),
            parents=parents(each(row.get("parents", ""), len(ids))[number]),
        )


def surfaces(cell: str, row: dict[str, str]) -> dict[Surface, str]:
    own = {SURFACES[part[0]]: part[2:] for part in cell.split("; ") if part}
    return own | ({Surface.LISTING: row["listing label"]} if row.get("listing label") else {})


def aliases(ids: Sequence[str], number: int, row: dict[str, str]) -> list[str]:
    column = next((name for name in row if name.startswith("aliases")), None)
    cell = row[column] if column else ""
    cell = re.sub(
        r"\(parent of.*?\)|\(never .*?\)|\bparent (of )?.*|related .*|default \d+|offered by .*", "", cell
    )
    cell = cell.replace("wire values `online`, `in_person`, `hybrid`; ", "")
    if found := re.fullmatch(r"ISO 639-1 code of each: (.*)", cell):
        return [found[1].split(", ")[number]]
    if found := re.fullmatch(r"(.*) \(for ([a-z-]+)\)", cell):
        return [found[1]] if found[2] == ids[number] else []
    said = each(cell, len(ids))[number].strip(" ;-")
    return [alias for alias in said.split(", ") if alias]


def parents(cell: str) -> list[str]:
    return [parent for parent in cell.split(", ") if parent not in {"", "-"}]


def as_listed() -> dict[str, list[Listed]]:
    """Every entry of the page, by kind; slots and rate bands have tables of their own form."""
    found: dict[str, list[Listed]] = {}
    for kinds, body in sections():
        for table in tables(body):
            for row in table:
                if "id" in row and "slot (wire)" not in row:
                    found.setdefault(row.get("kind") or kinds[0], []).extend(listed(row))
    return found


PAGE_KINDS = as_listed()
OF_ANOTHER_FORM = {"availability-slots", "rate-bands"}
BANDS_BY_LABEL = {"trial-lengths": "{} minutes"}  # the page writes the unit once


def test_the_page_lists_every_kind():
    assert set(PAGE_KINDS) | OF_ANOTHER_FORM == set(KINDS)


@pytest.mark.parametrize("kind", PAGE_KINDS)
class TestEveryTable:
    def test_lists_the_entries_of_the_data_in_their_order(self, kind):
        assert [row.id for row in PAGE_KINDS[kind]] == [entry.id for entry in entries(kind)]

    def test_gives_their_labels(self, kind):
        unit = BANDS_BY_LABEL.get(kind, "{}")
        said = [on_page.label for on_page in PAGE_KINDS[kind]]
        labels = [label if label.endswith("minutes") else unit.format(label) for label in said]
        assert labels == [entry.label for entry in entries(kind)]

    def test_gives_the_labels_that_differ_by_surface(self, kind):
        for on_page, entry in zip(PAGE_KINDS[kind], entries(kind), strict=True):
            own = {surface: label for surface, label in entry.labels.items() if surface is not Surface.WIZARD}
            assert (entry.id, own) == (entry.id, on_page.surfaces)

    def test_gives_every_text_they_are_known_by_and_no_other(self, kind):
        for on_page, entry in zip(PAGE_KINDS[kind], entries(kind), strict=True):
            texts = {
                normalise(text) for text in (entry.id, entry.label, *entry.labels.values(), *entry.aliases)
            }
            assert (entry.id, texts) == (entry.id, on_page.texts | texts & {normalise(entry.label)})

    def test_gives_texts_that_resolve(self, kind):
        for on_page in PAGE_KINDS[kind]:
            for text in (on_page.id, *on_page.surfaces.values(), *on_page.aliases):
                assert (text, resolve(kind, text).id) == (text, on_page.id)

    def test_gives_their_parents(self, kind):
        if kind in {"subjects", "levels"}:
            for on_page, entry in zip(PAGE_KINDS[kind], entries(kind), strict=True):
                assert list(entry.parents) == on_page.parents


# ---- what the tables say in words ----


def rows_of(kind: str) -> list[dict[str, str]]:
    return [
        row
        for kinds, body in sections()
        for table in tables(body)
        for row in table
        if "id" in row and (row.get("kind") or kinds[0]) == kind
    ]


@pytest.mark.parametrize("kind", ["experience-bands", "years-in-business", "sessions-per-week"])
def test_bands_have_the_parents_that_their_rows_name(kind):
    for row in rows_of(kind):
        below = row["id"].split(" / ")
        if found := re.search(r"(?<!\()parent ([a-z0-9-]+)$", row["aliases"]):
            assert {resolve(kind, entry_id).parents for entry_id in below} == {(found[1],)}
        if found := re.search(r"parent of (\S+) and (\S+);", row["aliases"]):
            assert {resolve(kind, entry_id).parents for entry_id in found.groups()} == {(row["id"],)}


@pytest.mark.parametrize("kind", ["learning-goals", "learning-preferences"])
def test_goals_and_preferences_lead_where_their_rows_say(kind):
    for row in rows_of(kind):
        found = re.search(r"related ([a-z ]*?) ?([a-z-]+)$", row["aliases, links"])
        links = (f"{RELATED[found[1]]}/{found[2]}",) if found else ()
        assert (row["id"], resolve(kind, row["id"]).related) == (row["id"], links)


def test_coverage_areas_satisfy_what_their_rows_say():
    regions = [entry.id for row in rows_of("coverage-areas")[:3] for entry in listed(row)]
    meant = {"every region above": regions, "every region": regions}
    for row in rows_of("coverage-areas"):
        names = re.split(r", | and ", row["satisfies a filter on"])
        said = [area for name in names if name != "itself" for area in meant.get(name, [name])]
        for entry in listed(row):
            assert (entry.id, sorted(resolve("coverage-areas", entry.id).satisfies)) == (
                entry.id,
                sorted(said),
            )


def test_slots_have_the_days_and_hours_of_their_table():
    _, body = next((kinds, body) for kinds, body in sections() if "availability-slots" in kinds)
    slots, _ = tables(body)
    hours = slots[0]["hours"].split(" / ")
    days = {"Monday to Friday": (1, 2, 3, 4, 5), "Saturday, Sunday": (6, 7)}
    said = {
        slot: (days[row["days"]], *span.split("-"))
        for row in slots
        for slot, span in zip(row["slot (wire)"].split(" / "), hours, strict=True)
    }
    found = {entry.wire: entry.window for entry in entries("availability-slots")}
    assert {slot: (window.days, window.start, window.end) for slot, window in found.items()} == said


def test_rate_bands_send_the_numbers_of_their_table():
    _, body = next((kinds, body) for kinds, body in sections() if "rate-bands" in kinds)
    _, rates = tables(body)
    (bands_column, numbers_column) = rates[0]
    for row, surface in zip(rates, (Surface.WIZARD, Surface.LISTING), strict=True):
        bands = row[bands_column].partition(": ")[2].split(", ")
        numbers = [int(number) for number in row[numbers_column].split(", ")]
        assert [band.label.removeprefix("£") for band in offered("rate-bands", surface)] == bands
        assert [band.sends[surface] for band in offered("rate-bands", surface)] == numbers


SETS = re.findall(
    r"(Template form|template form|Wizard|Listing wizard|Filter|Agent form) (\d+)[^=.]* = ([^=.]*)\.", PAGE
)
BY_NAME = {
    "template form": Surface.TEMPLATE,
    "wizard": Surface.WIZARD,
    "listing wizard": Surface.LISTING,
    "filter": Surface.FILTER,
    "agent form": Surface.AGENT,
}


@pytest.mark.parametrize(("name", "count", "texts"), SETS, ids=[name for name, _, _ in SETS])
def test_subjects_are_offered_as_the_page_lists_them(name, count, texts):
    chosen = [resolve("subjects", re.sub(r" \(shown as .*?\)", "", text)) for text in re.split(r",\s", texts)]
    assert len(chosen) == int(count)
    more = [resolve("subjects", "Computer Science")] if name == "Filter" else []  # "(+ Computer Science)"
    assert [*chosen, *more] == list(offered("subjects", BY_NAME[name.lower()]))


def test_all_five_sets_of_subjects_were_found():
    assert len(SETS) == len(BY_NAME)
