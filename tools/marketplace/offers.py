"""Listings as their owners would write them: `offers(1_000, seed=1)`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any
from uuid import UUID

from faker import Faker
from tools.marketplace import words
from tools.marketplace.drawings import SCENES, THEME_OF, Drawing

from cas_listings.domain.towns import towns
from cas_taxonomy import Surface, entries, label_for, offered

NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
OLDEST = timedelta(days=730)
OFFERS_PER_OWNER = 4
NAMES = 2_000
PICTURES = (0.25, 0.5, 0.15, 0.1)  # none, one, two, three
HIDDEN_PRICE, FREE_TRIAL, ONLINE_ONLY, IN_PERSON_ONLY = 0.05, 0.3, 0.45, 0.25
SLOTS = tuple(entry.wire for entry in entries("availability-slots"))


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody with something to offer, the same for the same seed and number."""

    id: UUID
    name: str
    town: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A listing before it is one.

    :param body: as POST /api/listings takes it.
    :param pictures: what it shows, the cover first.
    """

    id: UUID
    owner: Owner
    body: Mapping[str, Any]
    published_at: datetime
    views: int
    pictures: tuple[Drawing, ...]


def offers(count: int, *, seed: int = 1, first: int = 0) -> Iterator[Offer]:
    """Listings in this number, owned by a quarter as many people, in no order of time.

    The first thousand of a million are the same as of a thousand.

    :param first: the number of the first one, for those who share the work.
    """
    author = _author(seed)
    for number in range(first, first + count):
        yield author.offer(number)


@cache
def _author(seed: int) -> "_Author":
    return _Author(seed)


class _Author:
    """Writes listings; what chance decides comes from `seed` and the number of the listing alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        faker = Faker("en_GB")
        faker.seed_instance(seed)
        self._names = [f"{faker.first_name()} {faker.last_name()}" for _ in range(NAMES)]
        self._towns = [town.name for town in towns()]
        self._weights = [words.CITIES.get(name, 1) for name in self._towns]
        self._subjects = {entry.id: label_for(entry, Surface.LISTING) for entry in entries("subjects")}
        self._themes = {self._subjects[subject]: theme for subject, theme in THEME_OF.items()}
        self._levels = {entry.id: label_for(entry, Surface.LISTING) for entry in entries("levels")}
        self._methods = [
            label_for(entry, Surface.LISTING) for entry in offered("teaching-methods", Surface.LISTING)
        ]
        self._specializations = [
            label_for(entry, Surface.LISTING) for entry in entries("specializations") if entry.id != "other"
        ]
        self._languages = [
            entry.label for entry in entries("languages") if entry.id not in {"english", "other"}
        ]

    def owner(self, number: int) -> Owner:
        chance = Random(f"{self._seed} owner {number}")
        return Owner(
            id=UUID(int=chance.getrandbits(128), version=4),
            name=self._names[chance.randrange(NAMES)],
            town=chance.choices(self._towns, self._weights)[0],
        )

    def offer(self, number: int) -> Offer:
        owner = self.owner(number // OFFERS_PER_OWNER)
        chance = Random(f"{self._seed} offer {number}")
        identity = UUID(int=chance.getrandbits(128), version=4)
        body = self._body(chance, owner)
        return Offer(
            id=identity,
            owner=owner,
            body=body,
            published_at=NEWEST - OLDEST * chance.random() ** 2,
            views=int(chance.paretovariate(1.2) * 5),
            pictures=self._pictures(number, body["subjects"][0]),
        )

    def _pictures(self, number: int, subject: str) -> tuple[Drawing, ...]:
        scenes = _some(Random(f"{self._seed} pictures {number}"), [*SCENES], PICTURES)
        return tuple(Drawing(self._themes[subject], scene) for scene in scenes)

    def _body(self, chance: Random, owner: Owner) -> Mapping[str, Any]:
        subjects = _subjects(chance)
        levels = _levels(chance)
        level = chance.choice(levels)
        place = _place(chance)
        return {
            **self._texts(chance, owner, subjects[0], level),
            **_price(chance, level),
            "subjects": [self._subjects[subject] for subject in subjects],
            "levels": [self._levels[each] for each in levels],
            "languages": ["English", *_some(chance, self._languages, (0.85, 0.12, 0.03))],
            "specializations": _some(chance, self._specializations, (0.4, 0.4, 0.2)),
            "teaching_methods": _some(chance, self._methods, (0.2, 0.4, 0.3, 0.1)),
            "qualifications": _some(chance, words.QUALIFICATIONS, (0.2, 0.5, 0.3)),
            "tags": _some(chance, words.TAGS, (0.4, 0.4, 0.2)),
            "location_type": place,
            "location_city": owner.town if place != "online" else None,
            "availability": chance.sample(SLOTS, chance.randint(1, len(SLOTS))),
            "response_time": chance.choice(words.RESPONSE_TIMES),
        }

    def _texts(self, chance: Random, owner: Owner, subject: str, level: str) -> Mapping[str, str]:
        topics = words.TOPICS.get(subject, words.USUAL_TOPICS).split(", ")
        topic, other_topic = chance.sample(topics, 2)
        filled = {
            "subject": self._subjects[subject],
            "level": self._levels[level],
            "place": owner.town,
            "years": str(chance.randint(2, 30)),
            "topic": topic,
            "topic2": other_topic,
        }
        sentences = [
            chance.choice(words.OPENINGS),
            *chance.sample(words.MIDDLES, chance.randint(1, 3)),
            *chance.sample(words.CLOSINGS, chance.randint(1, 2)),
        ]
        return {
            "title": chance.choice(words.HEADLINES).format(**filled),
            "description": " ".join(sentences).format(**filled),
            "teaching_experience": chance.choice(["1-3", "3-5", "5-10", "10+"]),
        }


def _subjects(chance: Random) -> list[str]:
    first = chance.choices([*words.SUBJECTS], [*words.SUBJECTS.values()])[0]
    neighbours = words.NEIGHBOURS.get(first, ())
    return [first, *chance.sample(neighbours, min(len(neighbours), chance.choice([0, 0, 1, 1, 2])))]


def _levels(chance: Random) -> list[str]:
    """Neighbouring levels: nobody teaches primary pupils and postgraduates only."""
    levels = [*words.PRICES]
    first = chance.choices(range(len(levels)), [18, 18, 28, 22, 4, 4, 2, 4])[0]
    return levels[first : first + chance.randint(1, 3)]


def _price(chance: Random, level: str) -> Mapping[str, Any]:
    if chance.random() < HIDDEN_PRICE:
        return {"hourly_rate": None}
    pounds = max(12, round(words.PRICES[level] * chance.lognormvariate(0, 0.25)))
    trial = chance.random() < FREE_TRIAL
    return {
        "hourly_rate": pounds,
        "free_trial": trial,
        "trial_duration_minutes": chance.choice([15, 30, 60]) if trial else None,
    }


def _place(chance: Random) -> str:
    where = chance.random()
    if where < ONLINE_ONLY:
        return "online"
    return "in_person" if where < ONLINE_ONLY + IN_PERSON_ONLY else "hybrid"


def _some(chance: Random, options: Sequence[str], how_many: Sequence[float]) -> list[str]:
    """Some of the options: none, one, two ... as likely as `how_many` says."""
    return chance.sample(options, chance.choices(range(len(how_many)), how_many)[0])
