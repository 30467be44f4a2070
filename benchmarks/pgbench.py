"""The limit: the same SQL by pgbench, with nothing in between."""

import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.load import CpuMeter, Result
from cas_local.postgres import libpq_url, postgres_binaries

CLIENTS = 4


def pgbench(script: str, url: str, *, rate: int, seconds: int, meter: CpuMeter) -> Result:
    """Run `script` as prepared statements at `rate` transactions per second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script)
        command = [
            str(postgres_binaries() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={path}",
            f"--client={CLIENTS}", f"--rate={rate}", f"--time={seconds}", "--log", f"--log-prefix={folder}/log",
            libpq_url(url),
        ]  # fmt: skip
        with meter.running():
            subprocess.run(command, check=True, capture_output=True)
        lines = [line.split() for log in Path(folder).glob("log.*") for line in log.read_text().splitlines()]
    # Third column: microseconds from the scheduled start; the last: how late the transaction started.
    latencies = [(int(line[2]) - int(line[6])) / 1000 for line in lines]
    return Result(
        requests=len(latencies),
        p50=statistics.median(latencies),
        p99=statistics.quantiles(latencies, n=100)[98],
        cpu=meter.per_request(len(latencies)),
    )
