"""The rules of a profile, without a database."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_account.domain.profile import Identity, completeness, cut_at_word, merge_preferences, read_changes
from cas_account.domain.roles import Role
from cas_kit.errors import ValidationFailed

MEDIA = "http://localhost:8000/media/"


def values(document):
    return read_changes(document, media_url=MEDIA).values


class TestIdentity:
    @pytest.mark.parametrize(
        ("metadata", "name"),
        [
            ({"full_name": " Ada  Lovelace ", "name": "A"}, "Ada  Lovelace"),
            ({"full_name": "", "name": "Ada"}, "Ada"),
            ({"full_name": "A", "name": ["Ada"]}, ""),
            ({"full_name": "A" * 200}, "A" * 100),
            (None, ""),
            ("Ada", ""),
        ],
    )
    def test_takes_a_usable_name_or_none(self, metadata, name):
        found = Identity.from_claims(uuid4(), {"email": "Ada@Example.COM", "user_metadata": metadata})
        assert (found.email, found.display_name) == ("ada@example.com", name)

    @pytest.mark.parametrize(
        ("claim", "verified"), [(True, True), (False, False), ("true", False), (1, False)]
    )
    def test_takes_nothing_but_true_for_verified(self, claim, verified):
        assert Identity.from_claims(uuid4(), {"email_verified": claim}).email_verified is verified

    def test_knows_when_the_token_was_issued(self):
        assert Identity.from_claims(uuid4(), {"iat": 1_772_366_400}).issued_at == datetime(
            2026, 3, 1, 12, tzinfo=UTC
        )
        assert Identity.from_claims(uuid4(), {}).issued_at is None

    def test_does_without_an_email(self):
        assert Identity.from_claims(uuid4(), {}).email == ""


class TestReadChanges:
    def test_ignores_what_is_read_only_or_unknown(self):
        changes = read_changes(
            {"id": 1, "roles": 2, "version": "x", "completeness": None, "shoe_size": 43}, media_url=MEDIA
        )
        assert (changes.values, changes.active_role) == ({}, None)

    def test_clears_with_null_and_with_blanks(self):
        assert values({"bio": None, "city": " ", "timezone": None, "preferences": None}) == {
            "bio": "",
            "city": "",
            "timezone": "Europe/London",
            "preferences": None,
        }

    def test_takes_full_name_when_display_name_is_absent(self):
        assert values({"full_name": "Ada"}) == {"display_name": "Ada"}
        assert values({"full_name": "Ada", "display_name": "Countess"}) == {"display_name": "Countess"}

    def test_reads_roles_by_alias_and_keeps_the_active_one_without(self):
        assert read_changes({"active_role": "Provider"}, media_url=MEDIA).active_role is Role.TUTOR
        assert read_changes({"active_role": ""}, media_url=MEDIA).active_role is None

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("display_name", "A"),
            ("display_name", "A" * 101),
            ("first_name", 5),
            ("last_name", "x" * 101),
            ("bio", "x" * 501),
            ("categories", "x" * 201),
            ("achievements", "x" * 2001),
            ("avatar_url", "http://elsewhere.example/a.png"),
            ("custom_picture_url", "data:image/png;base64,AAAA"),
            ("cover_photo_url", "https://" + "x" * 2048),
            ("phone", "0207 946 0000"),
            ("phone", "+0123"),
            ("phone", "+1"),
            ("phone", "+1234567890123456"),
            ("phone", "\u0661\u0662\u0663"),
            ("country", []),
            ("city", "x" * 101),
            ("timezone", "Mars/Olympus"),
            ("preferences", []),
            ("active_role", "king"),
            ("active_role", 1),
        ],
    )
    def test_refuses_with_the_name_of_the_field_first(self, field, value):
        with pytest.raises(ValidationFailed) as raised:
            values({field: value})
        assert raised.value.detail.startswith(f"{field}: ")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("phone", "+447700900123"),
            ("phone", "12"),
            ("avatar_url", "https://elsewhere.example/a.png"),
            ("cover_photo_url", MEDIA + "u/1/cover.webp"),
            ("timezone", "America/New_York"),
            ("preferences", {"theme": "dark"}),
        ],
    )
    def test_takes_what_is_right(self, field, value):
        assert values({field: value}) == {field: value}

    def test_wants_an_object(self):
        with pytest.raises(ValidationFailed, match="body: must be a JSON object"):
            values([])


class TestPreferences:
    def test_are_merged_by_top_level_key(self):
        assert merge_preferences({"a": {"x": 1}, "b": 2}, {"a": {"y": 1}, "b": None, "c": 3}) == {
            "a": {"y": 1},
            "c": 3,
        }

    def test_are_removed_by_clearing_and_kept_by_an_empty_change(self):
        assert merge_preferences({"a": 1}, None) == {}
        assert merge_preferences({"a": 1}, {}) == {"a": 1}

    def test_take_at_most_sixteen_kibibytes(self):
        fits = "x" * (16 * 1024 - len('{"a":""}'))
        assert merge_preferences({}, {"a": fits}) == {"a": fits}
        with pytest.raises(ValidationFailed, match="16 KiB"):
            merge_preferences({}, {"a": fits + "x"})


class TestCompleteness:
    EMPTY = dict.fromkeys(
        [
            "display_name",
            "avatar_url",
            "custom_picture_url",
            "bio",
            "categories",
            "achievements",
            "cover_photo_url",
        ],
        "",
    )

    def test_of_nothing(self):
        assert completeness(self.EMPTY) == {
            "score": 0,
            "missing": ["display_name", "avatar_url", "bio", "categories", "achievements", "cover_photo_url"],
        }

    def test_of_everything(self):
        full = self.EMPTY | {
            "display_name": "Ad",
            "custom_picture_url": "https://x",
            "bio": "x" * 50,
            "categories": "x",
            "achievements": "x" * 30,
            "cover_photo_url": "https://x",
        }
        assert completeness(full) == {"score": 100, "missing": []}
        assert completeness(full | {"bio": "x" * 49}) == {"score": 83, "missing": ["bio"]}


class TestCutAtWord:
    @given(st.text(), st.integers(1, 50))
    def test_fits_and_begins_alike(self, text, longest):
        cut = cut_at_word(text, longest=longest)
        assert len(cut) <= longest
        assert text.startswith(cut)

    def test_ends_with_a_whole_word(self):
        assert cut_at_word("one two three", longest=7) == "one two"
        assert cut_at_word("one two three", longest=9) == "one two"
        assert cut_at_word("one\ntwo three", longest=7) == "one\ntwo"
        assert cut_at_word("onetwothree", longest=3) == "one"
