"""What an auto-save costs: through the gateway, directly, and as a naive upsert of the whole form.

Run with `make bench`. Everybody is in the middle of the tutor wizard and saves a revision that was not saved before,
50 saves a second for the latencies, without a pause for CPU and throughput. And how often each ends with what was typed
last, when two tabs of one person send their saves over a network that delays, reorders and repeats them.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import CpuMeter, Result, Target, attack, cpu_of
from benchmarks.rounds import Measure, interleaved, options, report
from benchmarks.servers import Person, generous_stack, naive_server, sign_up
from cas_local.stack import Stack

PEOPLE = 40
MOST_PER_SECOND = 1_000  # saves, of which every one has a revision of its own
ROUGH_SESSIONS, SAVES = 40, 6
ANSWERS: dict[str, Any] = {
    "subjects": ["mathematics", "computer_science", "languages"],
    "qualifications": {
        "experience": "expert",
        "education": "masters",
        "certifications": ["teaching-certificate", "tesol-tefl"],
        "bio": "I have taught mathematics and computing to pupils of every age, patiently and with many examples. "
        * 3,
    },
    "availability": {
        "hourlyRate": 40,
        "availability": ["weekday_morning", "weekday_evening", "weekend_morning"],
        "sessionTypes": ["one_on_one", "online"],
    },
}


def main() -> None:
    """Measure and print one table of costs and one of outcomes."""
    chosen = options(__doc__, rate=50)
    with tempfile.TemporaryDirectory() as folder, generous_stack(Path(folder)) as stack:
        people = [sign_up(stack, number) for number in range(PEOPLE)]
        with naive_server("benchmarks.naive_onboarding", stack, Path(folder)) as naive:
            bench = Bench(stack, naive, people)
            found = interleaved(
                bench.saving(), rate=chosen.rate, seconds=chosen.seconds, rounds=chosen.rounds
            )
            report("Auto-save (`POST /api/onboarding/save-progress`)", baseline="naive", **found)
            bench.report_outcomes()


class Bench:
    """The same saves, every way."""

    def __init__(self, stack: Stack, naive: tuple[str, int], people: Sequence[Person]) -> None:
        naive_url, naive_pid = naive
        onboarding = stack.pids["onboarding"]
        self._stack = stack
        self._people = people
        self._sessions = count()
        # By way: the address and the process that answers.
        self._servers = {
            "gateway": (f"{stack.url}/api/onboarding/save-progress", onboarding),
            "direct": (f"{stack.urls['onboarding']}/api/onboarding/save-progress", onboarding),
            "naive": (f"{naive_url}/save-progress", naive_pid),
        }

    def saving(self) -> dict[str, Measure]:
        """Everybody types on."""
        return {way: self._saving(url, pid) for way, (url, pid) in self._servers.items()}

    def report_outcomes(self) -> None:
        """Print how many rough sessions ended with the newest answers."""
        print(f"\n{ROUGH_SESSIONS} people with two tabs each on a rough network\n")
        print("| way | ended with what was typed last |")
        print("|---|---|")
        for way in ("gateway", "naive"):
            url, _ = self._servers[way]
            right = sum(self._ends_right(url, person) for person in self._people[:ROUGH_SESSIONS])
            print(f"| {way} | {right} of {ROUGH_SESSIONS} |")

    def _saving(self, url: str, pid: int) -> Measure:
        meter = self._meter(pid)

        def measure(rate: int | None, seconds: int) -> Result:
            targets = list(islice(self._saves(url), (rate or MOST_PER_SECOND) * (seconds + 1)))
            return attack(targets, rate=rate, seconds=seconds, meter=meter)

        return measure

    def _saves(self, url: str) -> Iterator[Target]:
        """One more revision of everybody, again and again, in a wizard session that nobody has seen before."""
        session = f"tab {next(self._sessions)}"
        for revision in count():
            for person in self._people:
                yield target(url, person, save(session, revision))

    def _ends_right(self, url: str, person: Person) -> bool:
        """Send what two tabs typed one after the other, late saves of the first between those of the second."""
        chance = random.Random(person.email)
        first, second = (self._typed_in_a_tab(), self._typed_in_a_tab())
        arriving = [first[0], second[0], *chance.sample([*first, *second, *first, *second], 4 * SAVES)]
        with httpx.Client(
            headers={"Authorization": person.bearer["Authorization"][0]}, timeout=10
        ) as browser:
            answers = [browser.post(url, json=each).raise_for_status().json() for each in arriving]
        stored: Mapping[str, Any] = answers[-1]["step_data"]
        return bool(stored == second[-1]["data"])

    def _typed_in_a_tab(self) -> list[dict[str, Any]]:
        session = f"tab {next(self._sessions)}"
        return [save(session, revision) for revision in range(SAVES)]

    def _meter(self, pid: int) -> CpuMeter:
        groups: dict[str, Callable[[], float]] = {"service": lambda: cpu_of(pid)}
        for group, name in (("gateway", "gateway"), ("database", "postgres")):
            groups[group] = lambda name=name: cpu_of(self._stack.pids[name])  # type: ignore[misc]
        return CpuMeter(groups)


def save(session: str, revision: int) -> dict[str, Any]:
    """The whole form after one more change."""
    return {
        "step": 2 + revision % 3,
        "role_type": "tutor",
        "data": {**ANSWERS, "note": f"change {revision} in {session}"},
        "client_session": session,
        "client_revision": revision,
    }


def target(url: str, person: Person, body: Mapping[str, Any]) -> Target:
    """One save of this person."""
    header = {**person.bearer, "Content-Type": ["application/json"]}
    return Target("POST", url, header, json.dumps(body).encode())


if __name__ == "__main__":
    main()
