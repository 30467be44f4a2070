"""The part of Kong's declarative format that both gateways treat alike, as types. Everything else is refused."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from cas_gateway import spelling
from cas_gateway.document import Problem, Refused, yaml_path

WINDOWS = {"second": 1, "minute": 60, "hour": 3600}
UNITS = {"bytes": 1, "kilobytes": 1024, "megabytes": 1024 * 1024}


@dataclass(slots=True)
class Seen:
    """What was read so far, for rules that look at more than one service or route."""

    claims: set[str] = field(default_factory=set)
    token: "CallerIdentityConfig | None" = None


class Part(BaseModel):
    """A piece of the file. A key that is not named here would be ignored by Envoy, so it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# ---- plugins of a service ----


class JwtConfig(Part):
    key_claim_name: Literal["kid"]
    claims_to_verify: list[Literal["exp", "nbf"]] = Field(min_length=2)
    header_names: list[Literal["authorization"]] = Field(min_length=1, max_length=1)
    uri_param_names: list[str] = Field(max_length=0)
    cookie_names: list[str] = Field(max_length=0)


class Jwt(Part):
    name: Literal["jwt"]
    config: JwtConfig


class OtherIssuer(Part):
    issuer: str
    audience: str
    subjects: Literal["same", "derived"]


class CallerIdentityConfig(Part):
    issuer: str
    audience: str
    # Whose tokens are good beside our own.
    others: list[OtherIssuer] = []
    # Whether a token has to name a user. A program's names nobody.
    needs_user: bool = True

    @property
    def promises(self) -> tuple[str, str]:
        """What a token has to say, whoever it is for."""
        return self.issuer, self.audience


class CallerIdentity(Part):
    name: Literal["caller-identity"]
    config: CallerIdentityConfig


class Redis(Part):
    host: str
    port: int


class RateLimitingConfig(Part):
    second: int | None = Field(default=None, ge=1)
    minute: int | None = Field(default=None, ge=1)
    hour: int | None = Field(default=None, ge=1)
    limit_by: Literal["ip", "header"]
    header_name: Literal["X-User-Id"] | None = None
    # Where Kong counts. Envoy counts in its own memory.
    policy: Literal["local", "redis"]
    redis: Redis | None = None
    fault_tolerant: Literal[True]

    @model_validator(mode="after")
    def one_window_one_key(self) -> Self:
        """Envoy has one bucket for each key."""
        if len([name for name in WINDOWS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"give exactly one of {', '.join(WINDOWS)}")
        if (self.limit_by == "header") != (self.header_name is not None):
            raise ValueError("header_name belongs to limit_by: header, and is needed there")
        return self

    @property
    def window(self) -> int:
        """Its length in seconds."""
        return next(seconds for name, seconds in WINDOWS.items() if getattr(self, name) is not None)

    @property
    def requests(self) -> int:
        """How many are let through in a window."""
        return next(count for count in (self.second, self.minute, self.hour) if count is not None)


class RateLimiting(Part):
    name: Literal["rate-limiting"]
    config: RateLimitingConfig


class RequestSizeLimitingConfig(Part):
    allowed_payload_size: int = Field(ge=1)
    size_unit: Literal["bytes", "kilobytes", "megabytes"]

    @property
    def size(self) -> int:
        """In bytes."""
        return self.allowed_payload_size * UNITS[self.size_unit]


class RequestSizeLimiting(Part):
    name: Literal["request-size-limiting"]
    config: RequestSizeLimitingConfig


ServicePlugin = Annotated[
    Jwt | CallerIdentity | RateLimiting | RequestSizeLimiting, Field(discriminator="name")
]


# ---- services and routes ----


class Route(Part):
    name: str
    paths: list[Annotated[str, AfterValidator(spelling.path)]] = Field(min_length=1)
    methods: Annotated[
        list[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]],
        AfterValidator(spelling.distinct),
    ]
    hosts: list[Annotated[str, AfterValidator(spelling.host)]] = Field(min_length=1)
    strip_path: Literal[False]
    # Above 0 where the paths of another route fit too: of two patterns, either gateway would take another one.
    regex_priority: int = Field(default=0, ge=0)
    # False where a body goes on as it arrives: a large one takes long, and whoever sends it wants to see how far it is.
    request_buffering: bool = True

    @model_validator(mode="after")
    def answers_head(self) -> Self:
        """Kong does not add HEAD by itself."""
        if ("GET" in self.methods) != ("HEAD" in self.methods):
            raise ValueError("methods need HEAD wherever there is GET, and only there")
        return self

    @model_validator(mode="after")
    def is_the_only_one(self, info: ValidationInfo[Seen]) -> Self:
        """Which of two routes wins differs between the gateways."""
        seen = info.context
        claims = {f"the name {self.name}"} | {
            f"{method} {path}" for method in self.methods for path in self.paths
        }
        if taken := sorted(claims & seen.claims):
            raise ValueError(f"another route already has {', '.join(taken)}")
        seen.claims |= claims
        return self


