"""Documents describe refusals as they are answered."""

import jsonschema_rs
import pytest

from cas_kit import rest
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.openapi import PROBLEM, PROBLEM_TYPE

OWN = {"content": {"text/plain": {"schema": {"type": "string"}}}}
routes = rest.router(tags=["openapi"])


@routes.get(
    "/api/user/things/{thing_id}",
    responses={
        404: {"description": "None."},
        409: {"description": "In words.", **OWN},
        416: {"description": "Nothing to say.", "content": {}},
        503: {"description": "Later."},
    },
)
def refuse(thing_id: int):
    raise ValidationFailed.of([FieldProblem("thing_id", f"must not be {thing_id}")])


@routes.get("/described/{thing_id}", responses={422: {"description": "A field cannot be accepted."}})
def described(thing_id: int):
    return rest.json_response(thing_id)


@pytest.fixture
def document(make_app):
    return make_app(routes).openapi()


@pytest.fixture
def answers(document):
    return document["paths"]["/api/user/things/{thing_id}"]["get"]["responses"]


def test_a_refusal_is_a_problem(answers, document):
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert answers["404"]["content"] == answers["503"]["content"] == problem
    assert document["paths"]["/described/{thing_id}"]["get"]["responses"]["422"]["content"] == problem
    assert document["components"]["schemas"] == {"Problem": PROBLEM}


def test_a_refusal_may_say_what_else_it_is(answers):
    assert answers["409"]["content"] == OWN["content"]
    assert answers["416"]["content"] == {}


def test_the_list_of_the_framework_is_left_out(answers):
    assert set(answers) == {"200", "404", "409", "416", "503"}


def test_the_document_of_an_application_is_made_once(make_app):
    app = make_app(routes)
    assert app.openapi() is app.openapi()


def test_problems_have_the_members_of_the_schema(make_client):
    answer = make_client(routes).get("/api/user/things/1")
    assert answer.headers["content-type"] == PROBLEM_TYPE
    jsonschema_rs.validator_for(PROBLEM).validate(answer.json())
    assert answer.json().keys() == PROBLEM["properties"].keys()
