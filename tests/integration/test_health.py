"""What the system says of itself, and to whom."""

import httpx

from cas_kit.testing import until


def test_a_system_that_runs_sees_its_workers(stack):
    """After five seconds at most, for which a report is reused: a worker says that it lives before it is ready."""

    def worker():
        return httpx.get(f"{stack.url}/api/health").json()["services"]["worker"]

    assert until(lambda: (seen := worker())["status"] == "ok" and seen, within=20)["details"] == {}
