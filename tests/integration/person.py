"""A person in front of the web application: what the browser would send, through the gateway."""

import base64
import json
from typing import Any, Self
from uuid import uuid4

import httpx

PASSWORD = "correct horse battery staple"


class Person:
    """Keeps a session like supabase-js does and calls the API with it."""

    def __init__(self, base_url: str, *, email: str) -> None:
        self.email = email
        self.http = httpx.Client(base_url=base_url, timeout=15)
        self.session: dict[str, Any] = {}

    @classmethod
    def sign_up(cls, base_url: str, *, name: str, **fields: Any) -> Self:
        person = cls(base_url, email=f"{uuid4().hex}@example.com")
        answer = person.http.post(
            "/auth/v1/signup",
            json={**fields, "email": person.email, "password": PASSWORD, "data": {"full_name": name}},
        )
        assert answer.status_code == 200, answer.text
        person._keep(answer.json())
        return person

    @property
    def id(self) -> str:
        return str(self.session["user"]["id"])

    @property
    def claims(self) -> dict[str, Any]:
        payload = self.session["access_token"].split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
        return claims

    def refresh(self) -> None:
        answer = self.http.post(
            "/auth/v1/token",
            params={"grant_type": "refresh_token"},
            json={"refresh_token": self.session["refresh_token"]},
        )
        assert answer.status_code == 200, answer.text
        self._keep(answer.json())

    def sign_in(self) -> bool:
        """Come again; false when there is no such person, address or password any more."""
        answer = self.http.post(
            "/auth/v1/token",
            params={"grant_type": "password"},
            json={"email": self.email, "password": PASSWORD},
        )
        if answer.is_success:
            self._keep(answer.json())
        return answer.is_success

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def save(self, step: int, role: str, data: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Auto-save one wizard step; the answer must be 200."""
        answer = self.save_raw({"step": step, "role_type": role, "data": data, **fields})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def save_raw(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        return self.http.post("/api/onboarding/save-progress", json=body, headers=headers)

    def close(self) -> None:
        self.http.close()

    def _keep(self, session: dict[str, Any]) -> None:
        self.session = session
        self.http.headers["Authorization"] = f"Bearer {session['access_token']}"
