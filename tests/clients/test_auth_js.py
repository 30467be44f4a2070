"""The unmodified @supabase/auth-js and supabase-js work with us as they do with Supabase."""

import pytest


@pytest.mark.parametrize("area", ["password", "sessions", "anonymous", "mfa", "refused"])
def test_the_client_works(run_js, service_token, area):
    run_js(f"{area}.mjs", CAS_SERVICE_TOKEN=service_token)
