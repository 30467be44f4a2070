"""As much of Kong as the plugins see: its PDK with the rule which phase may do what, and its jwt plugin."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from lupa.luajit21 import LuaRuntime

PLUGINS = Path(__file__).parents[1] / "plugins"

Headers = dict[str, list[str]]


class Exit(Exception):
    """kong.response.exit: the request ends here."""

    def __init__(self, status: int) -> None:
        self.status = status


@dataclass
class Exchange:
    """One request and its answer, as Kong holds them. Header names are in lower case."""

    request: Headers
    path: str = "/api/profile"
    peer: str = "198.51.100.7"
    client: str = "198.51.100.7"
    trusted: bool = False
    phase: str = ""
    status: int = 200
    source: str = "service"
    response: Headers = field(default_factory=dict)
    body: str | None = None
    consumer: str | None = None


class Kong:
    """A Lua state with our plugins, handling one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        # Latin-1 gives every byte of a Lua string one character.
        self.lua = LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
        self.exchange = exchange
        self.contexts = {plugin.name: self.table({}) for plugin in PLUGINS.iterdir()}
        self.lua.globals().ngx = self.table({"decode_base64": decode_base64, "sha1_bin": sha1_bin})
        self.lua.globals().kong = self._pdk()
        package = self.lua.globals().package
        package.loaded["cjson.safe"] = self.table({"decode": self._decode_json, "encode": encode_json})
        for file in PLUGINS.glob("*/*.lua"):
            module = f"kong.plugins.{file.parent.name}.{file.stem}"
            package.preload[module] = self.lua.eval(f"function() {file.read_text()} end")

    def run(self, plugin: str, phase: str, config: object = None) -> None:
        """Let a plugin have one phase.

        :raises Exit: it ended the request.
        """
        self.exchange.phase = phase
        self.lua.globals().kong.ctx.plugin = self.contexts[plugin]
        handler = self.lua.eval(f"require 'kong.plugins.{plugin}.handler'")
        handler[phase](handler, self.table(config or {}))

    def table(self, value: Any) -> Any:
        """Python's value as Lua's; a null is not nil, as with cjson."""
        match value:
            case dict():
                return self.lua.table_from({key: self.table(each) for key, each in value.items()})
            case list():
                return self.lua.table_from([self.table(each) for each in value])
            case None:
                return NULL
        return value

    def _decode_json(self, text: str) -> Any:
        """Numbers are doubles, as with cjson, and it goes no deeper than a thousand levels."""
        try:
            return self.table(_utf8(json.loads(text.encode("latin-1"), parse_int=float)))
        except (ValueError, RecursionError):
            return None

    def _pdk(self) -> Any:
        """Each function only in the phases Kong allows it in."""
        exchange, before, after = self.exchange, {"rewrite", "access"}, {"header_filter", "body_filter"}
        functions: dict[str, tuple[set[str], Callable[..., Any]]] = {
            "request.get_headers": (before, self._request_headers),
            "request.get_header": (before | after, lambda name: first(exchange.request, name)),
            "request.get_id": (before | after, lambda: "0" * 32),
            "request.get_path": (before | after, lambda: exchange.path),
            "service.request.set_header": (before, self._set_request_header),
            "service.request.set_headers": (before, self._set_request_headers),
            "service.request.clear_header": (before, lambda name: exchange.request.pop(name.lower(), None)),
            "response.exit": (before, self._exit),
            "response.get_source": (after, lambda: exchange.source),
            "response.get_status": (after, lambda: exchange.status),
            "response.get_header": (after, lambda name: first(exchange.response, name)),
            "response.set_header": (before | {"header_filter"}, self._set_response_header),
            "response.set_raw_body": ({"body_filter"}, self._add_body),
            "client.get_consumer": ({"access"}, self._consumer),
            "client.get_ip": (before, lambda: exchange.peer),
            "client.get_forwarded_ip": (before, lambda: exchange.client),
            "ip.is_trusted": (before, lambda address: exchange.trusted and address == exchange.peer),
        }
        pdk: dict[str, Any] = {"ctx": {"shared": {}}}
        for name, (phases, function) in functions.items():
            *modules, last = name.split(".")
            table = pdk
            for module in modules:
                table = table.setdefault(module, {})
            table[last] = self._only_in(phases, function)
        return self.table(pdk)

    def _only_in(self, phases: set[str], function: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any) -> Any:
            assert self.exchange.phase in phases, f"Kong refuses this in {self.exchange.phase}"
            return function(*arguments)

        return checked

    def _request_headers(self, most: int) -> Any:
        assert most <= 1000, "Kong refuses to give more"
        names = list(self.exchange.request)[:most]
        values = ((name, self.exchange.request[name]) for name in names)
        return self.table({name: each[0] if len(each) == 1 else each for name, each in values})

    def _set_request_header(self, name: str, value: object) -> None:
        assert isinstance(value, str | int | bool), "Kong refuses other types"
        self.exchange.request[name.lower()] = [str(value)]

    def _set_request_headers(self, headers: Any) -> None:
        for name, value in dict(headers).items():
            self.exchange.request[name.lower()] = [value] if isinstance(value, str) else list(value.values())

    def _set_response_header(self, name: str, value: object) -> None:
        self.exchange.response[name.lower()] = [str(value)]

    def _exit(self, status: int, *_: object) -> None:
        raise Exit(status)

    def _consumer(self) -> Any:
        return self.table({"custom_id": self.exchange.consumer}) if self.exchange.consumer else None

    def _add_body(self, chunk: str) -> None:
        self.exchange.body = (self.exchange.body or "") + chunk


