"""What reading and saving professional info costs: through the gateway, directly, naively, and at the database's limit.

Run with `make bench`. CPU per request and throughput are taken while eight clients keep the process busy, latencies
at a fixed rate; all are medians of interleaved rounds. The ratios matter; absolute times are this machine's.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import CpuMeter, Result, Target, attack, cpu_of
from benchmarks.pgbench import pgbench
from benchmarks.rounds import Measure, interleaved, options
from benchmarks.servers import PASSWORD, generous_stack, naive_server
from cas_local.stack import Stack

PEOPLE = 10
TEMPLATE: dict[str, Any] = {
    "role_type": "tutor",
    "subjects": ["Mathematics", "Physics", "Computer Science"],
    "skill_levels": {"GCSE": 4, "A-Level": 5},
    "teaching_experience": "5-10 years",
    "hourly_rate_range": {"min": 35, "max": 45},
    "qualifications": ["Master's degree", "Teaching Certificate"],
    "teaching_methods": ["Interactive", "Exam-focused"],
    "availability": ["weekday_morning", "weekday_evening"],
    "bio": "I teach mathematics and physics, patiently and with many examples, to pupils of every age.",
}
READ_SQL = """\
SELECT p.id, d.* FROM profiles p LEFT JOIN role_details d ON d.profile_id = p.id AND d.role_type = 'tutor'
WHERE p.id = '{user_id}';
"""
SAVE_SQL = """\
\\set n random(1, 1000000)
BEGIN;
SELECT * FROM role_details WHERE profile_id = '{user_id}' AND role_type = 'tutor' FOR UPDATE;
UPDATE role_details SET version = version + 1, updated_at = now()
WHERE profile_id = '{user_id}' AND role_type = 'tutor';
COMMIT;
"""


def main() -> None:
    """Measure and print one table for reading and one for saving."""
    chosen = options(__doc__, rate=100)
    with tempfile.TemporaryDirectory() as folder, generous_stack(Path(folder)) as stack:
        people = [sign_up(stack, number) for number in range(PEOPLE)]
        with naive_server("benchmarks.naive", stack, Path(folder)) as naive:
            for person in people:
                register(naive[0], person)
            bench = Bench(stack, naive, people)
            for title, ways in (("GET", bench.reading()), ("PATCH", bench.saving())):
                report(
                    title,
                    **interleaved(ways, rate=chosen.rate, seconds=chosen.seconds, rounds=chosen.rounds),
                )


def sign_up(stack: Stack, number: int) -> dict[str, str]:
    """Somebody with a saved template; answers the user id and the request headers."""
    with httpx.Client(base_url=stack.url, timeout=10) as client:
        credentials = {"email": f"bench{number}@example.com", "password": PASSWORD}
        session = client.post("/auth/v1/signup", json=credentials).raise_for_status().json()
        headers = {"Authorization": f"Bearer {session['access_token']}"}
        client.post("/api/account/professional-info", json=TEMPLATE, headers=headers).raise_for_status()
    return {"user_id": session["user"]["id"], **headers}


def register(naive_url: str, person: Mapping[str, str]) -> None:
    """Give the naive service the same template of the same person."""
    minimum, maximum = TEMPLATE["hourly_rate_range"].values()
    body = {
        **TEMPLATE,
        "hourly_rate_min": minimum,
        "hourly_rate_max": maximum,
        "levels": list(TEMPLATE["skill_levels"]),
    }
    headers = {"Authorization": person["Authorization"]}
    httpx.post(f"{naive_url}/professional-info", json=body, headers=headers).raise_for_status()


class Bench:
    """The four ways of doing the same thing."""

    def __init__(self, stack: Stack, naive: tuple[str, int], people: list[dict[str, str]]) -> None:
        naive_url, naive_pid = naive
        account = stack.pids["account"]
        self._stack = stack
        self._people = people
        # By way: the address and the process that answers.
        self._servers = {
            "gateway": (f"{stack.url}/api/account/professional-info", account),
            "direct": (f"{stack.urls['account']}/api/account/professional-info", account),
            "naive": (f"{naive_url}/professional-info", naive_pid),
        }

    def reading(self) -> dict[str, Measure]:
        """GET of the same template."""
        return self._ways("GET", "?role_type=tutor", bodies=[b""], sql=READ_SQL)

    def saving(self) -> dict[str, Measure]:
        """PATCH of one text, another one each time."""
        bodies = [
            b'{"role_type": "tutor", "bio": "Biography number %d, with enough words."}' % n for n in range(7)
        ]
        return self._ways("PATCH", "", bodies=bodies, sql=SAVE_SQL)

    def _ways(self, method: str, query: str, *, bodies: list[bytes], sql: str) -> dict[str, Measure]:
        ways = {
            way: self._attack(
                [target(method, url + query, person, body) for body in bodies for person in self._people], pid
            )
            for way, (url, pid) in self._servers.items()
        }
        return ways | {"pgbench": self._pgbench(sql.format(user_id=self._people[0]["user_id"]))}

    def _attack(self, targets: list[Target], pid: int) -> Measure:
        meter = self._meter(
            {"service": lambda: cpu_of(pid), "gateway": lambda: cpu_of(self._stack.pids["gateway"])}
        )
        return lambda rate, seconds: attack(targets, rate=rate, seconds=seconds, meter=meter)

    def _pgbench(self, script: str) -> Measure:
        url = account_database(self._stack)
        meter = self._meter({})
        return lambda rate, seconds: pgbench(script, url, rate=rate, seconds=seconds, meter=meter)

    def _meter(self, groups: Mapping[str, Callable[[], float]]) -> CpuMeter:
        return CpuMeter({**groups, "database": lambda: cpu_of(self._stack.pids["postgres"])})


def target(method: str, url: str, person: Mapping[str, str], body: bytes) -> Target:
    """One request of this person."""
    header = {"Authorization": [person["Authorization"]], "Content-Type": ["application/json"]}
    return Target(method=method, url=url, header=header, body=body)


def account_database(stack: Stack) -> str:
    """The address of the account service's schema."""
    password = stack.credentials.database_passwords["account"]
    return stack.postgres.url("cas", user="cas_account", password=password)


def report(title: str, *, busy: Mapping[str, Result], paced: Mapping[str, Result]) -> None:
    """Print a Markdown table, with the service's CPU as a share of the naive way's."""
    naive = busy["naive"].cpu["service"]
    print(f"\n{title} professional-info\n")
    print(
        "| way | service CPU ms | of naive | gateway CPU ms | database CPU ms | per second | p50 ms | p99 ms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for way, result in busy.items():
        service = result.cpu.get("service")
        columns = [
            way,
            f"{service:.2f}" if service else "",
            f"{service / naive:.0%}" if service else "",
            f"{result.cpu['gateway']:.2f}" if way == "gateway" else "",
            f"{result.cpu['database']:.2f}",
            f"{result.per_second:.0f}",
            f"{paced[way].p50:.2f}",
            f"{paced[way].p99:.2f}",
        ]
        print(f"| {' | '.join(columns)} |")
    print(f"\nThe gateway adds {paced['gateway'].p50 - paced['direct'].p50:.2f} ms at the median.")


if __name__ == "__main__":
    main()
