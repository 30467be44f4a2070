"""Ask for a mail: to get in, to get in again, or once more."""

from datetime import UTC, datetime

from fastapi import Response

from cas_auth.domain.mails import MailKind
from cas_auth.domain.refusals import InvalidRequest, PhoneLoginsDisabled
from cas_auth.operations import by_mail
from cas_auth.operations.mails import MailedLink
from cas_auth.rest import PREFIX
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AuthDep, OriginDep, limit_mail
from cas_auth.rest.schemas import ChallengeIn, NothingOut, OtpIn, RecoverIn, ResendIn
from cas_kit.rest import json_response, router

routes = router(tags=["by mail"])
_ANSWERS = {200: {"model": NothingOut}, **documented(400, 413, 422, 429, 503)}
_RESENDABLE = {
    "signup": (MailKind.CONFIRMATION, by_mail.resend_confirmation),
    "email_change": (MailKind.EMAIL_CHANGE, by_mail.resend_email_change),
}
_BY_PHONE = frozenset({"sms", "phone_change"})


@routes.post(f"{PREFIX}/recover", responses=_ANSWERS)
def recover(
    body: RecoverIn, dependencies: AuthDep, origin: OriginDep, redirect_to: str | None = None
) -> Response:
    """Mail a link and a code for choosing a new password; answered alike for every address."""
    if not body.email:
        raise InvalidRequest("Password recovery requires an email")
    link = _link(body, redirect_to)
    limit_mail(dependencies, origin=origin, email=body.email, kind=MailKind.RECOVERY)
    with dependencies.database.transaction() as session:
        by_mail.request_recovery(
            session, dependencies.tools, email=body.email, link=link, origin=origin, now=datetime.now(UTC)
        )
    return json_response({})


@routes.post(f"{PREFIX}/otp", responses=_ANSWERS)
@routes.post(f"{PREFIX}/magiclink", responses=_ANSWERS)
def sign_in_by_mail(
    body: OtpIn, dependencies: AuthDep, origin: OriginDep, redirect_to: str | None = None
) -> Response:
    """Mail a link and a code that sign in; answered alike for every address."""
    email = _one_address(body.email, body.phone)
    link = _link(body, redirect_to)
    limit_mail(dependencies, origin=origin, email=email, kind=MailKind.MAGIC_LINK)
    by_mail.request_sign_in(
        dependencies.database,
        dependencies.tools,
        email=email,
        create_user=body.create_user is not False,
        data=body.data,
        link=link,
        origin=origin,
        now=datetime.now(UTC),
    )
    return json_response({})


@routes.post(f"{PREFIX}/resend", responses=_ANSWERS)
def resend(
    body: ResendIn, dependencies: AuthDep, origin: OriginDep, redirect_to: str | None = None
) -> Response:
    """Mail a confirmation once more; answered alike for every address."""
    if body.type not in _RESENDABLE.keys() | _BY_PHONE:
        raise InvalidRequest("Missing one of these types: signup, email_change, sms, phone_change")
    if body.type in _BY_PHONE and body.email:
        raise InvalidRequest("Type provided requires a phone number")
    email = _one_address(body.email, body.phone)
    link = _link(body, redirect_to)
    kind, send = _RESENDABLE[body.type]
    limit_mail(dependencies, origin=origin, email=email, kind=kind)
    with dependencies.database.transaction() as session:
        send(session, dependencies.tools, email=email, link=link, origin=origin, now=datetime.now(UTC))
    return json_response({})


def _one_address(email: str | None, phone: str | None) -> str:
    if email and phone:
        raise InvalidRequest("Only an email address or phone number should be provided.")
    if phone:
        raise PhoneLoginsDisabled
    if not email:
        raise InvalidRequest("One of email or phone must be set")
    return email


def _link(body: ChallengeIn, redirect_to: str | None) -> MailedLink:
    return MailedLink(redirect_to, body.challenge)
