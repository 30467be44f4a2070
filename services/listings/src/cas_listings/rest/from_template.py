"""A listing made from professional info (docs/spec/domain.md 6.7)."""

from dataclasses import replace

from fastapi import Response
from sqlalchemy.orm import Session

from cas_fields.reading import Json
from cas_kit.errors import FieldProblem, ValidationFailed
from cas_kit.rest import router
from cas_listings.domain.listing import Changes, read_changes
from cas_listings.domain.roles import Role, UnknownRole, find_role, role_named
from cas_listings.operations.owners import meet_owner
from cas_listings.operations.template import create_from_template
from cas_listings.rest import documents
from cas_listings.rest.caller import ListingsDep, OwnersWriteDep
from cas_listings.rest.documents import JsonBody
from cas_listings.rest.listings import PATH, created_answer

routes = router(tags=["listings"])


@routes.post(
    f"{PATH}/from-template",
    summary="Make a draft from your professional info",
    description=(
        "Values are copied: neither changes with the other. `overrides` win; a `status` in them is ignored. "
        "Honours `Idempotency-Key`."
    ),
    openapi_extra=documents.body(documents.FROM_TEMPLATE),
    status_code=201,
    responses={
        201: documents.answer("The new draft, and what came from the template.", documents.PREFILLED),
        400: {"description": "The body is not JSON."},
        403: {"description": "You do not hold this role, though others."},
        404: {"description": "Nothing is saved for this role."},
        **documents.WRITES,
    },
)
def create_listing_from_template(
    write: OwnersWriteDep, listings: ListingsDep, body: JsonBody = None
) -> Response:
    """Ask account before the transaction begins; every refusal comes from within, to be kept with its key."""
    user_id = write.principal.user_id
    asked = find_role(body.get("role_type")) if isinstance(body, dict) else None
    template = listings.account.find_template(user_id, asked) if asked else None
    owner = meet_owner(listings.account, user_id=user_id, claims=write.principal.claims)

    def create(session: Session) -> Response:
        role, overrides = _read(body)
        write.if_match.check(None)
        made = create_from_template(
            session, owner=owner, role=role, template=template, overrides=overrides, terms=write.terms
        )
        return created_answer(
            made.listing,
            now=write.terms.now,
            prefilled_fields=made.prefilled,
            unresolved=made.unresolved,
            ignored_fields=overrides.ignored,
        )

    return write.once(create)


def _read(body: Json) -> tuple[Role, Changes]:
    if not isinstance(body, dict):
        raise ValidationFailed.of([FieldProblem("body", "must be a JSON object")])
    problems: list[FieldProblem] = []
    role, overrides = None, Changes({})
    try:
        role = role_named(body.get("role_type"), field="role_type")
    except UnknownRole as error:
        problems += error.problems
    try:
        overrides = read_changes(body.get("overrides") or {})
    except ValidationFailed as error:
        problems += [replace(problem, field=f"overrides.{problem.field}") for problem in error.problems]
    if role is None or problems:
        raise ValidationFailed.of(problems)
    return role, overrides
