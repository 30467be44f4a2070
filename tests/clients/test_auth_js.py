"""The unmodified @supabase/auth-js and supabase-js work with us as they do with Supabase."""

import json

import bcrypt
import pytest
from argon2 import PasswordHasher
from tests.clients.conftest import mailboxes
from tests.integration.person import PASSWORD


@pytest.mark.parametrize("area", ["password", "sessions", "anonymous", "mfa", "refused"])
def test_the_client_works(run_js, service_token, area):
    run_js(f"{area}.mjs", CAS_SERVICE_TOKEN=service_token)


@pytest.mark.parametrize("area", ["otp", "pkce"])
def test_the_client_works_with_mails(run_js, stack, area):
    run_js(f"{area}.mjs", **mailboxes(stack))


def test_the_client_works_where_addresses_are_confirmed(run_js, strict_stack):
    run_js("confirmation.mjs", CAS_URL=strict_stack.url, **mailboxes(strict_stack))


def test_administrators_work_with_the_client(run_js, stack, service_token):
    hashes = {
        "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(6)).decode(),
        "argon2": PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD),
    }
    run_js("admin.mjs", CAS_SERVICE_TOKEN=service_token, CAS_HASHES=json.dumps(hashes), **mailboxes(stack))
