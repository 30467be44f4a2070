"""What the OpenID Connect provider of this machine remembers, and the grants it gives."""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.core.util import create_half_hash

CODE_SECONDS = 60
TOKEN_SECONDS = 3600
CLAIMS_OF = {
    "email": {"email", "email_verified"},
    "profile": {"name", "given_name", "family_name", "picture", "preferred_username"},
}

SignIdToken = Callable[["Person", str, Mapping[str, Any]], str]


@dataclass
class Person:
    """Somebody with an account here; `claims` are what may be said of them."""

    sub: str
    claims: dict[str, Any]

    def info(self, scope: str) -> dict[str, Any]:
        """What a client with this scope may know; claims of no scope are for all."""
        granted = scope.split()
        hidden = {name for part, names in CLAIMS_OF.items() if part not in granted for name in names}
        return {"sub": self.sub, **{name: said for name, said in self.claims.items() if name not in hidden}}


@dataclass
class RegisteredClient:
    """The one client there is."""

    client_id: str
    client_secret: str
    redirect_uris: set[str]

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a client says where it wants the code."""

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or "openid"

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method in AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}


@dataclass
class Code:
    """What somebody allowed a client."""

    code: str
    person: Person
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    until: float = field(default_factory=lambda: time.monotonic() + CODE_SECONDS)

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Issued:
    """Tokens of a person, for the client."""

    person: Person
    scope: str
    until: float = field(default_factory=lambda: time.monotonic() + TOKEN_SECONDS)

    def get_scope(self) -> str:
        return self.scope

    def check_client(self, _client: RegisteredClient) -> bool:
        return True

    def is_expired(self) -> bool:
        return time.monotonic() > self.until

    def is_revoked(self) -> bool:
        return False


class Store:
    """Everything in memory; it ends with the provider."""

    def __init__(self, client: RegisteredClient) -> None:
        self.client = client
        self.people: dict[str, Person] = {}
        self.codes: dict[str, Code] = {}
        self.access_tokens: dict[str, Issued] = {}
        self.refresh_tokens: dict[str, Issued] = {}
        self.nonces: set[str] = set()

    def find_client(self, client_id: str) -> RegisteredClient | None:
        return self.client if client_id == self.client.client_id else None

    def person(self, hint: str | None) -> Person | None:
        """Whom `sub` or an address means; the first one where it says nothing."""
        if not hint:
            return next(iter(self.people.values()))
        return next((p for p in self.people.values() if hint in {p.sub, p.claims.get("email")}), None)

    def save_token(self, token: Mapping[str, Any], request: Any) -> None:
        issued = Issued(request.user, token["scope"])
        self.access_tokens[token["access_token"]] = issued
        if "refresh_token" in token:
            self.refresh_tokens[token["refresh_token"]] = issued


class CodeGrant(AuthorizationCodeGrant):
    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        saved = Code(
            code=code,
            person=request.user,
            redirect_uri=request.payload.redirect_uri,
            scope=request.scope,
            nonce=asked["nonce"],
            code_challenge=asked["code_challenge"],
            code_challenge_method=asked["code_challenge_method"],
        )
        self.server.store.codes[code] = saved
        self.server.store.nonces.add(saved.nonce)

    def query_authorization_code(self, code: str, _client: RegisteredClient) -> Code | None:
        """The code, which is gone from now on, whatever becomes of this request."""
        found: Code | None = self.server.store.codes.pop(code, None)
        return found if found and time.monotonic() < found.until else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It is gone already."""

    def authenticate_user(self, authorization_code: Code) -> Person:
        return authorization_code.person


class RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
        found: Issued | None = self.server.store.refresh_tokens.get(refresh_token)
        return found

    def authenticate_user(self, refresh_token: Issued) -> Person:
        return refresh_token.person

    def revoke_old_credential(self, refresh_token: Issued) -> None:
        """It stays good, as Google's do."""


class RequiredPkce(CodeChallenge):
    """Proof keys from everybody, and only those that reveal nothing."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or not asked.get("code_challenge_method"):
            raise InvalidRequestError("Missing 'code_challenge'")
        super().validate_code_challenge(grant, redirect_uri)


class IdTokens(OpenIDCode):
    """An ID token beside the access token; a nonce is demanded, and taken once."""

    def __init__(self, store: Store, *, sign: SignIdToken) -> None:
        super().__init__(require_nonce=True)
        self._store = store
        self._sign = sign

    def exists_nonce(self, nonce: str, _request: Any) -> bool:
        return nonce in self._store.nonces

    def encode_id_token(self, token: Mapping[str, Any], request: Any) -> str:
        half = create_half_hash(token["access_token"], "RS256")  # ES256 hashes alike
        said = {"nonce": request.authorization_code.nonce, "at_hash": half.decode()}
        return self._sign(request.user, token["scope"], said)


class Tokens(BearerTokenValidator):
    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def authenticate_token(self, token_string: str) -> Issued | None:
        return self._store.access_tokens.get(token_string)
