"""Invite people, and make links for programs that send their mail themselves."""

from typing import Any, Self

from fastapi import Response
from pydantic import BaseModel

from cas_auth.domain.refusals import InvalidRequest
from cas_auth.operations.links import GeneratedLink, LinkRequest, LinkType, generate_link, invite_user
from cas_auth.operations.mails import MailedLink
from cas_auth.rest import PREFIX
from cas_auth.rest.admin import ADMIN_PREFIX
from cas_auth.rest.admin.users import act_of
from cas_auth.rest.errors import documented
from cas_auth.rest.requests import AdminDep, AuthDep, OriginDep
from cas_auth.rest.schemas import UserOut
from cas_auth.rest.sessions import user_response
from cas_kit.rest import router

routes = router(tags=["admin"])


class InviteIn(BaseModel):
    email: str | None = None
    data: dict[str, Any] | None = None


class LinkIn(BaseModel):
    type: str | None = None
    email: str | None = None
    new_email: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None
    redirect_to: str | None = None

    def wanted(self, redirect_to: str | None) -> LinkRequest:
        """The link these fields ask for; what the address says about where it leads comes first.

        :raises InvalidRequest: the type is unknown, or the address is missing.
        """
        try:
            link_type = LinkType(self.type or "")
        except ValueError as error:
            raise InvalidRequest(f"Invalid email action link type requested: {self.type}") from error
        return LinkRequest(
            type=link_type,
            email=_address(self.email),
            new_email=self.new_email,
            password=self.password,
            data=self.data,
            redirect_to=redirect_to or self.redirect_to,
        )


class GeneratedLinkOut(UserOut):
    """A user, and beside their fields the link that was made."""

    action_link: str
    email_otp: str
    hashed_token: str
    verification_type: LinkType
    redirect_to: str

    @classmethod
    def of_link(cls, made: GeneratedLink, *, audience: str) -> Self:
        """The protocol's view of this link."""
        return cls(
            **UserOut.of(made.user, audience=audience).model_dump(),
            action_link=made.link,
            email_otp=made.code,
            hashed_token=made.link_token,
            verification_type=made.type,
            redirect_to=made.redirect_to,
        )


@routes.post(
    f"{PREFIX}/invite", responses={200: {"model": UserOut}, **documented(400, 401, 403, 413, 422, 503)}
)
def invite(
    body: InviteIn,
    admin: AdminDep,
    dependencies: AuthDep,
    origin: OriginDep,
    redirect_to: str | None = None,
) -> Response:
    """Add somebody who never asked for it, and mail them a link to come in."""
    user = invite_user(
        dependencies.database,
        dependencies.tools,
        email=_address(body.email),
        data=body.data,
        link=MailedLink(redirect_to),
        act=act_of(admin, origin),
    )
    return user_response(user, audience=dependencies.settings.audience)


@routes.post(
    f"{ADMIN_PREFIX}/generate_link",
    responses={200: {"model": GeneratedLinkOut}, **documented(400, 401, 403, 404, 413, 422, 503)},
)
def make_link(
    body: LinkIn,
    admin: AdminDep,
    dependencies: AuthDep,
    origin: OriginDep,
    redirect_to: str | None = None,
) -> Response:
    """Make the link and the code of a mail, for a program that sends it itself; adds the user where it has to."""
    made = generate_link(
        dependencies.database,
        dependencies.tools,
        wanted=body.wanted(redirect_to),
        act=act_of(admin, origin),
    )
    document = GeneratedLinkOut.of_link(made, audience=dependencies.settings.audience)
    return Response(document.model_dump_json(exclude_none=True), media_type="application/json")


def _address(email: str | None) -> str:
    if not email:
        raise InvalidRequest("An email address is required")
    return email
