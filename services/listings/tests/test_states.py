"""The states of a listing: the table of docs/spec/domain.md 6.4, cell by cell."""

from datetime import timedelta
from uuid import uuid4

import pytest

from cas_kit.errors import ValidationFailed
from cas_listings.domain.listing import new_fields, read_changes
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import Role
from cas_listings.domain.states import Action, DeletionNotAllowed, IllegalTransition, Status, status_named
from cas_listings.models import ServiceListing

from .conftest import GRACE, NOW, PUBLISHABLE

DRAFT, PUBLISHED, UNPUBLISHED, ARCHIVED = Status
GOES = {
    (DRAFT, Action.PUBLISH): PUBLISHED,
    (DRAFT, Action.UNPUBLISH): None,
    (DRAFT, Action.ARCHIVE): ARCHIVED,
    (PUBLISHED, Action.PUBLISH): PUBLISHED,
    (PUBLISHED, Action.UNPUBLISH): UNPUBLISHED,
    (PUBLISHED, Action.ARCHIVE): None,
    (UNPUBLISHED, Action.PUBLISH): PUBLISHED,
    (UNPUBLISHED, Action.UNPUBLISH): UNPUBLISHED,
    (UNPUBLISHED, Action.ARCHIVE): ARCHIVED,
    (ARCHIVED, Action.PUBLISH): None,
    (ARCHIVED, Action.UNPUBLISH): None,
    (ARCHIVED, Action.ARCHIVE): ARCHIVED,
}
ON_THE_WAY = {
    DRAFT: [],
    PUBLISHED: [Action.PUBLISH],
    UNPUBLISHED: [Action.PUBLISH, Action.UNPUBLISH],
    ARCHIVED: [Action.ARCHIVE],
}


def draft(**fields):
    owner = Owner(user_id=uuid4(), display_name="Ada", avatar_url=None)
    values = read_changes(PUBLISHABLE | fields).values
    return ServiceListing.draft(uuid4(), owner=owner, role=Role.TUTOR, fields=new_fields(values), now=NOW)


def listing_that_is(status):
    listing = draft()
    for action in ON_THE_WAY[status]:
        go(listing, action)
    assert listing.status is status
    return listing


def go(listing, action, *, now=NOW):
    return listing.go(action, now=now, grace=GRACE)


class TestTransitions:
    @pytest.mark.parametrize(("status", "action"), GOES)
    def test_follow_the_table(self, status, action):
        listing, target = listing_that_is(status), GOES[status, action]
        if target is None:
            with pytest.raises(IllegalTransition) as refused:
                go(listing, action)
            assert refused.value.extensions["current_status"] == status
            assert action not in refused.value.extensions["allowed_actions"]
        else:
            assert go(listing, action) is (target is not status)
        assert listing.status is (target or status)

    def test_keep_the_first_publication(self):
        listing = listing_that_is(UNPUBLISHED)
        later = NOW + timedelta(days=1)
        go(listing, Action.PUBLISH, now=later)
        assert (listing.published_at, listing.last_published_at) == (NOW, later)

    def test_to_published_need_what_publishing_demands(self):
        listing = draft(title="")
        with pytest.raises(ValidationFailed, match="title"):
            go(listing, Action.PUBLISH)
        assert (listing.status, listing.published_at) == (DRAFT, None)


class TestEditing:
    @pytest.mark.parametrize("status", [DRAFT, PUBLISHED, UNPUBLISHED])
    def test_is_for_all_that_are_not_archived(self, status):
        listing = listing_that_is(status)
        assert listing.edit({"title": "Another title"}, now=NOW) is True
        assert listing.edit({"title": "Another title"}, now=NOW) is False

    def test_is_not_for_archived_ones(self):
        with pytest.raises(IllegalTransition, match="An archived listing cannot be changed"):
            listing_that_is(ARCHIVED).edit({"title": "Another title"}, now=NOW)

    def test_of_a_published_one_keeps_it_publishable(self):
        listing = listing_that_is(PUBLISHED)
        with pytest.raises(ValidationFailed, match="subjects"):
            listing.edit({"subjects": []}, now=NOW)
        assert listing.subjects == PUBLISHABLE["subjects"]


class TestDeletion:
    @pytest.mark.parametrize("status", [PUBLISHED, UNPUBLISHED])
    def test_comes_after_archiving(self, status):
        with pytest.raises(DeletionNotAllowed, match="Archive it first") as refused:
            listing_that_is(status).check_deletable(now=NOW)
        assert refused.value.extensions["current_status"] == status
        assert "deletable_at" not in refused.value.extensions

    def test_of_a_draft_is_possible_at_once(self):
        listing_that_is(DRAFT).check_deletable(now=NOW)

    def test_of_an_archived_one_waits_for_the_grace(self):
        listing = listing_that_is(ARCHIVED)
        assert listing.deletable_at == NOW + GRACE
        before = NOW + GRACE - timedelta(microseconds=1)
        with pytest.raises(DeletionNotAllowed, match="can be deleted from 2026-03-06") as refused:
            listing.check_deletable(now=before)
        assert refused.value.extensions["deletable_at"] == "2026-03-06T12:00:00Z"
        listing.check_deletable(now=NOW + GRACE)


class TestAllowedActions:
    @pytest.mark.parametrize(
        ("status", "allowed"),
        [
            (DRAFT, "edit publish archive delete duplicate"),
            (PUBLISHED, "edit unpublish duplicate"),
            (UNPUBLISHED, "edit publish archive duplicate"),
            (ARCHIVED, "duplicate"),
        ],
    )
    def test_are_those_that_change_something(self, status, allowed):
        assert listing_that_is(status).allowed_actions(now=NOW) == tuple(allowed.split())

    def test_of_an_archived_one_grow_after_the_grace(self):
        allowed = listing_that_is(ARCHIVED).allowed_actions(now=NOW + GRACE)
        assert allowed == (Action.DELETE, Action.DUPLICATE)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "status"), [("paused", UNPUBLISHED), (" Draft ", DRAFT), ("archived", ARCHIVED)]
    )
    def test_are_understood(self, name, status):
        assert status_named(name) is status

    @pytest.mark.parametrize("name", ["", "deleted", None, 5, ["draft"]])
    def test_are_refused_when_unknown(self, name):
        with pytest.raises(ValidationFailed, match="must be one of draft, published"):
            status_named(name)
