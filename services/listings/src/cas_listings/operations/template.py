"""Listings made from a template (docs/spec/domain.md 6.7)."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from cas_listings.domain.listing import Changes
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.template import NoTemplate, Template, prefill
from cas_listings.models import ServiceListing
from cas_listings.operations.listings import Terms, create_listing


class TemplateApi(Protocol):
    """What the listings service asks of the account service about templates."""

    def find_template(self, user_id: UUID, role: Role) -> Template | None:
        """Somebody's professional info in one role; None when nothing is saved.

        :raises Unavailable: it did not answer in time.
        """


@dataclass(frozen=True, slots=True)
class FromTemplate:
    """A new listing, the fields that came from the template, and the texts that could not come along."""

    listing: ServiceListing
    prefilled: tuple[str, ...]
    unresolved: tuple[str, ...]


def create_from_template(
    session: Session, *, owner: Owner, role: Role, template: Template | None, overrides: Changes, terms: Terms
) -> FromTemplate:
    """Make a draft of a template's values; they are copied, so that neither changes with the other.

    :param template: what account has; None when nothing is saved.
    :param overrides: win over the template.
    :raises NoTemplate: nothing is saved.
    :raises RoleNotHeld: the owner does not hold this role, though others.
    :raises ValidationFailed: the bounds of the overrides do not go with those of the template.
    """
    if template is None:
        raise NoTemplate
    prefilled = prefill(role, template)
    values = prefilled.values | overrides.values
    listing = create_listing(
        session, owner=owner, changes=Changes(values, role=role), terms=terms, from_template=True
    )
    filled = tuple(name for name in prefilled.values if name not in overrides.values)
    return FromTemplate(listing, filled, prefilled.unresolved)
