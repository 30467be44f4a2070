"""What other services may ask, over a real connection."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from uuid import uuid4

import grpc
import pytest
from cas.listings.v1 import listings_pb2
from cas.listings.v1.listings_pb2_grpc import ListingsServiceStub

from cas_kit.ratelimit import RateLimiter
from cas_kit.rpc import ERROR_CODE, RpcServer
from cas_listings import rpc

from .conftest import PUBLISHABLE

PATH = "/api/listings"


@pytest.fixture
def stub(database, settings, storage) -> Iterator[ListingsServiceStub]:
    limiter = RateLimiter(str(settings.redis_url), prefix=f"test-{uuid4().hex}")
    server = RpcServer(partial(rpc.register, database=database, limiter=limiter, storage=storage))
    port = server.start(host="127.0.0.1", port=0)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield ListingsServiceStub(channel)
    server.stop(timedelta(0))


def refusal(call, request):
    with pytest.raises(grpc.RpcError) as refused:
        list(call(request, timeout=5))
    code = dict(refused.value.trailing_metadata())[ERROR_CODE]
    return refused.value.code().name, code


class TestGetListing:
    def test_tells_what_everybody_may_know(self, stub, ada, examples, owner):
        made = ada.post(PATH, json=examples | PUBLISHABLE | {"status": "published"}).json()
        request = listings_pb2.GetListingRequest(listing_id=made["id"])
        listing = stub.GetListing(request, timeout=5).listing
        assert (listing.listing_id, listing.owner_id) == (made["id"], str(owner.user_id))
        assert (listing.title, listing.status, listing.slug) == (made["title"], "published", made["slug"])
        assert (listing.hourly_rate.minor_units, listing.hourly_rate.currency) == (4550, "EUR")
        assert (listing.trial_minutes, listing.location_city) == (45, "London")
        assert (list(listing.subjects), listing.owner_display_name) == (["Mathematics"], "Ada Lovelace")
        assert listing.HasField("published_at")
        assert "1AA" not in str(listing)
        assert "St James" not in str(listing)

    def test_leaves_out_what_there_is_not(self, stub, ada):
        made = ada.post(PATH, json={}).json()
        request = listings_pb2.GetListingRequest(listing_id=made["id"])
        listing = stub.GetListing(request, timeout=5).listing
        assert listing.status == "draft"
        for name in ("hourly_rate", "trial_minutes", "published_at"):
            assert not listing.HasField(name)

    def test_refuses_unknown_and_malformed_ids(self, stub):
        unknown = listings_pb2.GetListingRequest(listing_id=str(uuid4()))
        assert refusal(stub.GetListing, unknown) == ("NOT_FOUND", "listing-not-found")
        malformed = listings_pb2.GetListingRequest(listing_id="1")
        assert refusal(stub.GetListing, malformed) == ("INVALID_ARGUMENT", "validation-failed")


class TestBatchGetListings:
    def test_leaves_out_what_is_unknown(self, stub, ada):
        ids = [ada.post(PATH, json={}).json()["id"] for _ in range(2)]
        request = listings_pb2.BatchGetListingsRequest(listing_ids=[*ids, str(uuid4())])
        found = stub.BatchGetListings(request, timeout=5).listings
        assert {listing.listing_id for listing in found} == set(ids)

    def test_takes_five_hundred_at_most(self, stub):
        request = listings_pb2.BatchGetListingsRequest(listing_ids=[str(uuid4()) for _ in range(501)])
        assert refusal(stub.BatchGetListings, request) == ("INVALID_ARGUMENT", "too-many-ids")


class TestRefreshOwner:
    def test_shows_another_name(self, stub, ada, owner):
        made = ada.post(PATH, json={}).json()
        request = listings_pb2.RefreshOwnerRequest(
            user_id=str(owner.user_id), display_name="Ada King", avatar_url="", version=9
        )
        assert stub.RefreshOwner(request, timeout=5).changed == 1
        shown = ada.get(f"{PATH}/{made['id']}").json()["owner"]
        assert (shown["display_name"], shown["avatar_url"]) == ("Ada King", None)


class TestExportAndErasure:
    def test_belong_to_one_user(self, stub, ada, grace, owner):
        ada.post(PATH, json=PUBLISHABLE)
        other = grace.post(PATH, json={"title": "Another person's"}).json()
        export = listings_pb2.ExportUserRequest(user_id=str(owner.user_id))
        sections = [item.section for item in stub.ExportUser(export, timeout=5)]
        assert sections == ["listings", "activity"]
        erase = listings_pb2.EraseUserRequest(user_id=str(owner.user_id))
        assert stub.EraseUser(erase, timeout=5).rows > 0
        assert stub.EraseUser(erase, timeout=5).rows == 0
        assert grace.get(f"{PATH}/{other['id']}").status_code == 200

    @pytest.mark.parametrize("name", ["ExportUser", "EraseUser", "RefreshOwner"])
    def test_refuse_malformed_ids(self, stub, name):
        request = getattr(listings_pb2, f"{name}Request")(user_id="nobody")
        assert refusal(getattr(stub, name), request) == ("INVALID_ARGUMENT", "validation-failed")
