"""Listings: made, changed, copied and removed by their owner, read by everybody once published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from cas_listings import repository
from cas_listings.domain.listing import Changes, Fields, ListingNotFound, TooManyIds, new_fields
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import acting_role
from cas_listings.domain.slug import slugs
from cas_listings.domain.states import Action, Status, action_to
from cas_listings.models import ServiceListing
from cas_listings.operations.images import arrange_named, process_soon, release_images
from cas_listings.operations.locking import CheckVersion, lock_listing
from cas_listings.operations.owners import look_for_owner
from cas_listings.operations.search_index import keep_findable
from cas_listings.repository.images import load_images

MOST_LISTINGS = 500


@dataclass(frozen=True, slots=True)
class Terms:
    """When a change happens, and how long an archived listing is kept before it may be deleted."""

    now: datetime
    grace: timedelta


def get_listing(connection: Connection, *, listing_id: UUID, viewer: UUID | None) -> ServiceListing:
    """A published listing, or one of the viewer's own.

    :raises ListingNotFound: there is none, or it is another person's and not published.
    """
    listing = repository.find_listing(connection, listing_id=listing_id, viewer=viewer)
    if listing is None:
        raise ListingNotFound
    load_images(connection, [listing])
    return listing


def get_listing_by_slug(connection: Connection, *, slug: str, viewer: UUID | None) -> ServiceListing:
    """The same, by the slug it has or once had.

    :raises ListingNotFound: there is none, or it is another person's and not published.
    """
    listing = repository.find_listing_by_slug(connection, slug=slug, viewer=viewer)
    if listing is None:
        raise ListingNotFound
    load_images(connection, [listing])
    return listing


def get_any_listing(connection: Connection, *, listing_id: UUID) -> ServiceListing:
    """A listing, whosever it is and in whatever state: for other services.

    :raises ListingNotFound: there is none.
    """
    for listing in repository.list_any(connection, listing_ids=[listing_id]):
        return listing
    raise ListingNotFound


def list_any_listings(connection: Connection, *, listing_ids: Sequence[UUID]) -> Sequence[ServiceListing]:
    """The same for several; unknown ids are left out.

    :raises TooManyIds: more than 500 were asked for.
    """
    if len(listing_ids) > MOST_LISTINGS:
        raise TooManyIds
    return repository.list_any(connection, listing_ids=listing_ids)


def create_listing(
    session: Session, *, owner: Owner, changes: Changes, terms: Terms, from_template: bool = False
) -> ServiceListing:
    """Make a listing, a draft unless the changes name another status.

    :param owner: what is known of them; the name may still be missing.
    :raises RoleNotHeld: it is to be made in a role that the owner does not hold, though others are.
    :raises ValidationFailed: bounds are out of order, or it is to be published and cannot be.
    :raises IllegalTransition: a new listing cannot get into that status.
    """
    listing = ServiceListing.draft(
        uuid4(),
        owner=owner,
        role=acting_role(changes.role, held=owner.roles, active=owner.active_role),
        fields=new_fields(changes.values),
        now=terms.now,
    )
    listing.created_from_template = from_template
    _name(session, listing)
    repository.add_listing(session, listing)
    _record(session, listing, "listing_created", now=terms.now)
    if (action := _wanted(listing, changes.status, now=terms.now)) is not None:
        _go(session, listing, action, terms=terms)
    keep_findable(session, listing)
    look_for_owner(session, user_id=owner.user_id)
    return listing


def change_listing(
    session: Session,
    *,
    listing_id: UUID,
    owner: UUID,
    changes: Changes,
    check_version: CheckVersion,
    terms: Terms,
) -> ServiceListing:
    """Write what the owner changed, and bring the listing into the status they named; all or nothing.

    Changing nothing keeps version and `updated_at`.

    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    :raises ValidationFailed: bounds are out of order, or a published listing could not be published any more.
    :raises IllegalTransition: its present state allows neither.
    """
    listing = lock_listing(session, listing_id=listing_id, owner=owner, check_version=check_version)
    action = _wanted(listing, changes.status, now=terms.now)
    hidden_first = action is Action.UNPUBLISH and _go(session, listing, action, terms=terms)
    edited = bool(changes.values) and _edit(session, listing, changes.values, now=terms.now)
    arranged = changes.images is not None and arrange_named(listing, changes.images, now=terms.now)
    moved = hidden_first or (action is not None and _go(session, listing, action, terms=terms))
    if edited or arranged or moved:
        listing.advance(now=terms.now)
        keep_findable(session, listing)
    return listing


def move_listing(
    session: Session,
    *,
    listing_id: UUID,
    owner: UUID,
    action: Action,
    check_version: CheckVersion,
    terms: Terms,
) -> ServiceListing:
    """Publish, unpublish or archive a listing. Safe to repeat: where it is already, it stays.

    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    :raises ValidationFailed: it cannot be published as it is.
    :raises IllegalTransition: its present state does not allow it.
    """
    listing = lock_listing(session, listing_id=listing_id, owner=owner, check_version=check_version)
    if _go(session, listing, action, terms=terms):
        listing.advance(now=terms.now)
        keep_findable(session, listing)
    return listing


def delete_listing(
    session: Session, *, listing_id: UUID, owner: UUID, check_version: CheckVersion, now: datetime
) -> None:
    """Remove a draft, or an archived listing after its grace. Slugs that the public has seen stay taken.

    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    :raises DeletionNotAllowed: it has to be archived first, or for longer.
    """
    listing = lock_listing(session, listing_id=listing_id, owner=owner, check_version=check_version)
    listing.check_deletable(now=now)
    _record(session, listing, "listing_deleted", now=now)
    release_images(session, listing.images)
    _release_unseen(session, listing, slug=listing.slug)
    repository.delete_listing(session, listing)


def duplicate_listing(
    session: Session, *, listing_id: UUID, owner: UUID, check_version: CheckVersion, terms: Terms
) -> ServiceListing:
    """Make a draft with everything the owner wrote into another listing of theirs, whatever state that one is in.

    Pictures are shared: each listing has rows of its own, of the same files.

    :raises ListingNotFound: there is none, or it is not theirs.
    :raises VersionMismatch: the caller knows another version.
    """
    original = lock_listing(session, listing_id=listing_id, owner=owner, check_version=check_version)
    copy = original.copy(uuid4(), now=terms.now)
    _name(session, copy)
    repository.add_listing(session, copy)
    process_soon(session, copy.images)
    _record(session, copy, "listing_created", now=terms.now)
    look_for_owner(session, user_id=owner)
    return copy


def _wanted(listing: ServiceListing, status: Status | None, *, now: datetime) -> Action | None:
    if status is None or status is listing.status:
        return None
    return action_to(status, listing.status, allowed=listing.allowed_actions(now=now))


def _edit(session: Session, listing: ServiceListing, values: Fields, *, now: datetime) -> bool:
    title = listing.title
    edited = listing.edit(values, now=now)
    if listing.title != title:
        _name(session, listing)
    return edited


def _name(session: Session, listing: ServiceListing) -> None:
    """Let the slug follow the title; one that the public has seen leads here for ever."""
    former = listing.slug
    for slug in slugs(listing.title, listing.id):
        if slug == former or repository.claim_slug(session, listing, slug=slug):
            listing.slug = slug
            break
    if former and former != listing.slug:
        _release_unseen(session, listing, slug=former)


def _release_unseen(session: Session, listing: ServiceListing, *, slug: str) -> None:
    if listing.published_at is None:
        repository.release_slug(session, slug=slug, listing_id=listing.id)


def _go(session: Session, listing: ServiceListing, action: Action, *, terms: Terms) -> bool:
    moved = listing.go(action, now=terms.now, grace=terms.grace)
    if moved:
        _record(session, listing, f"listing_{listing.status}", now=terms.now)
        if action is Action.PUBLISH:
            # Drafts of versions before migration 0006 may not have claimed theirs.
            repository.claim_slug(session, listing, slug=listing.slug)
            look_for_owner(session, user_id=listing.profile_id)
    return moved


def _record(session: Session, listing: ServiceListing, action: str, *, now: datetime) -> None:
    repository.add_audit_entry(
        session,
        actor_id=listing.profile_id,
        acting_role=listing.created_as_role,
        action=action,
        thing=f"listing/{listing.id}",
        now=now,
    )
