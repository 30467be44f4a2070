"""The limit of signing in: the same password hash, verified with nothing around it."""

import os
import statistics
import threading
import time

import argon2

from benchmarks.load import Result
from cas_auth.credentials.passwords import LANES, MEMORY_KIB, PASSES


def bare_argon2(rate: int | None, seconds: int) -> Result:
    """Verify `rate` hashes a second one after the other, or as many as fit on all cores."""
    hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
    stored = hasher.hash("secret")
    latencies: list[float] = []
    end = time.monotonic() + seconds

    def verify() -> None:
        while (began := time.monotonic()) < end:
            hasher.verify(stored, "secret")
            latencies.append((time.monotonic() - began) * 1000)
            if rate:
                time.sleep(max(0.0, began + 1 / rate - time.monotonic()))

    threads = [threading.Thread(target=verify) for _ in range(1 if rate else os.cpu_count() or 1)]
    spent = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.process_time() - spent
    return Result(
        per_second=len(latencies) / seconds,
        p50=statistics.median(latencies),
        p99=statistics.quantiles(latencies, n=100)[98],
        cpu={"service": spent * 1000 / len(latencies), "gateway": 0.0, "database": 0.0},
    )
