"""Ask a program of the operator: HTTP hooks, signed as Standard Webhooks (docs/spec/auth-protocol.md 4).

What is sent, by hook:

- before-user-created: `{metadata: {uuid, time, ip_address, name}, user}`; an answer without an error lets it happen.
- customize-access-token: `{metadata, user_id, claims, authentication_method}`; the answer is `{claims}`.
- send-email: `{metadata, user, email_data: {token, token_hash, redirect_to, email_action_type, site_url, token_new,
  token_hash_new}}`; any answer without an error means that the mail is taken care of.
"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import structlog
from pydantic import SecretStr
from standardwebhooks import Webhook

from cas_auth.domain.refusals import (
    HookAnswerNotJson,
    HookAnswerTooLarge,
    HookFailed,
    HookRefused,
    HookTimedOut,
    HookUnreachable,
)

TIME_LIMIT = 5.0  # seconds for all tries together: somebody may be waiting
TRIES = 3
PAUSE = 0.2  # seconds between tries
ANSWER_LIMIT = 200 * 1024
TRY_AGAIN = {429, 503}
TAKEN = {200, 202, 204}

log = structlog.get_logger(__name__)


class Hook:
    """One hook: where it is, and the secrets that prove that we ask.

    :param secrets: `v1,whsec_<base64>`, several separated by `|` or spaces while one replaces another.
    :raises ValueError: a secret is missing or is none.
    """

    def __init__(self, *, name: str, url: str, secrets: SecretStr) -> None:
        self._name = name
        self._url = url
        self._signers = _signers(secrets)
        self._http = httpx.Client(headers={"Accept-Encoding": "identity"})

    def call(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The hook's answer; empty where it has nothing to say. Not inside a transaction: this takes up to 5 s.

        The hook may be asked twice; its `webhook-id` is then the same.

        :raises HookRefused: the hook says no, in its own words.
        :raises HookTimedOut: there was no answer in 5 s.
        :raises HookUnreachable: nobody took the request, three times.
        :raises HookAnswerTooLarge, HookAnswerNotJson, HookFailed: the hook is broken.
        """
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        deadline = time.monotonic() + TIME_LIMIT
        message_id = f"msg_{uuid4().hex}"
        for number in range(1, TRIES + 1):
            answer = self._try(body, message_id=message_id, deadline=deadline)
            if answer is not None:
                return answer
            log.warning("hook_not_taken", hook=self._name, attempt=number)
            if number < TRIES:
                time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))
        raise HookUnreachable

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _try(self, body: str, *, message_id: str, deadline: float) -> dict[str, Any] | None:
        """None when another try may help."""
        try:
            with self._http.stream(
                "POST",
                self._url,
                content=body.encode(),
                headers=self._signed(body, message_id=message_id),
                timeout=_left(deadline),
            ) as response:
                if response.status_code in TRY_AGAIN:
                    return None
                return _read(response, deadline=deadline)
        except httpx.TransportError:
            _left(deadline)
            return None

    def _signed(self, body: str, *, message_id: str) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(message_id, now, body) for signer in self._signers),
        }


def _signers(secrets: SecretStr) -> list[Webhook]:
    words = secrets.get_secret_value().replace("|", " ").split()
    if not words:
        raise ValueError("a hook needs a secret")
    try:
        return [Webhook(word.removeprefix("v1,")) for word in words]
    except Exception as error:
        raise ValueError("a hook's secret is written v1,whsec_<base64>") from error


def _left(deadline: float) -> float:
    """Seconds left.

    :raises HookTimedOut: none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise HookTimedOut
    return left


def _read(response: httpx.Response, *, deadline: float) -> dict[str, Any]:
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        _left(deadline)
        if len(content) > ANSWER_LIMIT:
            raise HookAnswerTooLarge(f"Payload size exceeded size limit of {ANSWER_LIMIT} bytes")
    answer = _parsed(response, bytes(content))
    _refuse(answer.get("error"))
    if response.status_code not in TAKEN:
        raise HookFailed(f"Unexpected status code returned from hook: {response.status_code}")
    return answer


def _parsed(response: httpx.Response, content: bytes) -> dict[str, Any]:
    if not content:
        return {}
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        if response.status_code not in TAKEN:
            return {}
        raise HookAnswerNotJson
    try:
        answer = json.loads(content)
        # Half a character is JSON, but nothing that can be sent on.
        json.dumps(answer, ensure_ascii=False).encode()
    except ValueError as error:
        raise HookFailed("Error unmarshaling JSON output.") from error
    if not isinstance(answer, dict):
        raise HookFailed("Error unmarshaling JSON output.")
    return answer


def _refuse(error: object) -> None:
    """:raises HookRefused, HookFailed: the hook sent `{http_code, message}` as its error."""
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not error["message"]:
        return
    status = error.get("http_code")
    if isinstance(status, int) and status in range(400, 500):
        raise HookRefused(error["message"], status=status)
    raise HookFailed(error["message"])
