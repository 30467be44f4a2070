"""What every endpoint asks of a request: its dependencies, who is calling, from where, and not too often."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from cas_auth.credentials.keys import KeyRing
from cas_auth.domain.accounts import account_name
from cas_auth.domain.audit import Origin
from cas_auth.domain.mails import MailKind
from cas_auth.domain.networks import network_of
from cas_auth.domain.refusals import BadJwt, BadSubject, MailedTooRecently, NoAuthorization
from cas_auth.models import UserSession
from cas_auth.operations.administration import authorize_admin
from cas_auth.operations.sessions import authenticate
from cas_auth.operations.tools import Tools
from cas_auth.rest.turns import SharedAnswers, Turns
from cas_auth.settings import Settings
from cas_kit import telemetry
from cas_kit.addresses import client_ip
from cas_kit.errors import RateLimited, Unauthenticated
from cas_kit.ratelimit import RateLimiter
from cas_kit.rest import Bearer, Dependencies, bearer_token
from cas_kit.tokens import SubjectNotAUser


@dataclass(frozen=True, slots=True)
class AuthDependencies(Dependencies):
    """What the endpoints of this service are given."""

    tools: Tools
    keys: KeyRing
    limiter: RateLimiter
    turns: Turns
    refreshes: SharedAnswers[Response]

    @property
    def settings(self) -> Settings:
        """The rules of this installation."""
        return self.tools.settings


async def _dependencies(request: Request) -> AuthDependencies:
    dependencies: AuthDependencies = request.app.state.dependencies
    return dependencies


AuthDep = Annotated[AuthDependencies, Depends(_dependencies)]


# ---- who is calling ----


@dataclass(frozen=True, slots=True)
class Caller:
    """The user and session of a valid access token; the session may have ended since."""

    user_id: UUID
    session_id: UUID


class OwnBearer(Bearer):
    """Demands one of our own access tokens, and refuses others in the protocol's words."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        """The caller.

        :raises NoAuthorization: there is no token.
        :raises BadSubject: the token speaks of no user.
        :raises BadJwt: the token is malformed, foreign or expired.
        """
        with _protocol_words(request):
            principal = await super().__call__(request)
            return Caller(principal.user_id, UUID(principal.session_id))


CallerDep = Annotated[Caller, Depends(OwnBearer())]


@dataclass(frozen=True, slots=True)
class Admin:
    """A program or person that administers users; `user_id` is None for a program."""

    user_id: UUID | None


class AdminBearer(Bearer):
    """Demands a token whose `role` administers users. One of a user's session counts while the session lasts."""

    async def __call__(self, request: Request) -> Admin:  # type: ignore[override]
        """The administrator.

        :raises NoAuthorization: there is no token.
        :raises BadJwt: the token is malformed, foreign or expired.
        :raises AdminRefused: its role does not administer users.
        :raises SessionNotFound: its session has ended; or `AdminSessionExpired`, `CallerNotFound`, `UserBanned`.
        """
        try:
            token = bearer_token(request)
        except Unauthenticated as error:
            raise NoAuthorization from error
        dependencies: AuthDependencies = request.app.state.dependencies
        origin = origin_of(request, dependencies.settings)
        return await run_in_threadpool(_admin, dependencies, token, origin)


AdminDep = Annotated[Admin, Depends(AdminBearer())]


def _admin(dependencies: AuthDependencies, token: str, origin: Origin) -> Admin:
    try:
        claims = dependencies.verifier.verified_claims(token)
        user_id, session_id = (
            UUID(claims[name]) if claims.get(name) is not None else None for name in ("sub", "session_id")
        )
    except (Unauthenticated, ValueError, TypeError, AttributeError) as error:
        raise BadJwt from error
    with dependencies.database.transaction() as session:
        authorize_admin(
            session,
            dependencies.tools,
            role=claims.get("role"),
            user_id=user_id,
            session_id=session_id,
            origin=origin,
            now=datetime.now(UTC),
        )
    return Admin(user_id)


def optional_caller(request: Request, dependencies: AuthDependencies) -> Caller:
    """The caller of an endpoint that needs one only for some of what it does; as `OwnBearer` otherwise."""
    with _protocol_words(request):
        principal = dependencies.verifier.verify(bearer_token(request))
        return Caller(principal.user_id, UUID(principal.session_id))


@contextmanager
def _protocol_words(request: Request) -> Iterator[None]:
    try:
        bearer_token(request)
    except Unauthenticated as error:
        raise NoAuthorization from error
    try:
        yield
    except SubjectNotAUser as error:
        raise BadSubject from error
    except (Unauthenticated, ValueError) as error:
        raise BadJwt from error


