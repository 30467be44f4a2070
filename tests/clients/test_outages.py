"""A client whose auth service goes away keeps its session, and goes on when the service is back."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def session(new_person):
    return {"CAS_SESSION": json.dumps(new_person().session)}


def test_a_client_keeps_its_session_while_the_service_is_away(stack, run_js, session):
    stack.kill("auth")
    try:
        run_js("outage.mjs", **session)
    finally:
        stack.restart("auth")


def test_a_client_that_renews_during_a_restart_goes_on(stack, run_js, session):
    stack.kill("auth")
    with ThreadPoolExecutor(max_workers=1) as pool:
        client = pool.submit(run_js, "restart.mjs", **session)
        stack.restart("auth")  # from this thread: what it starts ends with the thread
        client.result()
