"""Which save wins: docs/spec/domain.md 5.3, row by row and against a model of tabs and a bad network."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cas_kit.errors import ValidationFailed
from cas_onboarding.domain.progress import (
    MAX_STEP_DATA_BYTES,
    Progress,
    Save,
    StepDataTooLarge,
    check_step_data,
    decide,
)
from cas_onboarding.domain.roles import Role, UnknownRole, role_named

STORED = Progress(
    current_step=3, furthest_step=4, step_data={"a": 1}, client_session="tab", client_revision=7
)
PLAIN = replace(STORED, client_session="", client_revision=None)
COMPLETED = replace(STORED, is_complete=True)


def save(step: int = 3, data: object = None, **rest: object) -> Save:
    return Save(step=step, data={"b": 2} if data is None else data, **rest)


class TestFirstSave:
    def test_is_stored_as_it_is(self):
        decision = decide(None, save(2, session="tab", revision=0))
        assert decision.applied
        assert decision.progress == Progress(
            current_step=2, furthest_step=2, step_data={"b": 2}, client_session="tab", client_revision=0
        )


class TestNormalSave:
    def test_rule_1_replaces_the_data_and_keeps_the_furthest_step(self):
        decision = decide(STORED, save(2, session="tab", revision=8))
        assert decision.applied
        assert decision.progress == replace(STORED, current_step=2, step_data={"b": 2}, client_revision=8)

    def test_rule_1_tells_numbers_from_yes_and_no(self):
        yes = replace(PLAIN, step_data={"a": True})
        decision = decide(yes, save(3, {"a": 1}))
        assert decision.changes(yes)
        assert decision.progress.step_data["a"] is not True
        assert not decide(yes, save(3, {"a": True})).changes(yes)

    def test_rule_1_moves_the_furthest_step_forward(self):
        assert decide(STORED, save(5, session="tab", revision=8)).progress.furthest_step == 5


class TestRevisions:
    def test_rule_3_a_lower_revision_is_not_applied(self):
        decision = decide(STORED, save(5, session="tab", revision=6))
        assert (decision.applied, decision.progress) == (False, STORED)

    def test_rule_3_saves_without_session_are_one_session(self):
        unnamed = replace(STORED, client_session="")
        assert not decide(unnamed, save(revision=6)).applied
        assert decide(unnamed, save(revision=8)).applied

    def test_rule_4_the_same_revision_with_the_same_content_counts_as_applied(self):
        decision = decide(STORED, save(3, {"a": 1}, session="tab", revision=7))
        assert (decision.applied, decision.progress) == (True, STORED)

    @pytest.mark.parametrize(
        "other", [{"step": 4}, {"data": {"a": 2}}, {"data": {"a": True}}, {"is_complete": True}]
    )
    def test_rule_4_the_same_revision_with_other_content_does_not(self, other):
        decision = decide(STORED, replace(save(3, {"a": 1}, session="tab", revision=7), **other))
        assert (decision.applied, decision.progress) == (False, STORED)


class TestSessions:
    @pytest.mark.parametrize("revision", [None, 0, 7, 99])
    def test_rule_5_a_new_session_takes_over_whatever_its_revision(self, revision):
        decision = decide(STORED, save(1, session="other", revision=revision))
        assert decision.applied
        assert decision.progress == Progress(
            current_step=1,
            furthest_step=4,
            step_data={"b": 2},
            client_session="other",
            client_revision=revision,
            past_sessions=("tab",),
        )

    @pytest.mark.parametrize("revision", [None, 8, 99])
    def test_rule_5_a_session_that_was_taken_over_is_not_applied(self, revision):
        taken = decide(STORED, save(session="other", revision=0)).progress
        decision = decide(taken, save(5, session="tab", revision=revision))
        assert (decision.applied, decision.progress) == (False, taken)

    def test_rule_5_equal_content_does_not_bring_a_taken_session_back(self):
        taken = decide(STORED, save(session="other", revision=7)).progress
        assert not decide(taken, save(session="tab", revision=7)).applied

    def test_rule_5_the_unnamed_session_can_be_taken_over_too(self):
        taken = decide(replace(STORED, client_session=""), save(session="tab", revision=0)).progress
        assert taken.past_sessions == ("",)
        assert not decide(taken, save(5, revision=99)).applied

    def test_rule_5_the_last_ten_are_remembered(self):
        progress = STORED
        for number in range(11):
            progress = decide(progress, save(session=f"tab {number}", revision=0)).progress
        assert progress.past_sessions == tuple(f"tab {number}" for number in range(10))

    def test_a_plain_client_is_no_session_to_remember(self):
        assert decide(PLAIN, save(session="tab", revision=0)).progress.past_sessions == ()


class TestSavesWithoutRevision:
    @pytest.mark.parametrize("session", ["", "tab"])
    @pytest.mark.parametrize(("step", "applied"), [(2, False), (3, True), (4, True)])
    def test_rule_6_count_only_forwards_once_there_was_a_revision(self, session, step, applied):
        decision = decide(STORED, save(step, session=session))
        assert decision.applied is applied
        assert decision.progress.client_revision == 7
        assert decision.progress.client_session == "tab"
        assert decision.progress.step_data == ({"b": 2} if applied else {"a": 1})

    def test_rule_7_count_as_they_come_while_there_never_was_one(self):
        decision = decide(PLAIN, save(1))
        assert decision.applied
        assert decision.progress == replace(PLAIN, current_step=1, step_data={"b": 2})

    def test_rule_7_holds_within_a_named_session(self):
        named = replace(STORED, client_revision=None)
        assert decide(named, save(1, session="tab")).progress == replace(
            named, current_step=1, step_data={"b": 2}
        )

    def test_the_first_revision_is_taken_up(self):
        assert decide(PLAIN, save(1, revision=0)).progress.client_revision == 0


class TestCompletedRow:
    @pytest.mark.parametrize("session", ["", "tab", "other"])
    def test_rule_8_is_never_un_completed(self, session):
        decision = decide(COMPLETED, save(3, {"a": 1}, session=session, revision=8))
        assert (decision.applied, decision.progress) == (False, COMPLETED)

    def test_rule_9_completing_it_again_changes_nothing(self):
        repeated = decide(COMPLETED, save(3, {"a": 1}, is_complete=True, session="other", revision=99))
        different = decide(COMPLETED, save(3, {"a": 2}, is_complete=True, session="tab", revision=8))
        assert (repeated.applied, repeated.progress) == (True, COMPLETED)
        assert (different.applied, different.progress) == (False, COMPLETED)

    def test_a_late_completion_does_not_complete(self):
        decision = decide(STORED, save(5, is_complete=True, session="tab", revision=6))
        assert not decision.progress.is_complete


class TabsOnABadNetwork(RuleBasedStateMachine):
    """Tabs write cumulative answers; the network delays, reorders, duplicates and replays what they send."""

    def __init__(self):
        super().__init__()
        self.stored: Progress | None = None
        self.sent: list[Save] = []
        self.revisions: dict[str, int] = {}
        self.owner: str | None = None
        self.taken_over: set[str] = set()
        self.newest: Save | None = None
        self.furthest = 0

    @initialize(count=st.integers(2, 4))
    def open_tabs(self, count):
        self.revisions = {f"tab {number}": 0 for number in range(count)}

    @rule(data=st.data(), step=st.integers(1, 5), finishes=st.sampled_from([False] * 9 + [True]))
    def type_something(self, data, step, finishes):
        tab = data.draw(st.sampled_from(sorted(self.revisions)))
        self.revisions[tab] += 1
        answers = {f"{tab}, field {number}": number for number in range(self.revisions[tab])}
        self.sent.append(
            Save(step=step, data=answers, session=tab, revision=self.revisions[tab], is_complete=finishes)
        )

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def deliver_any(self, data):
        self.deliver(data.draw(st.sampled_from(self.sent)))

    @precondition(lambda self: self.sent)
    @rule()
    def deliver_the_newest(self):
        self.deliver(self.sent[-1])

    def deliver(self, arriving: Save):
        before = self.stored
        decision = decide(before, arriving)
        self.stored = decision.progress
        if self.newest is None or not self.newest.is_complete:
            self.expect(arriving)
        assert decision.applied == (arriving is self.newest)
        assert self.stored.is_complete or not (before and before.is_complete)

    def expect(self, arriving: Save):
        """The reference: the last tab to appear owns the row, and its highest revision is what counts."""
        if arriving.session in self.taken_over:
            return
        if arriving.session != self.owner:
            self.taken_over |= {self.owner} if self.owner else set()
            self.owner, self.newest = arriving.session, arriving
        elif arriving.revision > self.newest.revision:
            self.newest = arriving
        self.furthest = max(self.furthest, self.newest.step)

    @invariant()
    def nothing_is_lost_and_nothing_goes_back(self):
        if self.newest is None:
            return
        assert self.stored.step_data == self.newest.data
        assert self.stored.current_step == self.newest.step
        assert self.stored.is_complete == self.newest.is_complete
        assert self.stored.furthest_step == self.furthest

    def teardown(self):
        """Once everything has arrived, every field typed in the owning tab is there."""
        for late in self.sent:
            self.deliver(late)
        if self.owner and not self.stored.is_complete:
            assert len(self.stored.step_data) == self.revisions[self.owner]


TestTabsOnABadNetwork = TabsOnABadNetwork.TestCase


def nested(depth: int) -> dict[str, object]:
    return {} if depth == 1 else {"in": nested(depth - 1)}


class TestStepData:
    def test_may_be_64_kib_as_json(self):
        filler = "x" * (MAX_STEP_DATA_BYTES - len('{"text":""}'))
        check_step_data({"text": filler})
        with pytest.raises(StepDataTooLarge):
            check_step_data({"text": filler + "x"})

    def test_is_measured_in_bytes(self):
        with pytest.raises(StepDataTooLarge):
            check_step_data({"text": "é" * (MAX_STEP_DATA_BYTES // 2)})

    def test_may_be_nested_eight_deep(self):
        check_step_data(nested(8))
        check_step_data({"list": [[[[[[[]]]]]]]})

    @pytest.mark.parametrize("data", [nested(9), {"list": [[[[[[[[]]]]]]]]}])
    def test_may_not_be_nested_deeper(self, data):
        with pytest.raises(ValidationFailed) as refused:
            check_step_data(data)
        assert refused.value.detail == "data: must not be nested deeper than 8"


class TestRoleNames:
    @pytest.mark.parametrize(
        ("name", "role"),
        [
            ("tutor", Role.TUTOR),
            ("provider", Role.TUTOR),
            ("client", Role.CLIENT),
            (" Seeker ", Role.CLIENT),
            ("AGENT", Role.AGENT),
        ],
    )
    def test_aliases_case_and_spaces_are_understood(self, name, role):
        assert role_named(name) is role

    @pytest.mark.parametrize("name", ["", "admin", "tutors", "provider,seeker"])
    def test_others_are_refused(self, name):
        with pytest.raises(UnknownRole):
            role_named(name)
