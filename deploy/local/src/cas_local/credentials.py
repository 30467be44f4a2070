"""Random development secrets, made once and kept with the data they unlock."""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cas_local.services import Service

KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Every secret of one stack."""

    database_passwords: dict[str, str]
    keys: dict[str, dict[str, str]]


def load_credentials(path: Path, services: tuple[Service, ...]) -> Credentials:
    """Read the file and add what it lacks; only its owner can read it."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    passwords = known.get("database_passwords", {})
    keys = known.get("keys", {})
    credentials = Credentials(
        database_passwords={s.name: passwords.get(s.name) or secrets.token_urlsafe(24) for s in services},
        keys={s.name: {key: keys.get(s.name, {}).get(key) or _new_key() for key in s.keys} for s in services},
    )
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(vars(credentials), indent=2), encoding="utf-8")
    fresh.replace(path)
    return credentials


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
