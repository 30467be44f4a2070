"""`cas-auth keys` on the command line: what it says, and what it refuses."""

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm
from sqlalchemy import text

from cas_auth.commands.tokens import SERVICE_TOKEN

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbooks" / "rotate-signing-keys.md"
SECRET = "a secret that this installation shared with its services"
PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
NUMBERED_JWK = json.dumps(
    ECAlgorithm.to_jwk(ec.derive_private_key(7, ec.SECP256R1()), as_dict=True) | {"kid": 7}
)


@dataclass
class Run:
    """One run of the command line."""

    status: int
    lines: list[str]
    complaint: str


@pytest.fixture
def cas_auth(settings, database):
    def run(*words, stdin="", **environment):
        command = [sys.executable, "-c", "from cas_auth.main import main; main()", *words]
        done = subprocess.run(
            command,
            check=False,
            env={
                "CAS_AUTH_ENVIRONMENT": "test",
                "CAS_AUTH_DATABASE_URL": settings.database_url.get_secret_value(),
                "CAS_AUTH_REDIS_URL": str(settings.redis_url),
                "CAS_AUTH_ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
                "CAS_AUTH_LOG_LEVEL": "ERROR",
                **environment,
            },
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr
        return Run(done.returncode, done.stdout.splitlines(), done.stderr.strip())

    return run


@pytest.fixture
def states(cas_auth):
    """The state and algorithm of every key, as `list` prints them."""
    return lambda: sorted(line.split()[1:3] for line in cas_auth("keys", "list").lines)


@pytest.fixture
def ripe(cas_auth, database):
    """Let a minute pass for the keys."""

    def age():
        with database.transaction() as session:
            session.execute(text("UPDATE signing_keys SET state_since = state_since - interval '1 minute'"))

    cas_auth("keys", "list")
    age()
    return age


def test_rotates_only_when_everybody_knows_the_next_key_or_when_forced(cas_auth, states, ripe):
    assert states() == [["current", "ES256"], ["standby", "ES256"]]
    refused = cas_auth("keys", "rotate")
    assert refused.status == 1
    assert refused.complaint.startswith("The standby key was published a short while ago")
    done = cas_auth("keys", "rotate", "--force", "--algorithm", "RS256")
    assert [line.split()[0] for line in done.lines] == ["current", "previous", "standby"]
    assert states() == [["current", "ES256"], ["previous", "ES256"], ["standby", "RS256"]]
    previous = done.lines[1].split()[1]
    assert cas_auth("keys", "revoke", previous).lines == [f"revoked  {previous}"]
    assert "may sign from 20" in "\n".join(cas_auth("keys", "list").lines)


def test_imports_keys_and_secrets_from_standard_input(cas_auth, states):
    assert cas_auth("keys", "import", "--kid", "theirs", stdin=PEM).lines == ["previous  theirs"]
    imported = cas_auth("keys", "import", "--hs256", "--state", "current", stdin=SECRET + "\n")
    assert imported.lines[0].startswith("current  ")
    assert states() == [
        ["current", "HS256"], ["previous", "ES256"], ["previous", "RS256"], ["standby", "ES256"],
    ]  # fmt: skip
    token = cas_auth("service-token").lines[0]
    assert jwt.decode(token, SECRET, ["HS256"], audience="authenticated")["role"] == "service_role"
    assert "signed a service token until 20" in "\n".join(cas_auth("keys", "list").lines)


def test_the_runbook_revokes_the_key_that_signed(cas_auth, ripe, tmp_path):
    """Also when another one was imported later."""
    [exposed] = [line.split()[0] for line in cas_auth("keys", "list").lines if " current " in line]
    cas_auth("keys", "import", "--kid", "elsewhere-2024", stdin=PEM)
    ripe()
    section = RUNBOOK.read_text().partition("## When a key is no longer secret")[2]
    rotate, revoke = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[:2]
    (tmp_path / "rotation.txt").write_text("\n".join(cas_auth(*rotate.partition("|")[0].split()[1:]).lines))
    chosen = re.search(r"\$\((.*)\)", revoke)[1]
    kid = subprocess.run(["bash", "-c", chosen], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert kid.stdout.strip() == exposed
    assert cas_auth("keys", "revoke", exposed).status == 0


@pytest.mark.parametrize(
    ("words", "stdin", "complaint"),
    [
        (["import"], "nonsense", "The key was not imported: this is neither a PEM file nor a JWK."),
        (["import", "--hs256"], "short", "The key was not imported: an HS256 secret has at least 32 bytes."),
        (["import", "--hs256", "--state", "standby"], SECRET, "A secret is never published"),
        (["import"], NUMBERED_JWK, "The key was not imported: the kid of a JWK is text."),
        (["revoke", "nobody's"], "", "There is no signing key of this id."),
    ],
)
def test_refuses_what_makes_no_sense_and_quotes_nothing_secret(cas_auth, words, stdin, complaint):
    refused = cas_auth("keys", *words, stdin=stdin)
    assert refused.status == 1
    assert refused.complaint.startswith(complaint)
    assert not stdin or stdin not in refused.complaint + "".join(refused.lines)


@pytest.mark.parametrize("days", ["-5", "0", "3651", "99999999", "x"])
def test_gives_no_token_for_a_time_that_makes_no_sense(capsys, days):
    parser = argparse.ArgumentParser()
    SERVICE_TOKEN.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--days", days])
    assert "--days" in capsys.readouterr().err


def test_gives_no_token_that_administers_nobody(settings):
    with pytest.raises(SystemExit, match="choose one of service_role, supabase_admin"):
        SERVICE_TOKEN.run(settings, argparse.Namespace(role="nope", days=1))


def test_the_runbook_makes_room_for_another_encryption_key(cas_auth, database):
    cas_auth("keys", "list")
    section = RUNBOOK.read_text().partition("## When the encryption key is known to others")[2]
    [statements] = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    with database.transaction() as session:
        for statement in statements.split(";")[:-1]:
            session.execute(text(statement))
    started = cas_auth("keys", "list", CAS_AUTH_ENCRYPTION_KEY="A" * 43 + "=")
    assert [line.split()[1] for line in started.lines] == ["current", "standby"]


def test_says_that_the_encryption_key_is_another_one(cas_auth):
    cas_auth("keys", "list")
    refused = cas_auth("keys", "list", CAS_AUTH_ENCRYPTION_KEY="A" * 43 + "=")
    assert (refused.status, refused.lines) == (1, [])
    assert "CAS_AUTH_ENCRYPTION_KEY is not the key" in refused.complaint
