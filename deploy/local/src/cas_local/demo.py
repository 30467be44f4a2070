"""An account to try the system with."""

import time

import httpx

EMAIL = "demo@example.com"
PASSWORD = "correct-horse-battery"  # noqa: S105 - printed for whoever runs the system on their own machine
ROUTED_SECONDS = 15.0


class DemoRefused(Exception):
    """Signing up failed although everything is healthy; the text carries the answer."""


def sign_up(gateway_url: str) -> None:
    """Sign the demo account up through the gateway; already being there is fine.

    :raises DemoRefused: when the answer is anything else
    """
    deadline = time.monotonic() + ROUTED_SECONDS
    with httpx.Client(base_url=gateway_url, timeout=10, trust_env=False) as client:
        answer = _sign_up(client)
        # The gateway learns a moment later than we do that the services are up.
        while answer.is_server_error and time.monotonic() < deadline:
            time.sleep(0.1)
            answer = _sign_up(client)
    if answer.is_error and "user_already_exists" not in answer.text:
        raise DemoRefused(f"Signing up {EMAIL} was answered {answer.status_code}: {answer.text[:500]}")


def _sign_up(client: httpx.Client) -> httpx.Response:
    return client.post("/auth/v1/signup", json={"email": EMAIL, "password": PASSWORD})
