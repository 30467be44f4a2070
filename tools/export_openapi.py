"""Write the OpenAPI document of every service to docs/api, or with --check say which files are out of date."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

SERVICES = ("auth", "account", "onboarding", "listings")
FOLDER = Path(__file__).parents[1] / "docs" / "api"
# Nothing is contacted: these only let the settings be read.
SETTINGS = {
    "ENVIRONMENT": "test",
    "REST_PORT": "0",
    "GRPC_PORT": "0",
    "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1/none",
    "REDIS_URL": "redis://127.0.0.1",
    "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "AUTH_GRPC": "127.0.0.1:1",
    "ACCOUNT_GRPC": "127.0.0.1:1",
    "ONBOARDING_GRPC": "127.0.0.1:1",
    "LISTINGS_GRPC": "127.0.0.1:1",
    "HEALTH_AUTH_URL": "http://127.0.0.1:1",
    "HEALTH_ONBOARDING_URL": "http://127.0.0.1:1",
    "HEALTH_LISTINGS_URL": "http://127.0.0.1:1",
    "STORAGE_URL": Path(tempfile.gettempdir()).as_uri(),
    "LOG_LEVEL": "ERROR",
}


def main() -> None:
    """Export, or compare when called with --check."""
    check = "--check" in sys.argv
    stale = [service for service in SERVICES if not _export(service, check=check)]
    if stale:
        sys.exit(f"docs/api is out of date for {', '.join(stale)}: run `make openapi`")


def _export(service: str, *, check: bool) -> bool:
    path = FOLDER / f"{service}.json"
    document = _document(service)
    if check:
        return path.exists() and path.read_text() == document
    FOLDER.mkdir(exist_ok=True)
    path.write_text(document)
    return True


def _document(service: str) -> str:
    environment = {f"CAS_{service.upper()}_{name}": value for name, value in SETTINGS.items()}
    return subprocess.run(
        [Path(sys.executable).parent / f"cas-{service}", "openapi"],
        env={"PATH": os.environ["PATH"], **environment},  # noqa: TID251
        capture_output=True,
        text=True,
        check=True,
    ).stdout


if __name__ == "__main__":
    main()