def _utf8(value: Any) -> Any:
    """Text as its bytes, each of which Lua sees as one character."""
    match value:
        case dict():
            return {_utf8(key): _utf8(each) for key, each in value.items()}
        case list():
            return [_utf8(each) for each in value]
        case str():
            return value.encode("utf-8", "surrogatepass").decode("latin-1")
    return value


class Null:
    """cjson.null."""


NULL = Null()


def first(headers: Headers, name: str) -> str | None:
    return headers.get(name.lower(), [None])[0]


def sha1_bin(text: str) -> str:
    return hashlib.sha1(text.encode("latin-1")).digest().decode("latin-1")


def decode_base64(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return None


def encode_json(table: Any) -> str:
    return json.dumps(dict(table))


@dataclass(frozen=True)
class Credential:
    """A key Kong knows, and the `custom_id` of the consumer it belongs to."""

    key: bytes
    consumer: str
    algorithm: str = "ES256"


def jwt_plugin(exchange: Exchange, credentials: Mapping[str, Credential]) -> None:
    """Kong's jwt plugin with our configuration, its faults included: it trips over what it takes for granted.

    :raises Exit: 401, or 500 where the Lua code of the plugin would fail.
    """
    found = re.match(r"\s*[Bb]earer\s+(.+)", first(exchange.request, "authorization") or "")
    if not found or found[1].count(".") != 2:
        raise Exit(401)
    header, payload, signature = _parts(found[1])
    kid = payload.get("kid") or header.get("kid")
    if not isinstance(kid, str | None):
        raise Exit(500)
    credential = credentials.get(kid or "")
    if credential is None or header.get("alg") != credential.algorithm:
        raise Exit(401)
    if credential.algorithm == "ES256" and len(signature) != 64:
        raise Exit(500)
    _verify(found[1], credential, payload)
    exchange.consumer = credential.consumer


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, payload and signature; tables, both."""
    try:
        header, payload = (json.loads(jwt.utils.base64url_decode(part)) for part in token.split(".")[:2])
        signature = jwt.utils.base64url_decode(token.split(".")[2])
    except (ValueError, RecursionError) as error:
        raise Exit(401) from error
    if not isinstance(header, dict | list) or not isinstance(payload, dict | list):
        raise Exit(500)
    header, payload = ({} if isinstance(part, list) else part for part in (header, payload))
    return header, payload, signature


def _verify(token: str, credential: Credential, payload: dict[str, Any]) -> None:
    """Signature and instants, which have to be numbers."""
    if any(type(payload.get(claim)) not in {int, float} for claim in ("exp", "nbf")):
        raise Exit(401)
    try:
        jwt.decode(
            token,
            credential.key,
            algorithms=[credential.algorithm],
            options={"verify_aud": False, "require": ["exp", "nbf"]},
        )
    except jwt.PyJWTError as error:
        raise Exit(401) from error
