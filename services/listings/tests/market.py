"""A market of listings to search, what searching it has to find, worked out without a database, and searching it."""

import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import insert

import cas_taxonomy
from cas_kit.db import Database
from cas_listings.domain.listing import beside, new_fields
from cas_listings.domain.roles import Role
from cas_listings.domain.search.reading import read_search
from cas_listings.domain.states import Status
from cas_listings.models import ServiceListing
from cas_listings.operations.search import Found, SearchLimits, find_listings
from cas_listings.operations.search_index import index_outdated

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECTS = (
    "Maths",
    "Mathematics",
    "Physics",
    "French",
    "Spanish",
    "MFL",
    "Art",
    "Drawing",
    "Chess",
    "Juggling",
    "PE",
)
LEVELS = ("GCSE", "A-Level", "KS3", "Primary", "Undergraduate", "Postgraduate", "IB")
LANGUAGES = ("English", "French", "Mandarin", "zh", "Klingon")
CITIES = ("Leeds", "leeds", "Bradford", "London", "Zürich", "St. Albans", None)
WORDS = (
    "patient",
    "friendly",
    "weekend",
    "exam",
    "lessons",
    "fun",
    "serious",
    "practice",
    "café",
    "naïve",
    "Oxbridge",
)
RATES = (None, 0, 1500, 1999, 2000, 2500, 3999, 4000, 10_000)
SPREADS = (None, None, 0, 500, 3000)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is known of one listing, as plain values; prices in pence."""

    id: UUID
    title: str
    description: str
    subjects: tuple[str, ...]
    levels: tuple[str, ...]
    languages: tuple[str, ...]
    tags: tuple[str, ...]
    city: str | None
    location_type: str
    rate: int | None
    lowest: int | None
    highest: int | None
    free_trial: bool
    role: Role
    owner: str
    views: int
    status: Status
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None

    @property
    def interval(self) -> tuple[int, int] | None:
        """The prices it may have."""
        known = [price for price in (self.lowest, self.rate, self.highest) if price is not None]
        if not known:
            return None
        lowest = self.rate if self.lowest is None else self.lowest
        highest = self.rate if self.highest is None else self.highest
        if lowest is None or highest is None:
            return known[0], known[0]
        return min(lowest, highest), max(lowest, highest)

    def ids(self, kind: str) -> set[str]:
        """Entries of one of its lists with those above them."""
        entries = [entry for text in getattr(self, kind) if (entry := cas_taxonomy.resolve(kind, text))]
        return {each.id for entry in entries for each in (entry, *cas_taxonomy.ancestors(entry))}

    def texts(self, kind: str) -> set[str]:
        """What no list knows."""
        return {
            cas_taxonomy.normalise(text)
            for text in getattr(self, kind)
            if not cas_taxonomy.resolve(kind, text)
        }


def offers(count: int, *, seed: int) -> list[Offer]:
    """Listings that differ in everything; the same seed gives the same."""
    return list(_offers(count, random.Random(seed)))


def _offers(count: int, luck: random.Random) -> Iterator[Offer]:
    for _ in range(count):
        subjects = tuple(dict.fromkeys(luck.sample(SUBJECTS, luck.randint(1, 3))))
        lowest = luck.choice(RATES)
        spread = luck.choice(SPREADS)
        published = BEGINNING + timedelta(hours=luck.randint(0, count // 2))  # many at the same instant
        yield Offer(
            id=UUID(int=luck.getrandbits(128), version=4),
            title=f"{subjects[0]} {' '.join(luck.sample(WORDS, 2))} for all",
            description=" ".join(luck.choices(WORDS, k=12)) + " and more of the same for everybody who asks",
            subjects=subjects,
            levels=tuple(luck.sample(LEVELS, luck.randint(1, 3))),
            languages=tuple(luck.sample(LANGUAGES, luck.randint(1, 2))),
            tags=tuple(luck.sample(("Exam", "holiday", "SATs"), luck.randint(0, 2))),
            city=luck.choice(CITIES),
            location_type=luck.choice(("online", "in_person", "hybrid")),
            rate=lowest,
            lowest=lowest,
            highest=None if lowest is None or spread is None else min(lowest + spread, 1_000_000),
            free_trial=luck.random() < 0.3,
            role=luck.choice([*Role]),
            owner=luck.choice(("Ada Lovelace", "Grace Hopper", "José Núñez")),
            views=luck.choice((0, 0, 1, 7, 7, 300)),
            status=Status.PUBLISHED
            if luck.random() < 0.8
            else luck.choice([Status.DRAFT, Status.UNPUBLISHED]),
            created_at=published - timedelta(days=luck.randint(0, 3)),
            updated_at=published + timedelta(days=luck.randint(0, 3)),
            published_at=published,
        )


def row_of(offer: Offer) -> dict[str, object]:
    """The row of a listing."""
    fields = new_fields(
        {
            "title": offer.title,
            "description": offer.description,
            "subjects": [*offer.subjects],
            "levels": [*offer.levels],
            "languages": [*offer.languages],
            "tags": [*offer.tags],
            "hourly_rate": offer.rate,
            "hourly_rate_min": offer.lowest,
            "hourly_rate_max": offer.highest,
            "free_trial": offer.free_trial,
            "location_type": offer.location_type,
            "location_city": offer.city,
        }
    )
    is_draft = offer.status is Status.DRAFT
    return {
        **fields,
        **beside(fields),
        "id": offer.id,
        "profile_id": offer.id,
        "created_as_role": offer.role,
        "status": offer.status,
        "slug": f"listing-{offer.id}",
        "view_count": offer.views,
        "created_from_template": False,
        "owner_display_name": offer.owner,
        "created_at": offer.created_at,
        "updated_at": offer.updated_at,
        "published_at": None if is_draft else offer.published_at,
        "last_published_at": None if is_draft else offer.published_at,
    }


def store(database: Database, market: Sequence[Offer]) -> None:
    """Put listings where they are kept, and index them."""
    with database.transaction() as session:
        session.execute(insert(ServiceListing), [row_of(offer) for offer in market])
    index_outdated(database)


# ---- what searching has to find ----


def found_by(offer: Offer, **wanted: object) -> bool:
    """Whether a published listing passes all of these filters, spelled as parameters with plain values."""
    if offer.status is not Status.PUBLISHED:
        return False
    return all(_passes(offer, name, value) for name, value in wanted.items())


def _passes(offer: Offer, name: str, value) -> bool:
    if name in {"subjects", "levels", "languages"}:
        return any(_has(offer, name, text) for text in value)
    if name in {"min_price", "max_price"}:
        pence, interval = round(value * 100), offer.interval
        return interval is not None and (
            interval[1] >= pence if name == "min_price" else interval[0] <= pence
        )
    return {
        "tags": lambda: not {text.lower() for text in value}.isdisjoint(tag.lower() for tag in offer.tags),
        "location_type": lambda: offer.location_type in {value, "hybrid"},
        "city": lambda: offer.city is not None and plain(value) in plain(offer.city),
        "free_trial": lambda: offer.free_trial,
        "role": lambda: offer.role == value,
        "q": lambda: all(_says(offer, word) for word in value.split()),
    }[name]()


def _has(offer: Offer, kind: str, text: str) -> bool:
    entry = cas_taxonomy.resolve(kind, text)
    return entry.id in offer.ids(kind) if entry else cas_taxonomy.normalise(text) in offer.texts(kind)


def _says(offer: Offer, word: str) -> bool:
    entry = cas_taxonomy.resolve("subjects", word)
    if entry is not None and entry.id in offer.ids("subjects"):
        return True
    spelled = {plain(text) for text in (entry.label, *entry.aliases)} if entry else {plain(word)}
    texts = (offer.title, offer.description, *offer.subjects, *offer.tags, offer.city or "", offer.owner)
    return not spelled.isdisjoint(plain(" ".join(texts)).split())


def plain(text: str) -> str:
    """Lower case without accents and full stops."""
    apart = unicodedata.normalize("NFD", text.lower().replace(".", ""))
    return "".join(char for char in apart if not unicodedata.combining(char))


def in_order(market: Sequence[Offer], sort: str) -> list[Offer]:
    """By a named order: what has no value last, equals by id."""
    key, descending = {
        "newest": (lambda offer: offer.published_at.timestamp(), True),
        "price_asc": (lambda offer: offer.rate, False),
        "price_desc": (lambda offer: offer.rate, True),
        "popular": (lambda offer: offer.views, True),
        "recently_updated": (lambda offer: offer.updated_at.timestamp(), True),
        "created_at_asc": (lambda offer: offer.created_at.timestamp(), False),
    }[sort]
    sign = -1 if descending else 1
    return sorted(
        market,
        key=lambda offer: (key(offer) is None, 0 if key(offer) is None else sign * key(offer), offer.id),
    )


# ---- asking ----


def found(database: Database, *, limits: SearchLimits, **parameters: object) -> Found:
    """What a search with these parameters finds."""
    with database.transaction() as session:
        return find_listings(session, search=read_search(parameters), limits=limits)


def ids(result: Found) -> list[UUID]:
    return [listing.id for listing in result.listings]


def all_pages(database: Database, *, limits: SearchLimits, **parameters: object) -> list[UUID]:
    """The ids of page after page, by cursor."""
    result = found(database, limits=limits, **parameters, facets=False)
    shown = ids(result)
    while result.next_cursor:
        result = found(database, limits=limits, **parameters, facets=False, cursor=result.next_cursor)
        shown += ids(result)
    return shown
