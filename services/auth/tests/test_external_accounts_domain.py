"""What is kept of a provider's claims, and how a user's own metadata follows them."""

import pytest

from cas_auth.domain.external_accounts import ExternalAccount, followed

CLAIMS = {"iss": "https://issuer.example.com", "sub": "1", "picture": "https://example.com/ada.png"}


class TestExternalAccount:
    @pytest.mark.parametrize("name", ["Ada Lovelace", "阿达", "سمیه\u200cپور", "x" * 512])
    def test_keeps_names_as_they_are_written(self, name):
        account = ExternalAccount.of("keycloak", {**CLAIMS, "name": name}, vouches_for_email=True)
        assert (account.data["name"], account.data["full_name"]) == (name, name)

    @pytest.mark.parametrize("name", ["x" * 513, "nul\x00", "half \ud800", "", 5, ["Ada"], None])
    def test_leaves_out_what_cannot_be_kept(self, name):
        account = ExternalAccount.of("keycloak", {**CLAIMS, "name": name}, vouches_for_email=True)
        assert not {"name", "full_name"} & account.data.keys()
        assert account.data["avatar_url"] == "https://example.com/ada.png"


class TestFollowed:
    @pytest.mark.parametrize(
        ("own", "before", "after", "expected"),
        [
            ({}, {}, {"name": "Ada"}, {"name": "Ada"}),
            ({"name": "Ada"}, {"name": "Ada"}, {"name": "Ada King"}, {"name": "Ada King"}),
            ({"name": "Countess"}, {"name": "Ada"}, {"name": "Ada King"}, {}),
            ({}, {"name": "Ada"}, {"name": "Ada King"}, {}),
            ({"name": "Countess"}, {}, {"name": "Ada"}, {}),
            ({"city": "London"}, {}, {"name": "Ada"}, {"name": "Ada"}),
        ],
        ids=["nobody", "follows", "chosen", "removed", "linked", "beside"],
    )
    def test_changes_what_the_user_did_not(self, own, before, after, expected):
        assert followed(own, before=before, after=after) == expected
