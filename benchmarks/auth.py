"""What the auth service costs: sign-ins, refreshes, GET /user and the JWKS, through the gateway and directly.

Run with `make bench`. Baselines: for sign-ins the bare password hash, for GET /user the service a team would write
first. And how much slower GET /user becomes while sign-ins keep every place of the hasher taken. Medians of
interleaved rounds; the ratios matter, absolute times are this machine's.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr

from benchmarks.bare_argon2 import bare_argon2
from benchmarks.load import CpuMeter, Result, Target, attack, cpu_of, steady_attack
from benchmarks.rounds import Measure, interleaved, options, report
from benchmarks.servers import PASSWORD, Person, generous_stack, naive_server, sign_up
from cas_auth.credentials.encryption import EncryptionKey
from cas_auth.credentials.refresh_tokens import RefreshToken, RefreshTokens
from cas_local.stack import Stack

PEOPLE = 40
# More than there are clients, so that no two refresh one session at once: that would be one rotation, not two.
SESSIONS = 40
MOST_PER_SECOND = 2_000  # refreshes, for which every request has a token of its own
SIGNING_IN = 16  # fewer than the hasher has places, so that everybody waits and nobody is refused
JSON = {"Content-Type": ["application/json"]}


def main() -> None:
    """Measure and print one table for each call, and one for GET /user while people sign in."""
    chosen = options(__doc__, rate=50)
    with tempfile.TemporaryDirectory() as folder, generous_stack(Path(folder)) as stack:
        people = [sign_up(stack, number) for number in range(PEOPLE)]
        for number in range(SESSIONS):
            sign_in(stack, people[number % PEOPLE])
        with naive_server("benchmarks.naive_auth", stack, Path(folder)) as naive:
            for person in people:
                httpx.post(f"{naive[0]}/user", headers={"Authorization": person.bearer["Authorization"][0]})
            bench = Bench(stack, naive, people)
            plan: list[tuple[str, Mapping[str, Measure], str, int]] = [
                (
                    "Sign-in (`POST /token?grant_type=password`)",
                    bench.signing_in(),
                    "argon2",
                    chosen.rate // 5,
                ),
                ("Refresh (`POST /token?grant_type=refresh_token`)", bench.refreshing(), "", chosen.rate),
                ("`GET /user`", bench.reading(), "naive", chosen.rate),
                ("`GET /.well-known/jwks.json`", bench.reading_keys(), "", chosen.rate),
            ]
            for title, ways, baseline, rate in plan:
                report(
                    title,
                    baseline=baseline,
                    **interleaved(ways, rate=rate, seconds=chosen.seconds, rounds=chosen.rounds),
                )
            crowded(bench, rate=chosen.rate, seconds=chosen.seconds, rounds=chosen.rounds)


def sign_in(stack: Stack, person: Person) -> None:
    """One more session of this person."""
    credentials = {"email": person.email, "password": PASSWORD}
    url = f"{stack.url}/auth/v1/token?grant_type=password"
    httpx.post(url, json=credentials, timeout=10).raise_for_status()


class Bench:
    """Every call, every way."""

    def __init__(self, stack: Stack, naive: tuple[str, int], people: Sequence[Person]) -> None:
        self._stack = stack
        self._naive_url, self._naive_pid = naive
        self._people = people
        key = SecretStr(stack.environments["auth"]["CAS_AUTH_ENCRYPTION_KEY"])
        self._refresh_tokens = RefreshTokens(EncryptionKey(key))
        self._bases = {"gateway": f"{stack.url}/auth/v1", "direct": f"{stack.urls['auth']}/auth/v1"}

    def signing_in(self) -> dict[str, Measure]:
        """Signing in, and the hash that it cannot do without."""
        ways: dict[str, Measure] = {
            way: self._repeating(self.sign_ins(base)) for way, base in self._bases.items()
        }
        return ways | {"argon2": bare_argon2}

    def refreshing(self) -> dict[str, Measure]:
        """Refreshing, a rotation every time."""
        return {way: self._refreshing(base) for way, base in self._bases.items()}

    def reading(self) -> dict[str, Measure]:
        """GET /user, and the naive one."""
        ways = {way: self._repeating(self.reads(f"{base}/user")) for way, base in self._bases.items()}
        naive = self._repeating(self.reads(f"{self._naive_url}/user"), pid=self._naive_pid)
        return ways | {"naive": naive}

    def reading_keys(self) -> dict[str, Measure]:
        """The published keys."""
        return {
            way: self._repeating([Target("GET", f"{base}/.well-known/jwks.json", {})])
            for way, base in self._bases.items()
        }

    def sign_ins(self, base: str) -> list[Target]:
        """Everybody signs in."""
        body = '{{"email": "{email}", "password": "{password}"}}'
        return [
            Target(
                "POST",
                f"{base}/token?grant_type=password",
                JSON,
                body.format(email=person.email, password=PASSWORD).encode(),
            )
            for person in self._people
        ]

    def reads(self, url: str) -> list[Target]:
        """Everybody looks themselves up."""
        return [Target("GET", url, person.bearer) for person in self._people]

    def through_the_gateway(self) -> str:
        """Where clients find the auth service."""
        return self._bases["gateway"]

    def _repeating(self, targets: Sequence[Target], *, pid: int | None = None) -> Measure:
        meter = self._meter(pid or self._stack.pids["auth"])
        return lambda rate, seconds: attack(targets, rate=rate, seconds=seconds, meter=meter)

    def _refreshing(self, base: str) -> Measure:
        meter = self._meter(self._stack.pids["auth"])
        url = f"{base}/token?grant_type=refresh_token"

        def measure(rate: int | None, seconds: int) -> Result:
            bodies = islice(self._unused_tokens(), (rate or MOST_PER_SECOND) * (seconds + 1))
            targets = [Target("POST", url, JSON, body) for body in bodies]
            return attack(targets, rate=rate, seconds=seconds, meter=meter)

        return measure

    def _unused_tokens(self) -> Iterator[bytes]:
        """Bodies of refreshes that rotate: of every session the token that is next, then the one after it."""
        with self._stack.postgres.connect("cas") as connection:
            query = "SELECT id, refresh_counter FROM auth.sessions ORDER BY created_at DESC LIMIT %s"
            counters: dict[UUID, int] = dict(connection.execute(query, [SESSIONS]).fetchall())
        for session_id in cycle(list(counters)):
            token = self._refresh_tokens.write(RefreshToken(session_id, counters[session_id]))
            yield f'{{"refresh_token": "{token}"}}'.encode()
            counters[session_id] += 1

    def _meter(self, pid: int) -> CpuMeter:
        groups: dict[str, Callable[[], float]] = {"service": lambda: cpu_of(pid)}
        for group, name in (("gateway", "gateway"), ("database", "postgres")):
            groups[group] = lambda name=name: cpu_of(self._stack.pids[name])  # type: ignore[misc]
        return CpuMeter(groups)


def crowded(bench: Bench, *, rate: int, seconds: int, rounds: int) -> None:
    """Print how GET /user fares alone, and while sign-ins keep the hasher busy."""
    base = bench.through_the_gateway()
    reads, sign_ins = bench.reads(f"{base}/user"), bench.sign_ins(base)
    nothing = CpuMeter({})
    found: dict[str, list[Any]] = {"alone": [], "crowded": [], "signed in": []}
    for number in range(rounds + 1):
        alone = attack(reads, rate=rate, seconds=seconds, meter=nothing)
        with steady_attack(sign_ins, clients=SIGNING_IN) as crowd:
            attack(reads, rate=rate, seconds=1, meter=nothing)  # until they no longer come all at once
            busy = attack(reads, rate=rate, seconds=seconds, meter=nothing)
        if number:  # the first round warms up
            found["alone"].append(alone)
            found["crowded"].append(busy)
            found["signed in"].append(crowd.per_second)
    print(
        f"\n`GET /user` at {rate} per second, alone and while {SIGNING_IN} clients sign in without a pause\n"
    )
    print("| | p50 ms | p99 ms |")
    print("|---|---|---|")
    for name in ("alone", "crowded"):
        p50, p99 = (statistics.median(getattr(r, q) for r in found[name]) for q in ("p50", "p99"))
        print(f"| {name} | {p50:.2f} | {p99:.2f} |")
    ratios = [busy.p99 / alone.p99 for alone, busy in zip(found["alone"], found["crowded"], strict=True)]
    signed_in = statistics.median(found["signed in"])
    print(
        f"\np99 in the crowd: {statistics.median(ratios):.2f} times p99 alone; {signed_in:.0f} sign-ins a second."
    )


if __name__ == "__main__":
    main()
