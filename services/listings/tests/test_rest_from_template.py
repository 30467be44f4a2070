"""Listings made from professional info, over HTTP."""

import pytest

from cas_listings.domain.roles import Role
from cas_listings.domain.template import Template

PATH = "/api/listings/from-template"


@pytest.fixture
def template(account, owner):
    template = Template(
        answers={"subjects": ["Maths"], "levels": ["GCSE", "Nursery"]},
        hourly_rate=4500,
        lowest_rate=4000,
        highest_rate=5000,
    )
    account.templates[owner.user_id, Role.TUTOR] = template
    return template


class TestFromTemplate:
    def test_makes_a_draft_and_says_what_came_along(self, ada, template):
        answer = ada.post(PATH, json={"role_type": "provider"})
        made = answer.json()
        assert (answer.status_code, made["status"], made["created_from_template"]) == (201, "draft", True)
        assert answer.headers["Location"] == f"/api/listings/{made['id']}"
        assert (made["subjects"], made["levels"]) == (["Mathematics"], ["GCSE"])
        assert (made["hourly_rate"], made["hourly_rate_min"], made["hourly_rate_max"]) == (45, 40, 50)
        assert made["prefilled_fields"] == [
            "subjects",
            "levels",
            "hourly_rate",
            "hourly_rate_min",
            "hourly_rate_max",
        ]
        assert made["unresolved"] == ["Nursery"]

    def test_lets_overrides_win(self, ada, template):
        overrides = {"title": "Mine", "subjects": ["Physics"], "shoe_size": 43, "status": "published"}
        made = ada.post(PATH, json={"role_type": "tutor", "overrides": overrides}).json()
        assert (made["title"], made["subjects"], made["status"]) == ("Mine", ["Physics"], "draft")
        assert "subjects" not in made["prefilled_fields"]
        assert made["ignored_fields"] == ["shoe_size"]

    def test_without_a_template_is_404(self, ada):
        answer = ada.post(PATH, json={"role_type": "tutor"})
        assert (answer.status_code, answer.json()["code"]) == (404, "no-template")

    def test_in_a_role_that_is_not_held_is_403(self, ada, account, owner):
        account.templates[owner.user_id, Role.AGENT] = Template(answers={})
        answer = ada.post(PATH, json={"role_type": "agent"})
        assert (answer.status_code, answer.json()["code"]) == (403, "role-not-held")

    def test_while_account_is_away_is_503(self, ada, account, template):
        account.away = True
        answer = ada.post(PATH, json={"role_type": "tutor"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ([], ["body"]),
            ({}, ["role_type"]),
            ({"role_type": "king"}, ["role_type"]),
            ({"role_type": "tutor", "overrides": 5}, ["overrides.body"]),
            (
                {"overrides": {"title": 5, "levels": ["x"]}},
                ["role_type", "overrides.title", "overrides.levels.0"],
            ),
        ],
    )
    def test_names_every_bad_field(self, ada, template, body, fields):
        answer = ada.post(PATH, json=body)
        assert answer.status_code == 422
        assert [problem["field"] for problem in answer.json()["errors"]] == fields

    def test_later_changes_of_the_template_change_no_listing(self, ada, account, owner, template):
        made = ada.post(PATH, json={"role_type": "tutor"}).json()
        account.templates[owner.user_id, Role.TUTOR] = Template(answers={"subjects": ["Physics"]})
        assert ada.get(f"/api/listings/{made['id']}").json()["subjects"] == ["Mathematics"]

    def test_without_a_token_is_401(self, client):
        assert client.post(PATH, json={"role_type": "tutor"}).status_code == 401
