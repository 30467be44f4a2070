"""The service as it is put together."""

import pytest
from pydantic import ValidationError

from cas_onboarding.settings import Settings


class TestSettings:
    def test_have_no_account_service_to_fall_back_on(self, settings):
        with pytest.raises(ValidationError, match="account_grpc"):
            Settings(**settings.model_dump(exclude={"account_grpc"}))
