"""The unmodified @supabase/auth-js and supabase-js work with us as they do with Supabase."""

import pytest

AREAS = ("password", "sessions")


@pytest.mark.parametrize("area", AREAS)
def test_the_client_works(run_js, area):
    run_js(f"{area}.mjs")
