"""Everybody who can call, and what they own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

import httpx
from tests.integration.person import Person

from cas_kit.testing import until


class Caller(StrEnum):
    ANONYMOUS = "anonymous"
    NEWCOMER = "a person without a role"
    CLIENT = "client"
    TUTOR = "tutor"
    AGENT = "agent"
    PROGRAM = "a program"


PEOPLE = (Caller.NEWCOMER, Caller.CLIENT, Caller.TUTOR, Caller.AGENT)
_LAST_STEP = {Caller.CLIENT: 4, Caller.TUTOR: 5, Caller.AGENT: 5}


@dataclass(frozen=True)
class Cast:
    """Signs people up when a scene needs them.

    :param url: the gateway's address.
    :param service_token: what programs show.
    """

    url: str
    service_token: str
    _people: list[Person] = field(default_factory=list)
    _things: dict[tuple[str, str], str] = field(default_factory=dict)

    def person(self, caller: Caller) -> Person:
        """Somebody new who holds this role, whose token says so, and who has begun to become an agent."""
        person = Person.sign_up(self.url, name="Ada Lovelace")
        self._people.append(person)
        person.save(1, "agent", {})
        if caller in _LAST_STEP:
            person.save(_LAST_STEP[caller], caller.value, {}, is_complete=True)
            until(lambda: _carries_role(person, caller))
        return person

    def dismiss(self) -> None:
        """Everybody closes their browser."""
        for person in self._people:
            person.close()

    def thing(self, name: str, owner: Person) -> str:
        """The id of something that this person owns, always the same."""
        if (name, owner.id) not in self._things:
            self._things[name, owner.id] = THINGS[name](owner)
        return self._things[name, owner.id]


def _carries_role(person: Person, caller: Caller) -> bool:
    person.refresh()
    return bool(person.claims["app_metadata"].get("roles") == [caller.value])


def _new_factor(person: Person) -> str:
    answer = person.http.post("/auth/v1/factors", json={"factor_type": "totp", "friendly_name": uuid4().hex})
    return _id(answer)


def _id(answer: httpx.Response) -> str:
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


def _identity(person: Person) -> str:
    identities: list[dict[str, Any]] = person.get("/auth/v1/user").json()["identities"]
    return str(identities[0]["identity_id"])


def _new_listing(person: Person) -> str:
    """A draft that could be published."""
    fields = {
        "title": "GCSE Mathematics with patience",
        "description": "Ten years of teaching, one pupil at a time, and no question too small to ask.",
        "subjects": ["Mathematics"],
        "levels": ["GCSE"],
    }
    return _id(person.http.post("/api/listings", json=fields))


def _slug(person: Person) -> str:
    return str(person.get(f"/api/listings/{_new_listing(person)}").json()["slug"])


# How to come by a thing of this person's, for each parameter of a path that names one.
THINGS: Mapping[str, Callable[[Person], str]] = {
    "user_id": lambda person: person.id,
    "session_id": lambda person: str(person.claims["session_id"]),
    "identity_id": _identity,
    "factor_id": _new_factor,
    "listing_id": _new_listing,
    "slug": _slug,
}
