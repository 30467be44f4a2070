"""Who may do what: one row for each operation of every service, read by test_rest.py.

`own` operations are about the caller and need no id; `owned` ones name a thing in the path, which is the caller's,
another person's, or missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

from cas_kit.testing.photos import photo


class Access(StrEnum):
    PUBLIC = "public"
    PERSON = "person"  # whoever is signed in, about themselves
    ADMINISTRATOR = "administrator"  # a program with a service token


@dataclass(frozen=True, kw_only=True)
class Row:
    """What happens to whom.

    :param ok: what whoever is let in gets; also 4xx, when the request goes no further for another reason.
    :param file: a picture instead of a JSON body.
    :param thing: the parameter of the path that names something which has an owner; where the operation is public,
        something that the owner has not published.
    :param other: what another person's thing gets, `missing` what none gets.
    :param program: what a service token gets where people are meant.
    :param once: the request uses up the caller or the thing, so that everybody needs a new one.
    """

    access: Access
    ok: int = 200
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    file: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    thing: str | None = None
    other: int = 404
    missing: int = 404
    program: int | None = None
    once: bool = False

    def request(self) -> dict[str, Any]:
        """What `httpx.request` needs beside method and address; every call has an e-mail address of its own."""
        if self.file is not None:
            return {
                "params": self.query,
                "content": self.file,
                "headers": {**self.headers, "Content-Type": "image/png"},
            }
        body = json.dumps(self.body).replace(NOBODY, f"{uuid4().hex}@example.com")
        return {"params": self.query, "json": json.loads(body), "headers": {**self.headers}}


def public(**request: Any) -> Row:
    return Row(access=Access.PUBLIC, **request)


def own(**request: Any) -> Row:
    return Row(access=Access.PERSON, **request)


def owned(thing: str, **request: Any) -> Row:
    return Row(access=Access.PERSON, thing=thing, **request)


def admin(**request: Any) -> Row:
    return Row(access=Access.ADMINISTRATOR, **request)


NOBODY = "nobody@example.com"  # another one in each request: attempts are counted by address
TUTOR = {"role_type": "tutor"}
PICTURE = photo(".png")
NOTHING = "00000000-0000-4000-8000-000000000000"

AUTH = {
    # ---- for everybody ----
    "GET /auth/v1/.well-known/jwks.json": public(),
    "GET /auth/v1/.well-known/openid-configuration": public(),
    "GET /auth/v1/health": public(),
    "GET /auth/v1/settings": public(),
    "GET /auth/v1/authorize": public(query={"provider": "nobody"}, ok=400),
    "GET /auth/v1/callback": public(query={"state": "unknown", "code": "x"}, ok=303),
    "POST /auth/v1/callback": public(body={"state": "unknown", "code": "x"}, ok=303),
    "POST /auth/v1/signup": public(body={"email": NOBODY, "password": "short"}, ok=422),
    "POST /auth/v1/token": public(
        query={"grant_type": "password"}, body={"email": NOBODY, "password": "wrong one"}, ok=400
    ),
    "POST /auth/v1/recover": public(body={"email": NOBODY}),
    "POST /auth/v1/otp": public(body={"email": NOBODY, "create_user": False}),
    "POST /auth/v1/magiclink": public(body={"email": "no address"}, ok=400),
    "POST /auth/v1/resend": public(body={"email": NOBODY, "type": "signup"}),
    "GET /auth/v1/verify": public(query={"type": "signup", "token": "unknown"}),
    "POST /auth/v1/verify": public(body={"type": "email", "email": NOBODY, "token": "123456"}, ok=403),
    # ---- for a person ----
    "GET /auth/v1/user": own(),
    "PUT /auth/v1/user": own(body={"data": {"nickname": "Ada"}}),
    "GET /auth/v1/reauthenticate": own(),
    "POST /auth/v1/logout": own(ok=204, once=True),
    "GET /auth/v1/user/sessions": own(),
    "DELETE /auth/v1/user/sessions/{session_id}": owned("session_id", ok=204, once=True),
    "GET /auth/v1/user/identities/authorize": own(query={"provider": "nobody"}, ok=400),
    "DELETE /auth/v1/user/identities/{identity_id}": owned("identity_id", ok=422, other=422, missing=422),
    "POST /auth/v1/factors": own(body={"factor_type": "totp", "friendly_name": "phone"}, once=True),
    "DELETE /auth/v1/factors/{factor_id}": owned("factor_id", once=True),
    "POST /auth/v1/factors/{factor_id}/challenge": owned("factor_id", once=True),
    "POST /auth/v1/factors/{factor_id}/verify": owned(
        "factor_id",
        body={"challenge_id": "00000000-0000-4000-8000-000000000000", "code": "000000"},
        ok=422,
        once=True,
    ),
    # Not offered, and said so to nobody but those who could have used it.
    "GET /auth/v1/factors/recovery-codes": own(ok=422),
    "POST /auth/v1/factors/recovery-codes": own(ok=422),
    "DELETE /auth/v1/factors/recovery-codes": own(ok=422),
    "POST /auth/v1/factors/recovery-codes/verify": own(ok=422),
    "POST /auth/v1/factors/recovery-codes/regenerate": own(ok=422),
    # ---- for administrators ----
    "GET /auth/v1/admin/audit": admin(),
    "GET /auth/v1/admin/users": admin(),
    "POST /auth/v1/admin/users": admin(body={"email": "no address"}, ok=400),
    "GET /auth/v1/admin/users/{user_id}": admin(thing="user_id"),
    "PUT /auth/v1/admin/users/{user_id}": admin(thing="user_id", body={"user_metadata": {"seen": True}}),
    "DELETE /auth/v1/admin/users/{user_id}": admin(thing="user_id", body={}, once=True),
    "GET /auth/v1/admin/users/{user_id}/factors": admin(thing="user_id"),
    "DELETE /auth/v1/admin/users/{user_id}/factors/{factor_id}": admin(thing="factor_id", once=True),
    "POST /auth/v1/admin/generate_link": admin(body={"type": "recovery", "email": NOBODY}, ok=404),
    "POST /auth/v1/invite": admin(body={"email": "no address"}, ok=400),
}

ACCOUNT = {
    "GET /api/health": public(),
    "GET /api/taxonomy": public(query={"kind": "levels"}, program=401),
    "GET /api/profiles/{profile_id}": public(path={"profile_id": NOTHING}, ok=404, program=401),
    "GET /media/profiles/{owner}/{digest}/{name}": public(
        path={"owner": NOTHING, "digest": "0" * 64, "name": "400.webp"}, ok=404
    ),
    "POST /api/account/avatar": own(file=PICTURE),
    "POST /api/account/cover": own(file=PICTURE),
    "POST /api/avatar/upload": own(query={"filename": "me.png"}, file=PICTURE),
    "DELETE /api/account/avatar": own(),
    "DELETE /api/account/cover": own(),
    "GET /api/profile": own(),
    "POST /api/profile": own(body={"city": "Leeds"}),
    "PATCH /api/profile": own(body={"city": "York"}),
    "GET /api/account/professional-info": own(query=TUTOR, ok=404),
    "PATCH /api/account/professional-info": own(body=TUTOR | {"subjects": ["Physics"]}, once=True),
    "POST /api/account/professional-info": own(body=TUTOR, ok=201, once=True),
    "DELETE /api/account/professional-info": own(query=TUTOR),
    "GET /api/account/export": own(),
    "DELETE /api/account": own(body={"confirm": "DELETE"}, ok=202, once=True),
    "POST /api/user/delete": own(body={"confirm": "DELETE"}, ok=202, once=True),
}

ONBOARDING = {
    "GET /api/onboarding/progress": own(),
    "POST /api/onboarding/save-progress": own(body=TUTOR | {"step": 1}),
    "GET /api/onboarding/progress/{role_type}": own(path={"role_type": "agent"}),
    "DELETE /api/onboarding/progress/{role_type}": own(path={"role_type": "agent"}, once=True),
}

LISTINGS = {
    "POST /api/listings": own(body={}, ok=201),
    "GET /api/listings/{listing_id}": public(thing="listing_id", program=401),
    "GET /api/listings/slug/{slug}": public(thing="slug", program=401),
    "GET /api/listings/search": public(program=401),
    "GET /api/listings/suggest": public(query={"q": "maths"}, program=401),
    "GET /api/marketplace/search": public(program=401),
    "POST /api/marketplace/search": public(body={}, program=401),
    "POST /api/ai/parse-query": public(body={"query": "maths in Leeds"}, program=401),
    "GET /api/listings/mine": own(),
    "POST /api/listings/from-template": own(body=TUTOR, ok=404),
    "PATCH /api/listings/{listing_id}": owned("listing_id", body={"title": "Patience with fractions"}),
    "DELETE /api/listings/{listing_id}": owned("listing_id", ok=204, once=True),
    "POST /api/listings/{listing_id}/publish": owned("listing_id", once=True),
    "POST /api/listings/{listing_id}/unpublish": owned("listing_id", ok=409, once=True),
    "POST /api/listings/{listing_id}/pause": owned("listing_id", ok=409, once=True),
    "POST /api/listings/{listing_id}/archive": owned("listing_id", once=True),
    "POST /api/listings/{listing_id}/duplicate": owned("listing_id", ok=201),
    "POST /api/listings/{listing_id}/images": owned("listing_id", file=PICTURE, ok=202),
    "PATCH /api/listings/{listing_id}/images": owned("listing_id", body={"images": []}),
    "DELETE /api/listings/{listing_id}/images/{image_id}": owned(
        "listing_id", path={"image_id": NOTHING}, ok=404
    ),
    "GET /media/listings/{owner}/{digest}/{name}": public(
        path={"owner": NOTHING, "digest": "0" * 64, "name": "320.webp"}, ok=404
    ),
    "GET /media/uploads/{link}": public(path={"link": "nobodys"}, ok=404),
    "POST /api/listings/{listing_id}/views": public(path={"listing_id": NOTHING}, ok=404, program=401),
    "POST /api/listings/{listing_id}/inquiries": owned("listing_id", ok=404),
}

EXPECTED: Mapping[str, Mapping[str, Row]] = {
    "auth": AUTH,
    "account": ACCOUNT,
    "onboarding": ONBOARDING,
    "listings": LISTINGS,
}
