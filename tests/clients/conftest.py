"""Runs the unmodified clients of Supabase against the system."""

from collections.abc import Callable

import pytest
from tests.clients import node

from cas_local.stack import Stack


@pytest.fixture(scope="session")
def packages() -> None:
    """What package-lock.json names, installed."""
    node.install_packages()


@pytest.fixture
def run_js(stack: Stack, packages: None) -> Callable[..., None]:
    """Run the tests of a file against the system: `run_js("password.mjs")`."""

    def run(file: str, **environment: str) -> None:
        node.run(node.HERE / file, {"CAS_URL": stack.url, **environment})

    return run


def mailboxes(stack: Stack) -> dict[str, str]:
    """Where the files of tests read mails."""
    return {"CAS_MAIL_URL": stack.urls["mail"]}