def live_session(dependencies: AuthDependencies, caller: Caller) -> UserSession:
    """The caller's session, with its user.

    Asked for before anything of the user's is counted, so that a session that has ended uses up nothing of theirs.

    :raises CallerNotFound: the user is gone.
    :raises SessionNotFound: the session was ended.
    :raises UserBanned: the user is banned.
    """
    with dependencies.database.transaction() as session:
        return authenticate(
            session, user_id=caller.user_id, session_id=caller.session_id, now=datetime.now(UTC)
        )


# ---- from where ----


async def _origin(request: Request, dependencies: AuthDep) -> Origin:
    return origin_of(request, dependencies.settings)


def origin_of(request: Request, settings: Settings) -> Origin:
    """Where the request comes from."""
    return Origin(
        request_id=telemetry.request_id.get(),
        ip=client_ip(request, trusted_hops=settings.trusted_proxy_hops),
        user_agent=request.headers.get("user-agent"),
    )


OriginDep = Annotated[Origin, Depends(_origin)]


# ---- not too often ----


def limit_sign_up(dependencies: AuthDependencies, *, origin: Origin, email: str) -> None:
    """Count a sign-up.

    :raises RateLimited: there were too many from this network or for this address.
    """
    settings = dependencies.settings
    dependencies.limiter.hit(settings.signup_limit_per_ip, "signup-ip", network_name(origin))
    dependencies.limiter.hit(settings.signup_limit_per_account, "signup-account", account_name(email))


def limit_provider(dependencies: AuthDependencies, *, origin: Origin) -> None:
    """Count somebody who comes to sign in with a provider; no password is guessed, so no account is counted.

    :raises RateLimited: there were too many from this network.
    """
    dependencies.limiter.hit(dependencies.settings.sign_in_limit_per_ip, "sign-in-ip", network_name(origin))


def limit_mail(dependencies: AuthDependencies, *, origin: Origin, email: str, kind: MailKind) -> None:
    """Count a mail that somebody asks for.

    :param kind: each is counted by itself, so that asking for what is never sent keeps nobody from what is.
    :raises RateLimited: too many were asked for from this network.
    :raises MailedTooRecently: the address has just been written to, or would have been if it were known.
    """
    settings = dependencies.settings
    dependencies.limiter.hit(settings.mail_limit_per_ip, "mail-ip", network_name(origin))
    seconds = int(settings.mail_interval.total_seconds())
    try:
        if seconds:
            dependencies.limiter.hit(f"1/{seconds} second", "mail", kind, account_name(email))
    except RateLimited as error:
        raise MailedTooRecently(retry_after=error.retry_after) from error


def limit_verification(dependencies: AuthDependencies, *, origin: Origin) -> None:
    """Count an attempt to prove an address.

    :raises RateLimited: there were too many from this network.
    """
    dependencies.limiter.hit(dependencies.settings.verify_limit_per_ip, "verify-ip", network_name(origin))


def limit_anonymous(dependencies: AuthDependencies, *, origin: Origin) -> None:
    """Count an anonymous sign-up.

    :raises RateLimited: there were too many from this network.
    """
    dependencies.limiter.hit(
        dependencies.settings.anonymous_limit_per_ip, "anonymous-ip", network_name(origin)
    )


def limit_user_update(dependencies: AuthDependencies, *, caller: Caller, new_password: bool) -> None:
    """Count a change of the account of a caller whose session lasts.

    :param new_password: the password is among what changes.
    :raises RateLimited: there were too many.
    """
    settings, user = dependencies.settings, str(caller.user_id)
    dependencies.limiter.hit(settings.update_limit_per_user, "update-user", user)
    if new_password:
        dependencies.limiter.hit(settings.password_change_limit_per_user, "change-password", user)


def limit_factor(dependencies: AuthDependencies, *, caller: Caller) -> None:
    """Count a request about the caller's second factors.

    :raises RateLimited: there were too many; or whatever `live_session` raises.
    """
    live_session(dependencies, caller)
    dependencies.limiter.hit(dependencies.settings.factor_limit_per_user, "factor-user", str(caller.user_id))


def limit_factor_verification(dependencies: AuthDependencies, *, caller: Caller) -> None:
    """Count a guess at a code of the second factors of a caller whose session lasts.

    :raises RateLimited: there were too many.
    """
    dependencies.limiter.hit(
        dependencies.settings.factor_verify_limit_per_user, "verify-factor-user", str(caller.user_id)
    )


def network_name(origin: Origin) -> str:
    """The network a limit counts for: one IPv4 address, or what usually has one owner in IPv6."""
    if origin.ip is None:
        return "unknown"
    return origin.ip if "." in origin.ip else network_of(origin.ip)
