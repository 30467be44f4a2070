"""An OpenID Connect provider on this machine, in place of Google: asks people nothing, is strict with clients.

`python -m cas_local.oidc_provider` runs one; docs/sign-in-with-google.md says what to tell the auth service.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

from cas_local.oidc_grants import (
    CodeGrant,
    IdTokens,
    Person,
    RefreshGrant,
    RegisteredClient,
    RequiredPkce,
    Store,
    Tokens,
)
from cas_local.ports import HOST

CLIENT_ID = "cas"
CLIENT_SECRET = "only-on-this-machine"  # noqa: S105  of a provider that knows nobody real
CALLBACK = "http://localhost:8000/auth/v1/callback"
PORT = 8090
ID_TOKEN_SECONDS = 3600
POLL_SECONDS = 0.01
ADA: Mapping[str, Any] = {
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "picture": "https://example.com/ada.png",
}


class OidcProvider:
    """Discovery, authorization code with PKCE, refresh tokens, userinfo and JWKS, on a port of its own.

    Whoever comes to `/authorize` is signed in at once: as the person whose `sub` or address `login_hint` names, else as
    the first one; `consent=refused` turns the client away. The client has to send its secret, a registered redirect
    address, an S256 challenge and a fresh nonce. A context manager; it serves from the moment it is made.

    :param port: 0 takes a free one
    :param algorithm: RS256 or ES256
    """

    def __init__(
        self,
        *,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        redirect_uris: Iterable[str] = (CALLBACK,),
        port: int = 0,
        algorithm: str = "RS256",
    ) -> None:
        self.client = RegisteredClient(client_id, client_secret, set(redirect_uris))
        self.store = Store(self.client)
        self.algorithm = algorithm
        self.key = _new_key(algorithm)
        self.claims_in_id_token = True
        # What ID tokens say instead of the truth; None leaves a claim out.
        self.overrides: dict[str, Any] = {}
        self.asked: list[str] = []
        self.add_person("ada", **ADA)
        self._server = make_server(HOST, port, _app(self), threaded=True, request_handler=_Quiet)
        self.issuer = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,))
        self._thread.start()

    def add_person(self, sub: str, /, **claims: Any) -> Person:
        """Somebody who has an account here; the same `sub` again changes what is said of them."""
        person = Person(sub, claims)
        self.store.people[sub] = person
        return person

    def id_token(self, sub: str = "ada", /, *, audience: str | list[str] | None = None, **claims: Any) -> str:
        """An ID token as an app gets it that asks this provider itself; `claims` replace or, when None, remove."""
        person = self.store.people[sub]
        return self.sign({**self.standard_claims(audience), **person.info("openid email profile"), **claims})

    def standard_claims(self, audience: str | list[str] | None = None) -> dict[str, Any]:
        """Who says something to whom, and when."""
        now = int(time.time())
        audience = self.client.client_id if audience is None else audience
        return {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + ID_TOKEN_SECONDS}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token with these claims, of this provider's key."""
        said = {name: value for name, value in claims.items() if value is not None}
        signed: str = jwt.encode(
            {"alg": self.algorithm, "kid": self.key.kid, **header}, said, self.key, [self.algorithm]
        )
        return signed

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish no other."""
        self.key = _new_key(self.algorithm)

    def close(self) -> None:
        """Stop serving; harmless when it stopped before."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Not into the output of tests."""


def _new_key(algorithm: str) -> RSAKey | ECKey:
    parameters: KeyParameters = {"use": "sig", "alg": algorithm}
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", parameters=parameters, auto_kid=True)
    return RSAKey.generate_key(2048, parameters=parameters, auto_kid=True)


def _app(provider: OidcProvider) -> Flask:
    app = Flask(__name__)
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    endpoints = _Endpoints(provider, app)
    app.before_request(lambda: provider.asked.append(request.path))
    app.add_url_rule("/.well-known/openid-configuration", view_func=endpoints.discovery)
    app.add_url_rule("/jwks", view_func=endpoints.jwks)
    app.add_url_rule("/authorize", view_func=endpoints.authorize)
    app.add_url_rule("/token", view_func=endpoints.token, methods=["POST"])
    app.add_url_rule("/userinfo", view_func=endpoints.userinfo)
    app.add_url_rule("/people/<sub>", view_func=endpoints.add_person, methods=["PUT"])
    return app


class _Endpoints:
    def __init__(self, provider: OidcProvider, app: Flask) -> None:
        self._provider = provider
        self._store = provider.store
        self._server = AuthorizationServer(
            app, query_client=self._store.find_client, save_token=self._store.save_token
        )
        self._server.store = self._store
        self._server.register_grant(
            CodeGrant,
            [RequiredPkce(), IdTokens(self._store, sign=lambda *about: _id_token(provider, *about))],
        )
        self._server.register_grant(RefreshGrant)
        self._protected = ResourceProtector()
        self._protected.register_token_validator(Tokens(self._store))

    def discovery(self) -> Response:
        return jsonify(_metadata(self._provider))

    def jwks(self) -> Response:
        return jsonify({"keys": [self._provider.key.as_dict(private=False)]})

    def authorize(self) -> Response:
        person = self._store.person(request.args.get("login_hint"))
        try:
            grant = self._server.get_consent_grant(end_user=person)
        except OAuth2Error as error:
            return _refused(error)
        allowed = person if request.args.get("consent") != "refused" else None
        answer: Response = self._server.create_authorization_response(grant_user=allowed, grant=grant)
        return answer

    def token(self) -> Response:
        answer: Response = self._server.create_token_response()
        return answer

    def userinfo(self) -> Response:
        with self._protected.acquire("openid") as used:
            return jsonify(used.person.info(used.scope))

    def add_person(self, sub: str) -> Response:
        return jsonify(self._provider.add_person(sub, **request.get_json()).claims)


def _refused(error: OAuth2Error) -> Response:
    """Back to the client where its address is known to be its own, else to whoever is sitting there."""
    if error.redirect_uri:
        _, _, headers = error()
        return redirect(dict(headers)["Location"])  # type: ignore[return-value]
    answer = jsonify(dict(error.get_body()))
    answer.status_code = error.status_code
    return answer


def _metadata(provider: OidcProvider) -> dict[str, Any]:
    issuer = provider.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [provider.algorithm],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }


def _id_token(provider: OidcProvider, person: Person, scope: str, more: Mapping[str, Any]) -> str:
    said = person.info(scope) if provider.claims_in_id_token else {"sub": person.sub}
    return provider.sign({**provider.standard_claims(), **said, **more, **provider.overrides})


def main() -> None:
    """Run a provider until interrupted, and print the settings of the auth service that use it."""
    parser = argparse.ArgumentParser(prog="python -m cas_local.oidc_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--callback", default=CALLBACK, help="the auth service's <issuer>/callback")
    options = parser.parse_args()
    with OidcProvider(port=options.port, redirect_uris=[options.callback]) as provider:
        settings = {"ISSUER": provider.issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        for name, value in settings.items():
            print(f"export CAS_AUTH_GOOGLE_{name}={value}", flush=True)
        print(
            f"# people: {json.dumps({sub: p.claims for sub, p in provider.store.people.items()})}", flush=True
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("Stopped.", flush=True)


if __name__ == "__main__":
    main()
