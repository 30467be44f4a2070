"""The cities and towns of the United Kingdom, and how far they are from each other."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import asin, cos, radians, sin, sqrt

from cas_listings.domain.folding import folded_line

_EARTH_RADIUS = 6371.0  # km


@dataclass(frozen=True, slots=True)
class Town:
    """One town.

    :param region: id of its coverage area in the taxonomy.
    :param latitude: degrees, to about a kilometre, as is `longitude`.
    :param is_word: its name is also a word or a person's name, so that only the context tells.
    """

    name: str
    region: str
    latitude: float
    longitude: float
    aliases: tuple[str, ...]
    is_word: bool


@cache
def towns() -> tuple[Town, ...]:
    """Every town of data/towns.csv, in its order."""
    return tuple(_read())


def find_town(name: str) -> Town | None:
    """The town of this name or alias, in any case and without regard to accents and punctuation."""
    return _by_name().get(folded_line(name))


def kilometres_between(one: Town, other: Town) -> float:
    """The distance as the crow flies."""
    north, south = radians(one.latitude), radians(other.latitude)
    height = sin((north - south) / 2) ** 2
    width = cos(north) * cos(south) * sin(radians(one.longitude - other.longitude) / 2) ** 2
    return 2 * _EARTH_RADIUS * asin(sqrt(height + width))


@cache
def _by_name() -> dict[str, Town]:
    names: dict[str, Town] = {}
    for town in towns():
        for name in (town.name, *town.aliases):
            names.setdefault(folded_line(name), town)
    return names


def _read() -> Iterator[Town]:
    text = (files("cas_listings.domain") / "data" / "towns.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        yield Town(
            name=row["name"],
            region=row["region"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            aliases=tuple(alias for alias in row["aliases"].split("|") if alias),
            is_word=row["is_word"] == "yes",
        )
