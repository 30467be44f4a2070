"""Each import contract fails when it is broken: a rule nobody has seen fail may check nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "cas_kit": "libs/kit",
    "cas_taxonomy": "libs/taxonomy",
    "cas_fields": "libs/fields",
    "cas_auth": "services/auth",
    "cas_account": "services/account",
    "cas_onboarding": "services/onboarding",
    "cas_listings": "services/listings",
}
VIOLATIONS = {
    "No service imports another": ("cas_onboarding/clients.py", "import cas_account.domain"),
    "The kit knows no service and no proto": ("cas_kit/errors.py", "import cas.auth.v1.auth_pb2"),
    "A request flows one way": ("cas_account/repository.py", "import cas_account.operations"),
    "Rules know no framework": ("cas_auth/domain/__init__.py", "import sqlalchemy"),
    "Protobuf ends in rpc and clients": ("cas_account/main.py", "import cas.account.v1.account_pb2"),
}


@pytest.fixture
def sources(tmp_path):
    for package, folder in SOURCES.items():
        shutil.copytree(ROOT / folder / "src" / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    return subprocess.run(
        [sys.executable, "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )


def append(path: Path, line: str) -> None:
    if not path.exists():  # a module where the original has a package, or the reverse
        path = (
            path.parent.with_suffix(".py")
            if path.name == "__init__.py"
            else path.with_suffix("") / "__init__.py"
        )
    path.write_text(path.read_text() + f"\n{line}\n")


def test_the_tree_keeps_every_contract(sources):
    result = lint(sources)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("contract", "violation"), VIOLATIONS.items(), ids=VIOLATIONS)
def test_a_violation_is_found(sources, contract, violation):
    module, line = violation
    append(sources / module, line)
    result = lint(sources)
    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout


def test_a_module_without_a_role_is_found(sources):
    (sources / "cas_account" / "utils.py").write_text('"""Everything else."""\n')
    assert lint(sources).returncode == 1
