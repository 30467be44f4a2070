"""The unmodified @supabase/auth-js and supabase-js work with us as they do with Supabase."""

import json
import time
from hashlib import sha256
from uuid import uuid4

import bcrypt
import pytest
from argon2 import PasswordHasher
from tests.clients.conftest import mailboxes
from tests.integration.person import PASSWORD


@pytest.mark.parametrize("area", ["password", "sessions", "anonymous", "mfa", "refused", "methods"])
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


def test_the_client_works_with_a_provider(run_js, stack, service_token, provider):
    run_js(
        "oauth.mjs",
        CAS_SERVICE_TOKEN=service_token,
        CAS_PROVIDER=provider.issuer,
        CAS_ID_TOKENS=json.dumps(id_tokens(provider)),
    )


def id_tokens(provider):
    """Tokens as an app gets them which asks the provider itself."""

    def token(**claims):
        sub = uuid4().hex
        email = f"{sub}@example.com"
        provider.add_person(sub, email=email, email_verified=True, name="Grace Hopper")
        return {"sub": sub, "email": email, "token": provider.id_token(sub, **claims)}

    nonce = uuid4().hex
    return {
        "plain": token(),
        "nonce": token(nonce=sha256(nonce.encode()).hexdigest()) | {"nonce": nonce},
        "linked": token(),
        "expired": token(exp=int(time.time()) - 3600)["token"],
        "foreignAudience": token(aud="another application")["token"],
        "foreignIssuer": token(iss="https://accounts.example.com")["token"],
    }