class Service(Part):
    name: str
    url: Annotated[str, AfterValidator(spelling.upstream_url)]
    connect_timeout: int = Field(ge=1)
    read_timeout: int = Field(ge=1)
    write_timeout: int = Field(ge=1)
    retries: int = Field(ge=0, le=5)
    routes: list[Route] = Field(min_length=1)
    plugins: list[ServicePlugin]

    @model_validator(mode="after")
    def has_one_timeout(self) -> Self:
        """Envoy does not tell reading from writing."""
        if self.read_timeout != self.write_timeout:
            raise ValueError("read_timeout and write_timeout must be equal")
        return self

    @model_validator(mode="after")
    def is_public_or_protected(self) -> Self:
        """There is nothing in between: a token is checked, or nobody is anybody."""
        protected = {"jwt", "caller-identity", "rate-limiting", "request-size-limiting"}
        public = {"rate-limiting", "request-size-limiting"}
        names = [plugin.name for plugin in self.plugins]
        if len(names) != len(set(names)) or set(names) not in (protected, public):
            raise ValueError(
                f"plugins must be {', '.join(sorted(public))} on a public service,"
                f" with {', '.join(sorted(protected - public))} on a protected one, each once"
            )
        if self.limit.limit_by != ("header" if self.token else "ip"):
            raise ValueError(
                "rate-limiting must be by X-User-Id on a protected service, by ip on a public one"
            )
        return self

    @model_validator(mode="after")
    def trusts_the_one_issuer(self, info: ValidationInfo[Seen]) -> Self:
        """There is one auth service; another issuer on one route would be a mistake."""
        seen = info.context
        seen.token = seen.token or self.token
        if self.token and seen.token and self.token.promises != seen.token.promises:
            raise ValueError("issuer and audience must be the same on every protected service")
        return self

    @property
    def token(self) -> CallerIdentityConfig | None:
        """What its tokens must say; None when it is public."""
        return next((plugin.config for plugin in self.plugins if isinstance(plugin, CallerIdentity)), None)

    @property
    def limit(self) -> RateLimitingConfig:
        """How many requests one user or one address has."""
        return next(plugin.config for plugin in self.plugins if isinstance(plugin, RateLimiting))

    @property
    def max_body(self) -> int:
        """In bytes."""
        return next(plugin.config.size for plugin in self.plugins if isinstance(plugin, RequestSizeLimiting))


# ---- plugins of the whole gateway ----


class CorrelationIdConfig(Part):
    header_name: Literal["X-Request-Id"]
    generator: Literal["uuid"]
    echo_downstream: Literal[True]


class CorrelationId(Part):
    name: Literal["correlation-id"]
    config: CorrelationIdConfig


class Nothing(Part):
    pass


class Strip(Part):
    name: Literal["caller-identity"]
    config: Nothing


class CorsConfig(Part):
    # Kong sends a single origin to every caller, whoever asks.
    origins: list[Annotated[str, AfterValidator(spelling.origin)]] = Field(min_length=2)
    methods: list[str] = Field(min_length=1)
    headers: list[str] = Field(min_length=1)
    exposed_headers: list[str] = Field(min_length=1)
    credentials: Literal[False]
    max_age: int = Field(ge=0)


