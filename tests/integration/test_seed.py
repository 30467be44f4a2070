"""The believable marketplace of `make seed` is one that people can look at."""

import subprocess
from itertools import islice

import httpx
import pytest
from tools.marketplace.offers import offers
from tools.seed import connect, insert_listings, insert_profiles


@pytest.fixture(scope="module")
def seeded(stack):
    """Some offers, written twice: the second time changes nothing."""
    some = list(offers(40, seed=7))
    with (
        connect(stack.environments["account"], "ACCOUNT") as profiles,
        connect(stack.environments["listings"], "LISTINGS") as listings,
    ):
        for _ in range(2):
            insert_profiles(profiles, some)
            insert_listings(listings, some)
    command = stack.services["listings"].command("reindex")
    subprocess.run(command, env=stack.environments["listings"], check=True, capture_output=True)
    return some


def test_its_listings_are_found_and_read(stack, seeded):
    for offer in seeded[::10]:
        title = offer.body["title"]
        found = httpx.get(f"{stack.url}/api/listings/search", params={"q": f'"{title}"'}).json()["listings"]
        assert str(offer.id) in {each["id"] for each in found}
        listing = httpx.get(f"{stack.url}/api/listings/{offer.id}").json()
        assert (listing["title"], listing["owner"]["display_name"]) == (title, offer.owner.name)


def test_its_people_have_profiles(stack, seeded):
    profile = httpx.get(f"{stack.url}/api/profiles/{seeded[0].owner.id}").json()
    assert (profile["display_name"], profile["roles"]) == (seeded[0].owner.name, ["tutor"])


def test_it_is_the_same_for_the_same_seed():
    ten, again, other = (
        list(islice(offers(count, seed=seed), 10)) for count, seed in ((10, 1), (99, 1), (10, 2))
    )
    assert ten == again
    assert ten != other
