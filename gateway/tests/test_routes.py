"""The gateway routes exactly what the services offer, and guards what they guard."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cas_gateway.kong import KongFile, read
from cas_gateway.settings import Settings

from .envoys import document_for

API = Path(__file__).parents[2] / "docs" / "api"
DOCUMENTS = ("auth", "account", "onboarding", "listings")
# What HTTP adds to every path by itself.
IMPLIED = {"HEAD", "OPTIONS"}
# Second names that the documents leave out (docs/spec/domain.md 8.1).
ALIASES = {"/health": "/api/health"}
# Routes to refusals of what is not offered, which the documents leave out too.
ABSENT = "auth-no-"

Operations = set[tuple[str, str]]


@pytest.fixture(scope="module")
def kong() -> KongFile:
    return read(document_for(Settings.model_validate({})))


def offered(document: Any, *, public_only: bool = False) -> Operations:
    """Method and path of each operation of an OpenAPI document."""
    return {
        (method.upper(), re.sub(r"\{[^}]+\}", "{}", path))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method.upper() not in IMPLIED | {"PARAMETERS"}
        if not (public_only and operation.get("security", document.get("security")))
    }


def routed(kong: KongFile, owner: str, *, public_only: bool = False) -> Operations:
    """Method and path of each route to one service."""
    return {
        (method, ALIASES.get(address, address))
        for service in kong.services
        if service.name.partition("-")[0] == owner and not (public_only and service.token)
        for route in service.routes
        if not route.name.startswith(ABSENT)
        for address in (path[1:-1].replace("[^/]+", "{}").replace("\\", "") for path in route.paths)
        for method in set(route.methods) - IMPLIED
    }


@pytest.mark.parametrize("owner", DOCUMENTS)
class TestEachService:
    def test_is_reached_at_every_path_it_offers_and_at_no_other(self, kong: KongFile, owner: str) -> None:
        document = json.loads((API / f"{owner}.json").read_text())
        assert routed(kong, owner) == offered(document)

    def test_is_public_where_it_asks_for_no_token_and_nowhere_else(self, kong: KongFile, owner: str) -> None:
        document = json.loads((API / f"{owner}.json").read_text())
        assert routed(kong, owner, public_only=True) == offered(document, public_only=True)


def test_every_service_is_named_after_its_owner(kong: KongFile) -> None:
    assert {service.name.partition("-")[0] for service in kong.services} == set(DOCUMENTS)


def test_a_service_says_who_may_call(kong: KongFile) -> None:
    for service in kong.services:
        who = "public" if service.token is None else "protected" if service.token.needs_user else "admin"
        assert service.name.rpartition("-")[2] == who
