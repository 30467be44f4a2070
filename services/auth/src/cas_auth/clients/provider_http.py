"""Ask a provider over HTTP: within limits of time and size, at the address that was meant and no other."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

ANSWER_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A JSON object that a provider answered, whatever the status."""

    status: int
    document: Mapping[str, Any]

    @property
    def is_success(self) -> bool:
        """Whether the provider did what it was asked."""
        return httpx.codes.is_success(self.status)


class ProviderHttp:
    """Never follows a redirect. Never call it inside a transaction.

    Every method raises `httpx.HTTPError` when there is no answer, and `ValueError` when it is too long or no object.
    """

    def __init__(self, *, patience: timedelta = timedelta(seconds=4)) -> None:
        self._patience = patience.total_seconds()
        self._tls = httpx.create_ssl_context()

    def get(self, url: str, *, bearer: str | None = None) -> ProviderAnswer:
        """The answer to a question, asked in the name of whoever the token stands for."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self._ask(httpx.Request("GET", url, headers=headers))

    def get_document(self, url: str) -> Mapping[str, Any]:
        """What lies at an address."""
        answer = self.get(url)
        if not answer.is_success:
            raise ValueError(f"status {answer.status}")
        return answer.document

    def post(
        self, url: str, *, form: Mapping[str, str], basic: tuple[str, str] | None = None
    ) -> ProviderAnswer:
        """The answer to a form, sent in the name of whoever `basic` is the name and password of."""
        request = httpx.Request("POST", url, data=form)
        if basic is not None:
            request = next(httpx.BasicAuth(*basic).auth_flow(request))
        return self._ask(request)

    def _ask(self, request: httpx.Request) -> ProviderAnswer:
        request.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        try:
            return asyncio.run(self._answer(request))
        except TimeoutError as error:
            raise httpx.ReadTimeout("no answer in time", request=request) from error

    async def _answer(self, request: httpx.Request) -> ProviderAnswer:
        """Asynchronous because only so can all of a request be given a time limit."""
        async with (
            asyncio.timeout(self._patience),
            httpx.AsyncClient(verify=self._tls, timeout=self._patience) as client,
        ):
            answer = await client.send(request, stream=True)
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > ANSWER_MAX_BYTES:
                    raise ValueError("the answer is too long")
        return ProviderAnswer(answer.status_code, _object(body))


def _object(body: bytearray) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content
