"""What is read can be sent back, by the document too (docs/spec/domain.md 3.2 and 4.2)."""

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest

from cas_account.domain.professional_info_fields import FIELDS
from cas_account.domain.roles import Role

PROFILE, TEMPLATE = "/api/profile", "/api/account/professional-info"


@pytest.fixture
def check(app) -> Callable[[str, str, Any], None]:
    """Hold a body against the schema of the request that takes it."""
    paths = app.openapi()["paths"]

    def validate(method: str, path: str, body: Any) -> None:
        described = paths[path][method]["requestBody"]["content"]["application/json"]["schema"]
        jsonschema_rs.validator_for(described).validate(body)

    return validate


@pytest.mark.parametrize("method", ["post", "patch"])
class TestProfile:
    def test_of_a_new_user_can_be_sent_back(self, client, issuer, database, check, method):
        headers = issuer.bearer()
        found = client.get(PROFILE, headers=headers).json()
        check(method, PROFILE, found)
        assert client.request(method, PROFILE, headers=headers, json=found).is_success

    def test_with_every_field_can_be_sent_back(self, ada, check, method):
        filled = {
            "first_name": "Ada",
            "bio": "First line\nsecond line",
            "avatar_url": "https://ada.example/ada.png",
            "phone": "+447700900123",
            "timezone": "Europe/Paris",
            "preferences": {"theme": "dark"},
        }
        assert ada.patch(PROFILE, json=filled).is_success
        found = ada.get(PROFILE).json()
        check(method, PROFILE, found)
        assert ada.request(method, PROFILE, json=found).json()["user"] == found

    def test_is_refused_with_a_value_that_is_none(self, check, method):
        for wrong in ({"phone": "none"}, {"bio": 5}, {"active_role": "teacher"}):
            with pytest.raises(jsonschema_rs.ValidationError):
                check(method, PROFILE, wrong)


@pytest.mark.parametrize("method", ["post", "patch"])
class TestTemplate:
    @pytest.mark.parametrize("role", Role)
    def test_with_nothing_in_it_can_be_sent_back(self, ada, check, role, method):
        assert ada.post(TEMPLATE, json={"role_type": role}).is_success
        found = ada.get(TEMPLATE, params={"role_type": role}).json()
        check(method, TEMPLATE, found)
        assert ada.request(method, TEMPLATE, json=found).is_success

    @pytest.mark.parametrize("role", [*Role, "provider", "seeker"])
    def test_with_every_field_can_be_sent_back(self, ada, check, examples, role, method):
        assert ada.post(TEMPLATE, json={"role_type": role, **examples}).is_success
        found = ada.get(TEMPLATE, params={"role_type": role}).json()
        check(method, TEMPLATE, found)
        assert ada.request(method, TEMPLATE, json=found).json()["data"]["version"] == found["version"]

    def test_takes_null_for_every_field(self, check, method):
        check(method, TEMPLATE, {"role_type": "tutor", **dict.fromkeys(FIELDS)})
