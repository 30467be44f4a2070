"""The rules of signing in, without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cas_auth.domain.accounts import canonical_email, lookup_email, merge_metadata
from cas_auth.domain.refusals import InvalidRequest
from cas_auth.domain.sessions import RefreshVerdict, judge_refresh, reuse_causes

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
INTERVAL = timedelta(seconds=10)


class TestCanonicalEmail:
    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("Ada.Lovelace@Example.COM", "ada.lovelace@example.com"),
            ("  ada@example.com ", "ada@example.com"),
            ("ada+tag@example.com", "ada+tag@example.com"),
            ("ada@EXÄMPLE.de", "ada@exämple.de"),
            ("ada@xn--exmple-cua.de", "ada@exämple.de"),
        ],
    )
    def test_is_one_spelling(self, text, canonical):
        assert canonical_email(text) == canonical

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a da@example.com",
            "ada@example..com",
            "a" * 250 + "@b.com",
            "@" * 900_000,
        ],
    )
    def test_refuses_what_is_no_address(self, text):
        with pytest.raises(InvalidRequest, match=r"^Unable to validate email address: invalid format$"):
            canonical_email(text)

    def test_takes_test_domains_only_where_allowed(self):
        assert canonical_email("ada@cas.test", allow_test_domains=True) == "ada@cas.test"
        with pytest.raises(InvalidRequest):
            canonical_email("ada@cas.test")

    @given(st.emails())
    def test_stays_the_same_when_repeated(self, address):
        looked_up = lookup_email(address)
        assert lookup_email(looked_up) == looked_up

    def test_looks_up_text_that_is_no_address_as_it_is(self):
        assert lookup_email("no address") == "no address"


class TestMergeMetadata:
    def test_adds_replaces_and_removes(self):
        merged = merge_metadata({"a": 1, "b": 2, "c": 3}, {"b": 20, "c": None, "d": {"e": None}})
        assert merged == {"a": 1, "b": 20, "d": {"e": None}}

    def test_takes_nothing_to_change(self):
        assert merge_metadata({"a": 1}, None) == {"a": 1}

    @pytest.mark.parametrize("value", ["x" * 4100, "é" * 700])
    def test_refuses_what_no_token_can_carry(self, value):
        with pytest.raises(InvalidRequest, match="4096 bytes"):
            merge_metadata({}, {"text": value})

    def test_counts_both_documents_of_a_token(self):
        merged = merge_metadata({}, {"text": "x" * 2000}, beside={"text": "x" * 2000})
        assert merged == {"text": "x" * 2000}
        with pytest.raises(InvalidRequest, match="4096 bytes"):
            merge_metadata(merged, {"more": "x" * 100}, beside={"text": "x" * 2000})
        assert merge_metadata(merged, {"text": None}, beside={"text": "x" * 4000}) == {}


class TestJudgeRefresh:
    @pytest.mark.parametrize(
        ("presented", "age", "verdict"),
        [
            (5, timedelta(days=9), RefreshVerdict.ROTATE),
            (4, timedelta(days=9), RefreshVerdict.REPEAT),
            (3, INTERVAL, RefreshVerdict.REPEAT),
            (0, timedelta(0), RefreshVerdict.REPEAT),
            (3, INTERVAL + timedelta(microseconds=1), RefreshVerdict.REUSED),
            (0, timedelta(days=9), RefreshVerdict.REUSED),
            (6, timedelta(0), RefreshVerdict.UNKNOWN),
        ],
    )
    def test_forgives_one_behind_and_the_last_moments(self, presented, age, verdict):
        judged = judge_refresh(presented, current=5, rotated_at=NOW - age, now=NOW, reuse_interval=INTERVAL)
        assert judged is verdict

    @pytest.mark.parametrize(
        ("presented", "is_young", "causes"),
        [
            (4, False, "fail-to-save"),
            (3, True, "concurrent-refresh"),
            (4, True, "concurrent-refresh,fail-to-save"),
            (3, False, ""),
        ],
    )
    def test_says_why_it_forgave(self, presented, is_young, causes):
        assert ",".join(reuse_causes(presented, current=5, is_young=is_young)) == causes

    @given(st.integers(0, 50), st.integers(0, 50), st.timedeltas(timedelta(0), timedelta(days=1)))
    def test_rotates_the_newest_and_nothing_else(self, presented, current, age):
        verdict = judge_refresh(
            presented, current=current, rotated_at=NOW - age, now=NOW, reuse_interval=INTERVAL
        )
        assert (verdict is RefreshVerdict.ROTATE) == (presented == current)
        assert (verdict is RefreshVerdict.UNKNOWN) == (presented > current)


class TestJudgeRefreshAfterASecondFactor:
    """Tokens below 4 are from before it was proven."""

    @pytest.mark.parametrize(
        ("presented", "seconds", "verdict"),
        [
            (4, 0, RefreshVerdict.ROTATE),
            (3, 0, RefreshVerdict.SPENT),
            (2, 10, RefreshVerdict.SPENT),
            (3, 11, RefreshVerdict.REUSED),
        ],
    )
    def test_gives_older_tokens_nothing(self, presented, seconds, verdict):
        judged = judge_refresh(
            presented,
            first=4,
            current=4,
            rotated_at=NOW,
            now=NOW + timedelta(seconds=seconds),
            reuse_interval=INTERVAL,
        )
        assert judged is verdict