class Cors(Part):
    name: Literal["cors"]
    config: CorsConfig


class ErrorBody(Part):
    status: int = Field(ge=400, le=599)
    without_bearer: bool = False
    title: str
    code: str
    message: str
    gotrue_code: str
    gotrue_message: str | None = None


class ErrorBodiesConfig(Part):
    realm: str
    gotrue_prefix: str
    error_prefixes: list[Annotated[str, AfterValidator(spelling.prefix)]] = Field(min_length=1)
    errors: list[ErrorBody]


class ErrorBodies(Part):
    name: Literal["error-bodies"]
    config: ErrorBodiesConfig


GatewayPlugin = Annotated[CorrelationId | Strip | Cors | ErrorBodies, Field(discriminator="name")]


def _each_once(plugins: list[GatewayPlugin]) -> list[GatewayPlugin]:
    if sorted(plugin.name for plugin in plugins) != [
        "caller-identity",
        "correlation-id",
        "cors",
        "error-bodies",
    ]:
        raise ValueError("needs caller-identity, correlation-id, cors and error-bodies, each once")
    return plugins


# ---- the keys Kong accepts; Envoy fetches them from their issuers ----


class JwtSecret(Part):
    key: str
    algorithm: Literal["ES256", "RS256", "HS256"]
    rsa_public_key: str | None = None
    secret: str | None = None

    @model_validator(mode="after")
    def has_the_key_of_its_algorithm(self) -> Self:
        """A public key where the algorithm has one, else a secret."""
        needed = "secret" if self.algorithm == "HS256" else "rsa_public_key"
        if {name for name in ("secret", "rsa_public_key") if getattr(self, name) is not None} != {needed}:
            raise ValueError(f"{self.algorithm} needs {needed}, and only that")
        return self


class Consumer(Part):
    username: str
    custom_id: str
    jwt_secrets: list[JwtSecret]


class KongFile(Part):
    format_version: Literal["3.0"] = Field(alias="_format_version")
    ignore: list[Any] = Field(default=[], alias="_ignore")
    services: list[Service] = Field(min_length=1)
    plugins: Annotated[list[GatewayPlugin], AfterValidator(_each_once)]
    consumers: list[Consumer] = Field(min_length=1)

    @model_validator(mode="after")
    def answers_preflights(self) -> Self:
        """A path whose methods stand in several routes has OPTIONS in one of them."""
        routes = [route for service in self.services for route in service.routes]
        answered = {path for route in routes if "OPTIONS" in route.methods for path in route.paths}
        if silent := sorted({path for route in routes for path in route.paths} - answered):
            raise ValueError(
                f"no route has OPTIONS for {', '.join(silent)}: Kong answers preflights with 404"
            )
        return self

    @model_validator(mode="after")
    def names_each_key_once(self) -> Self:
        """Kong knows a key by its id alone, whoever's it is."""
        spelling.distinct([secret.key for consumer in self.consumers for secret in consumer.jwt_secrets])
        return self

    @property
    def token(self) -> CallerIdentityConfig | None:
        """What every token must say; None when everything is public."""
        return next((service.token for service in self.services if service.token), None)

    @property
    def cors(self) -> CorsConfig:
        """Who may call from a browser."""
        return next(plugin.config for plugin in self.plugins if isinstance(plugin, Cors))

    @property
    def errors(self) -> ErrorBodiesConfig:
        """What the gateway itself answers."""
        return next(plugin.config for plugin in self.plugins if isinstance(plugin, ErrorBodies))


def read(document: Any) -> KongFile:
    """The filled document as types.

    :raises Refused: it holds something that Envoy would do differently or not at all.
    """
    try:
        return KongFile.model_validate(document, context=Seen())
    except ValidationError as invalid:
        raise Refused(
            Problem(yaml_path(document, error["loc"]), error["msg"].removeprefix("Value error, "))
            for error in invalid.errors(include_url=False)
        ) from invalid
