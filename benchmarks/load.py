"""Send requests with vegeta, and read how much CPU each process spent on them."""

import base64
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"
CLIENTS = 8  # enough to keep one process of one core busy
TOOLS = Path(__file__).parents[1] / ".bench"


@dataclass(frozen=True, slots=True)
class Target:
    """One request."""

    method: str
    url: str
    header: Mapping[str, list[str]]
    body: bytes = b""

    def line(self) -> str:
        """As vegeta reads it."""
        body = base64.b64encode(self.body).decode()
        return json.dumps({"method": self.method, "url": self.url, "header": self.header, "body": body})


@dataclass(frozen=True, slots=True)
class Result:
    """What one measurement showed: latencies in milliseconds, CPU milliseconds per request by group of processes."""

    per_second: float
    p50: float
    p99: float
    cpu: Mapping[str, float]


@dataclass(slots=True)
class CpuMeter:
    """CPU seconds that groups of processes spend while a block runs."""

    groups: Mapping[str, Callable[[], float]]
    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure this block."""
        before = {name: read() for name, read in self.groups.items()}
        yield
        self.spent = {name: read() - before[name] for name, read in self.groups.items()}

    def per_request(self, requests: int) -> dict[str, float]:
        """Milliseconds of the last block for each of its requests."""
        return {name: seconds * 1000 / requests for name, seconds in self.spent.items()}


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, its children and those of its children that have ended."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended: counted with its parent's from now on
            times = child.cpu_times()
            total += times.user + times.system
    return total


def attack(targets: Sequence[Target], *, rate: int | None, seconds: int, meter: CpuMeter) -> Result:
    """Send `targets` in turn.

    :param rate: requests per second; None for as many as `CLIENTS` get answered that wait for each answer.
    :raises RuntimeError: an answer was not 2xx.
    """
    vegeta = find_vegeta()
    pace = [f"-rate={rate}"] if rate else ["-rate=0", f"-max-workers={CLIENTS}"]
    command = [vegeta, "attack", "-format=json", *pace, f"-duration={seconds}s", "-timeout=10s"]
    lines = "".join(target.line() + "\n" for target in targets).encode()
    with meter.running():
        raw = subprocess.run(command, input=lines, capture_output=True, check=True).stdout
    report = _report(raw)
    return Result(
        per_second=report["throughput"],
        p50=report["latencies"]["50th"] / 1e6,
        p99=report["latencies"]["99th"] / 1e6,
        cpu=meter.per_request(report["requests"]),
    )


def _report(results: bytes) -> dict[str, Any]:
    """What vegeta says of these results.

    :raises RuntimeError: an answer was not 2xx.
    """
    command = [find_vegeta(), "report", "-type=json"]
    rendered = subprocess.run(command, input=results, capture_output=True, check=True)
    report: dict[str, Any] = json.loads(rendered.stdout)
    if report["success"] < 1:
        raise RuntimeError(f"not every answer was 2xx: {report['status_codes']} {report['errors'][:3]}")
    return report


@dataclass(slots=True)
class Crowd:
    """What a steady attack showed once it is over."""

    per_second: float = 0.0


@contextmanager
def steady_attack(targets: Sequence[Target], *, clients: int) -> Iterator[Crowd]:
    """Keep `clients` sending `targets` without a pause for as long as the block runs.

    :raises RuntimeError: an answer was not 2xx.
    """
    vegeta, crowd = find_vegeta(), Crowd()
    command = [vegeta, "attack", "-format=json", "-rate=0", f"-max-workers={clients}", "-timeout=10s"]
    with tempfile.TemporaryDirectory() as folder:
        lines, results = Path(folder) / "targets", Path(folder) / "results"
        lines.write_text("".join(target.line() + "\n" for target in targets))
        process = subprocess.Popen([*command, f"-targets={lines}", f"-output={results}"])
        try:
            yield crowd
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        report = _report(results.read_bytes())
    crowd.per_second = report["throughput"]


def find_vegeta() -> str:
    """The vegeta on PATH, else one that Go builds into .bench."""
    if found := shutil.which("vegeta") or shutil.which("vegeta", path=str(TOOLS)):
        return found
    if not shutil.which("go"):
        raise SystemExit("The benchmarks need vegeta on PATH, or Go to build it.")
    print(f"building {VEGETA}")
    subprocess.run(["env", f"GOBIN={TOOLS}", "go", "install", VEGETA], check=True)
    return str(TOOLS / "vegeta")


def wait_for(url: str, *, within: float = 30.0) -> None:
    """Wait until `url` answers.

    :raises TimeoutError: it did not.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(url)
