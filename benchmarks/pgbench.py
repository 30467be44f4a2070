"""The limit: the same SQL by pgbench, with nothing in between."""

import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.load import CLIENTS, CpuMeter, Result
from cas_local.postgres import libpq_url, postgres_binaries


def pgbench(script: str, url: str, *, rate: int | None, seconds: int, meter: CpuMeter) -> Result:
    """Run `script` as prepared statements, `rate` transactions per second or as fast as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script)
        pace = [f"--rate={rate}"] if rate else []
        command = [
            str(postgres_binaries() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={path}",
            f"--client={CLIENTS}", *pace, f"--time={seconds}", "--log", f"--log-prefix={folder}/log",
            libpq_url(url),
        ]  # fmt: skip
        with meter.running():
            subprocess.run(command, check=True, capture_output=True)
        lines = [line.split() for log in Path(folder).glob("log.*") for line in log.read_text().splitlines()]
    # Third column: microseconds from the scheduled start; with a rate, the last: how late the transaction started.
    latencies = [(int(line[2]) - (int(line[6]) if rate else 0)) / 1000 for line in lines]
    return Result(
        per_second=len(latencies) / seconds,
        p50=statistics.median(latencies),
        p99=statistics.quantiles(latencies, n=100)[98],
        cpu=meter.per_request(len(latencies)),
    )
