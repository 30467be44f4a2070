"""Second factors of the caller (docs/spec/auth-protocol.md 1.3)."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from cas_auth.credentials.totp import qr_code
from cas_auth.domain.factors import (
    FactorType,
    PhoneEnrolmentDisabled,
    RecoveryCodesDisabled,
    RecoveryCodeVerificationDisabled,
    UnknownFactorType,
    WebAuthnEnrolmentDisabled,
)
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.operations import factors
from cas_auth.operations.factors import Enrolment
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AuthDep, CallerDep, OriginDep, limit_factor, limit_factor_verification
from cas_auth.rest.schemas import SessionOut
from cas_auth.rest.sessions import session_response
from cas_kit.rest import json_response, router

routes = router(tags=["factors"])

FACTORS = f"{PREFIX}/factors"
RECOVERY_CODES = f"{FACTORS}/recovery-codes"


class EnrollIn(BaseModel):
    factor_type: str | None = None
    friendly_name: str | None = None
    issuer: str | None = None


class ChallengeIn(BaseModel):
    """Nothing counts for an authenticator app; clients repeat the factor's id."""


class VerifyIn(BaseModel):
    challenge_id: UUID | None = None
    code: str | None = None


class TotpOut(BaseModel):
    """:param qr_code: SVG, not encoded."""

    qr_code: str
    secret: str
    uri: str


class EnrolledOut(BaseModel):
    id: UUID
    type: FactorType
    friendly_name: str
    totp: TotpOut


class ChallengeOut(BaseModel):
    id: UUID
    type: FactorType
    expires_at: int


class UnenrolledOut(BaseModel):
    id: UUID


# Before the routes of one factor: "recovery-codes" is no id.
@routes.get(RECOVERY_CODES, responses=documented(401, 403, 422))
@routes.post(RECOVERY_CODES, responses=documented(401, 403, 422))
@routes.delete(RECOVERY_CODES, responses=documented(401, 403, 422))
@routes.post(f"{RECOVERY_CODES}/regenerate", responses=documented(401, 403, 422))
async def refuse_recovery_codes(caller: CallerDep) -> Response:
    """Recovery codes are not offered yet."""
    del caller
    raise RecoveryCodesDisabled


@routes.post(f"{RECOVERY_CODES}/verify", responses=documented(401, 403, 422))
async def refuse_recovery_code(caller: CallerDep) -> Response:
    """Recovery codes are not offered yet."""
    del caller
    raise RecoveryCodeVerificationDisabled


@routes.post(FACTORS, responses={200: {"model": EnrolledOut}, **documented(400, 401, 403, 413, 422, 429)})
def enroll(body: EnrollIn, caller: CallerDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Begin to set up an authenticator app: its secret, as text and as a QR code."""
    _check_type(body.factor_type)
    limit_factor(dependencies, caller=caller)
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        enrolment = factors.enroll_totp(
            session,
            dependencies.tools,
            user_id=caller.user_id,
            session_id=caller.session_id,
            friendly_name=body.friendly_name,
            issuer=body.issuer,
            origin=origin,
            now=datetime.now(UTC),
        )
    return json_response(_enrolled(enrolment))


@routes.post(
    f"{FACTORS}/{{factor_id}}/challenge",
    responses={200: {"model": ChallengeOut}, **documented(400, 401, 403, 404, 422, 429)},
)
def challenge(
    factor_id: UUID,
    caller: CallerDep,
    dependencies: AuthDep,
    origin: OriginDep,
    body: ChallengeIn | None = None,
) -> Response:
    """Ask to be asked for a code of this factor; the answer has to come within five minutes and from here."""
    del body
    limit_factor(dependencies, caller=caller)
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        created = factors.challenge_factor(
            session,
            dependencies.tools,
            user_id=caller.user_id,
            session_id=caller.session_id,
            factor_id=factor_id,
            origin=origin,
            now=datetime.now(UTC),
        )
    expires_at = int(created.expires_at.timestamp())
    return json_response({"id": created.id, "type": FactorType.TOTP, "expires_at": expires_at})


@routes.post(
    f"{FACTORS}/{{factor_id}}/verify",
    responses={200: {"model": SessionOut}, **documented(400, 401, 403, 404, 413, 422, 429, 503)},
)
def verify(
    factor_id: UUID, body: VerifyIn, caller: CallerDep, dependencies: AuthDep, origin: OriginDep
) -> Response:
    """Prove this factor with a code: the session's tokens say so from now on."""
    if not body.code:
        raise InvalidRequest("Code needs to be non-empty")
    if body.challenge_id is None:
        raise InvalidRequest("challenge_id is required")
    limit_factor(dependencies, caller=caller)
    limit_factor_verification(dependencies, caller=caller)
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        grant = factors.verify_factor(
            session,
            dependencies.tools,
            user_id=caller.user_id,
            session_id=caller.session_id,
            factor_id=factor_id,
            challenge_id=body.challenge_id,
            code=body.code,
            origin=origin,
            now=datetime.now(UTC),
        )
    return session_response(dependencies, grant)


@routes.delete(
    f"{FACTORS}/{{factor_id}}",
    responses={200: {"model": UnenrolledOut}, **documented(401, 403, 404, 422)},
)
def unenroll(factor_id: UUID, caller: CallerDep, dependencies: AuthDep, origin: OriginDep) -> Response:
    """Take this factor off; one that counts only in a session proven by a second factor."""
    with dependencies.turns.take(caller.user_id), dependencies.database.transaction() as session:
        factors.unenroll_factor(
            session,
            dependencies.tools,
            user_id=caller.user_id,
            session_id=caller.session_id,
            factor_id=factor_id,
            origin=origin,
            now=datetime.now(UTC),
        )
    return json_response({"id": factor_id})


def _check_type(factor_type: str | None) -> None:
    match factor_type:
        case FactorType.TOTP:
            return
        case FactorType.PHONE:
            raise PhoneEnrolmentDisabled
        case FactorType.WEBAUTHN:
            raise WebAuthnEnrolmentDisabled
    raise UnknownFactorType


def _enrolled(enrolment: Enrolment) -> dict[str, object]:
    return {
        "id": enrolment.factor.id,
        "type": FactorType.TOTP,
        "friendly_name": enrolment.factor.friendly_name or "",
        "totp": {
            "qr_code": qr_code(enrolment.uri),
            "secret": enrolment.secret,
            "uri": enrolment.uri,
        },
    }
