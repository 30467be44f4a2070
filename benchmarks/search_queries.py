"""What people ask a marketplace for: a few hundred questions of each shape, drawn from its listings."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeAlias

from tools.marketplace.offers import Offer, offers

from cas_listings.domain.search.concepts import UNINDEXED

Question: TypeAlias = dict[str, Any]
"""The parameters of a search, as GET /api/listings/search takes them."""

QUESTIONS = 300
SAMPLE = 3_000  # listings
HAS_LEVEL, HAS_PRICE, HAS_TRIAL = 0.6, 0.4, 0.2
COMMON = 0.03  # of the listings have a common word
PAGE = 20
SHORT = 5  # letters; people misspell longer words
_BARE = {"facets": False, "limit": PAGE}


def questions(*, seed: int) -> dict[str, list[Question]]:
    """By the name of their shape, the same for the same seed."""
    asker = _Asker(seed)
    shapes: dict[str, Callable[[], Question]] = {
        "one word": lambda: {"q": asker.common_word(), **_BARE},
        "several words": lambda: {"q": asker.several_words(), **_BARE},
        "subject and city": lambda: {"q": asker.subject(), "city": asker.town(), **_BARE},
        "word, facets": lambda: {"q": asker.common_word(), "limit": PAGE},
        "word, filters, facets": lambda: {"q": asker.common_word(), **asker.filters(), "limit": PAGE},
        "browse, facets": lambda: {**asker.filters(), "limit": PAGE},
        "typo": lambda: {"q": asker.misspelt(), **_BARE},
        "by price": lambda: {"subjects": asker.subject(), "sort": "price_asc", **_BARE},
        "newest": lambda: {**asker.filters(), "sort": "newest", **_BARE},
        "city": lambda: {"city": asker.town(), **_BARE},
        "deep page, offset": lambda: {"q": asker.common_word(), "offset": asker.depth(), **_BARE},
        "deep page, cursor": lambda: {"q": asker.common_word(), "offset": asker.depth(), **_BARE},
        "suggest": lambda: {"q": asker.beginning()},
    }
    return {name: [ask() for _ in range(QUESTIONS)] for name, ask in shapes.items()}


class _Asker:
    """Draws what is asked for from a sample of the listings."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(f"questions {seed}")
        self._offers = [*offers(SAMPLE, seed=seed)]
        counts = Counter(word for offer in self._offers for word in set(_words_of(offer)))
        common = {word: count for word, count in counts.items() if count >= COMMON * SAMPLE}
        self._common = partial(self._chance.choices, [*common], [*common.values()])

    def common_word(self) -> str:
        return str(self._common()[0])

    def several_words(self) -> str:
        words = [*dict.fromkeys(_words_of(self._offer()))]
        return " ".join(self._chance.sample(words, self._chance.randint(2, 4)))

    def subject(self) -> str:
        return str(self._offer().body["subjects"][0])

    def town(self) -> str:
        return self._offer().owner.town

    def filters(self) -> Question:
        """Those that listings there pass; not all at once."""
        body = self._offer().body
        chosen: dict[str, Any] = {"subjects": body["subjects"][0]}
        if self._chance.random() < HAS_LEVEL:
            chosen["levels"] = body["levels"][0]
        if self._chance.random() < HAS_PRICE and body["hourly_rate"]:
            chosen["max_price"] = body["hourly_rate"] + 5
        if self._chance.random() < HAS_TRIAL:
            chosen["free_trial"] = True
        return chosen

    def misspelt(self) -> str:
        """A word of a title with two letters swapped, one left out or one doubled."""
        long = [word for word in _words(self._offer().body["title"]) if len(word) > SHORT]
        if not long:
            return self.misspelt()
        word = self._chance.choice(long)
        at = self._chance.randint(1, len(word) - 3)
        return self._chance.choice(
            [
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
            ]
        )

    def depth(self) -> int:
        return self._chance.randrange(1_000, 9_000, PAGE)

    def beginning(self) -> str:
        """What somebody has typed so far."""
        offer = self._offer()
        meant = self._chance.choice([offer.body["subjects"][0], offer.owner.town, offer.body["title"]])
        return str(meant)[: self._chance.randint(2, 8)].strip()

    def _offer(self) -> Offer:
        return self._chance.choice(self._offers)


def _words_of(offer: Offer) -> Sequence[str]:
    return _words(f"{offer.body['title']} {offer.body['description']}")


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[a-z]{3,}", text.lower()) if word not in UNINDEXED]
