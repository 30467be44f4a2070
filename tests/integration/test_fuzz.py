"""No request that the OpenAPI documents allow, or nearly allow, makes a service fail or answer what they do not say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans, one_of
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.authorisation.cast import THINGS, Caller, Cast
from tests.authorisation.expected import EXPECTED, PICTURE, Access
from tests.integration.person import Person

API = Path(__file__).parents[2] / "docs" / "api"
SERVICES = ("auth", "account", "onboarding", "listings")

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
OUT = frozenset({401, 403})  # what a session that has ended gets
EXAMPLES = 500 if settings.get_current_profile_name() == "thorough" else 25  # of each operation


def operations():
    return [
        pytest.param(service, found.ok(), id=f"{service} {found.ok().label}")
        for service in SERVICES
        for found in schemathesis.openapi.from_path(API / f"{service}.json").get_all_operations()
    ]


class Somebody:
    """A tutor with things of their own, who comes again whenever a request has put an end to a session or a thing."""

    def __init__(self, cast: Cast, *, is_administrator: bool) -> None:
        self._cast = cast
        self._is_administrator = is_administrator
        self._person: Person | None = None
        self._things: dict[str, str] = {}

    @property
    def person(self) -> Person:
        if self._person is None:
            self._person = self._cast.person(Caller.TUTOR)
        return self._person

    @property
    def headers(self) -> dict[str, str]:
        if self._is_administrator:
            return {"Authorization": f"Bearer {self._cast.service_token}"}
        return {"Authorization": str(self.person.http.headers["Authorization"])}

    def things(self, path: str) -> dict[str, str]:
        """Something of theirs for every parameter of this path that names a thing."""
        for name in THINGS:
            if f"{{{name}}}" in path and name not in self._things:
                self._things[name] = THINGS[name](self.person)
        if "{image_id}" in path and "image_id" not in self._things:
            self._things["image_id"] = _new_image(self.person, self._things["listing_id"])
        return self._things

    def come_again(self, status: int) -> None:
        """After a request that may have ended their session, deleted what it was about, or them."""
        if status in OUT and not self._is_administrator:
            self._things.pop("session_id", None)
            is_gone = not self.person.sign_in()
        else:
            is_gone = status == 404 and self._is_administrator
        if is_gone:
            self._person = None
        if is_gone or status in {204, 404}:
            self._things.clear()


def _new_image(person: Person, listing_id: str) -> str:
    answer = person.http.post(f"/api/listings/{listing_id}/images", files={"files": ("photo.png", PICTURE)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["images"][0]["id"])


@pytest.fixture
def cast(stack, service_token) -> Iterator[Cast]:
    cast = Cast(stack.url, service_token)
    yield cast
    cast.dismiss()


@pytest.mark.fuzz
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("service", "operation"), operations())
def test_no_request_crashes_a_service(service, operation, stack, cast):
    row = EXPECTED[service][operation.label]
    caller = Somebody(cast, is_administrator=row.access is Access.ADMINISTRATOR)

    @given(
        case=one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode),
        is_about_own=booleans(),
    )
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def crashes_nothing(case: Case, is_about_own: bool) -> None:
        if is_about_own:
            case.path_parameters = {**case.path_parameters, **caller.things(operation.path)}
        answer = case.call(base_url=stack.urls[service], headers=caller.headers, allow_redirects=False)
        if is_about_own or answer.status_code in OUT:
            caller.come_again(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    crashes_nothing()
