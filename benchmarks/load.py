"""Send requests at a fixed rate with vegeta, and read how much CPU each process spent on them."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"
TOOLS = Path(__file__).parents[1] / ".bench"


@dataclass(frozen=True, slots=True)
class Result:
    """What one attack showed; times in milliseconds, CPU in milliseconds per request."""

    requests: int
    p50: float
    p99: float
    cpu: Mapping[str, float]


@dataclass(slots=True)
class CpuMeter:
    """CPU spent by named groups of processes while a block runs."""

    groups: Mapping[str, Sequence[int]]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        before = {name: _cpu_seconds(pids) for name, pids in self.groups.items()}
        yield
        self.seconds = {name: _cpu_seconds(pids) - before[name] for name, pids in self.groups.items()}


def attack(targets: Sequence[Mapping[str, Any]], *, rate: int, seconds: int, meter: CpuMeter) -> Result:
    """Send `targets` in turn at `rate` per second.

    :param targets: method, url, and optionally header (name to list) and body (bytes)
    :raises RuntimeError: when an answer was not 2xx
    """
    lines = "\n".join(json.dumps(_vegeta_target(target)) for target in targets)
    command = [
        find_vegeta(), "attack", "-format=json", f"-rate={rate}", f"-duration={seconds}s", "-keepalive", "-timeout=10s",
    ]  # fmt: skip
    with meter.running():
        raw = subprocess.run(command, input=lines.encode(), capture_output=True, check=True).stdout
    report = json.loads(
        subprocess.run([find_vegeta(), "report", "-type=json"], input=raw, capture_output=True, check=True).stdout
    )
    if report["success"] < 1:
        raise RuntimeError(f"not every answer was 2xx: {report['status_codes']} {report['errors'][:3]}")
    return Result(
        requests=report["requests"],
        p50=report["latencies"]["50th"] / 1e6,
        p99=report["latencies"]["99th"] / 1e6,
        cpu={name: spent * 1000 / report["requests"] for name, spent in meter.seconds.items()},
    )


def find_vegeta() -> str:
    """The vegeta on PATH, else one built with the Go toolchain into .bench."""
    if found := shutil.which("vegeta", path=f"{TOOLS}") or shutil.which("vegeta"):
        return found
    if not shutil.which("go"):
        raise SystemExit("The benchmarks need vegeta (or Go, to build it).")
    print(f"building {VEGETA}")
    subprocess.run(["env", f"GOBIN={TOOLS}", "go", "install", VEGETA], check=True)  # noqa: S607
    return str(TOOLS / "vegeta")


def family(pid: int) -> list[int]:
    """A process and all its children."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def _cpu_seconds(pids: Sequence[int]) -> float:
    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _vegeta_target(target: Mapping[str, Any]) -> dict[str, Any]:
    body = base64.b64encode(target.get("body", b"")).decode()
    return {"method": target["method"], "url": target["url"], "header": target.get("header", {}), "body": body}
