"""The OpenAPI documents say how services refuse and what headers they read; `make openapi-check` keeps them current."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

API = Path(__file__).parents[2] / "docs" / "api"
HEADERS = frozenset({"If-Match", "If-None-Match", "Idempotency-Key"})
PROBLEM = {"application/problem+json": "Problem"}
REFUSALS = {
    "auth": {"application/json": "ErrorOut"},  # its clients know the shape of their own protocol
    "account": PROBLEM,
    "onboarding": PROBLEM,
    "listings": PROBLEM,
}
WITHOUT_A_BODY = frozenset({"416"})
ANY_BODY_MAY_GET = frozenset(
    {"400", "413", "415", "422"}
)  # cas_kit.body and cas_kit.uploads refuse with these

Operation = Mapping[str, Any]


def document(service: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((API / f"{service}.json").read_text(encoding="utf-8"))
    return found


def operations() -> list[Any]:
    return [
        pytest.param(service, operation, id=f"{service} {method.upper()} {path}")
        for service in REFUSALS
        for path, methods in document(service)["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_service_has_a_document():
    assert {path.stem for path in API.glob("*.json")} == REFUSALS.keys()


@pytest.mark.parametrize("service", REFUSALS)
def test_no_answer_is_described_as_a_list_of_errors(service):
    assert (
        document(service)["components"]["schemas"]
        .keys()
        .isdisjoint({"HTTPValidationError", "ValidationError"})
    )


@pytest.mark.parametrize(("service", "operation"), operations())
def test_every_refusal_is_described_as_it_is_answered(service, operation):
    refusals = {
        status: answer["content"]
        for status, answer in operation["responses"].items()
        if status.startswith(("4", "5", "d"))
    }
    for status, content in refusals.items():
        named = {kind: each["schema"]["$ref"].rpartition("/")[2] for kind, each in content.items()}
        assert named == ({} if status in WITHOUT_A_BODY else REFUSALS[service]), status


@pytest.mark.parametrize(("service", "operation"), operations())
def test_a_header_is_a_parameter_where_it_has_an_effect(service, operation):
    parameters = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"}
    said = json.dumps({name: part for name, part in operation.items() if name != "parameters"})
    assert parameters & HEADERS == {name for name in HEADERS if f"`{name}`" in said}


@pytest.mark.parametrize(("service", "operation"), operations())
def test_what_takes_a_body_says_how_bodies_are_refused(service, operation):
    described = operation["responses"].keys()
    assert "requestBody" not in operation or "default" in described or described >= ANY_BODY_MAY_GET
