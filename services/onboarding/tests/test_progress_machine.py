"""People in several tabs on a bad network, on a real database: nothing acknowledged is lost, nothing goes back.

What the rules of docs/spec/domain.md 5.3 decide is held against a model in test_domain_progress.py; here rows, locks,
transactions and the outbox have to keep it up while processes die and saves arrive at once.
"""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from cas_kit.db import Database
from cas_kit.outbox import Relay
from cas_onboarding import operations
from cas_onboarding.domain.progress import REMEMBERED_SESSIONS, Progress, Save, decide
from cas_onboarding.domain.roles import Role
from cas_onboarding.models import outbox
from cas_onboarding.operations import Saved

log = structlog.get_logger(__name__)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THOROUGH = settings.get_current_profile_name() == "thorough"
PEOPLE, LEAST_SESSIONS = (2_400, 10_000) if THOROUGH else (50, 200)
AT_ONCE = 3


class ProcessDied(Exception):
    """Before its transaction was committed."""


class LossyAccount:
    """Applies a completion once, as the real service does; loses answers and calls when told to."""

    def __init__(self) -> None:
        self.applied: Counter[UUID] = Counter()
        self.failures: list[str] = []

    def apply_onboarding(self, completion_id, completed):
        failure = self.failures.pop() if self.failures else None
        if failure == "the call is lost":
            raise ConnectionError(failure)
        if not self.applied[completion_id]:
            self.applied[completion_id] = 1
        if failure == "the answer is lost":
            raise ConnectionError(failure)


@dataclass
class Tab:
    """One wizard session. Each save holds everything typed so far, as the wizards send it."""

    session: str
    answers: dict[str, int] = field(default_factory=dict)
    revision: int = 0
    offline: list[Save] | None = None


class TabsAndParallelSaves(RuleBasedStateMachine):
    """One person with two to four tabs, more of them later, and a plain client for another role."""

    def __init__(self, database: Database, done: Counter[str]) -> None:
        super().__init__()
        self.database = database
        self.done = done
        self.account = LossyAccount()
        deliver = partial(operations.deliver_completion, database, self.account)
        self.relay = Relay(database, outbox.table, {operations.APPLY_ONBOARDING: deliver})
        self.user_id = uuid4()
        self.tabs: list[Tab] = []
        self.network: list[Save] = []
        self.before: Progress | None = None
        self.acknowledged: Save | None = None
        self.owners: list[str] = []
        self.completions: set[UUID] = set()
        self.plain: Save | None = None

    # ---- what people do ----

    @initialize(count=st.integers(2, 4))
    def open_tabs(self, count):
        for _ in range(count):
            self.tabs.append(self.new_tab())

    @precondition(lambda self: len(self.tabs) < 8)
    @rule()
    def resume_in_a_new_tab(self):
        """It goes on from what is stored, one revision later."""
        tab = self.new_tab()
        if self.before is not None:
            tab.answers = dict(self.before.step_data)
            tab.revision = (self.before.client_revision or 0) + 1
        self.tabs.append(tab)

    def new_tab(self) -> Tab:
        self.done["sessions"] += 1
        return Tab(session=f"tab {self.done['sessions']}")

    @rule(data=st.data(), steps=st.lists(st.integers(1, 5), min_size=1, max_size=4))
    def go_through_steps(self, data, steps):
        tab = data.draw(st.sampled_from(self.tabs))
        finishes = data.draw(st.sampled_from([False] * 19 + [True]))
        for step in steps[:-1]:
            self.type_something(tab, step, finishes=False)
        self.type_something(tab, steps[-1], finishes=finishes)

    def type_something(self, tab: Tab, step: int, *, finishes: bool) -> None:
        tab.revision += 1
        tab.answers = {**tab.answers, f"{tab.session}, field {tab.revision}": tab.revision}
        save = Save(
            step=step, data=tab.answers, is_complete=finishes, session=tab.session, revision=tab.revision
        )
        (self.network if tab.offline is None else tab.offline).append(save)

    @rule(data=st.data())
    def go_offline_or_come_back(self, data):
        """What was typed offline is sent in order when the tab is back."""
        tab = data.draw(st.sampled_from(self.tabs))
        if tab.offline is None:
            tab.offline = []
            return
        waiting, tab.offline = tab.offline, None
        for save in waiting:
            self.deliver(save)
        self.network += waiting

    @precondition(lambda self: self.before is not None)
    @rule(again=st.integers(0, 9))
    def start_over(self, again):
        if again == 0:
            with self.database.transaction() as session:
                operations.delete_progress(
                    session, user_id=self.user_id, role=Role.TUTOR, check_version=any_version
                )
            self.done["deletions"] += 1
            self.before, self.acknowledged, self.owners = None, None, []

    # ---- what the network does: everything that was ever sent may arrive, late, twice, in any order ----

    @precondition(lambda self: self.network)
    @rule(data=st.data(), count=st.integers(1, 4))
    def deliver_any(self, data, count):
        for _ in range(count):
            self.deliver(data.draw(st.sampled_from(self.network)))

    @precondition(lambda self: self.network)
    @rule()
    def deliver_the_newest(self):
        self.deliver(self.network[-1])

    @precondition(lambda self: len(self.network) >= AT_ONCE)
    @rule(data=st.data())
    def deliver_several_at_once(self, data):
        """The outcome is that of some order: rows are locked, not lost."""
        saves = [data.draw(st.sampled_from(self.network)) for _ in range(AT_ONCE)]
        before, known = self.before, set(self.completions)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            outcomes = list(threads.map(self.save, saves))
        self.done["parallel saves"] += AT_ONCE
        after = self.stored(Role.TUTOR)
        order = next(
            (
                order
                for order in itertools.permutations(range(AT_ONCE))
                if in_turn(before, [saves[n] for n in order])
                == (after.progress, [outcomes[n].applied for n in order])
            ),
            None,
        )
        assert order is not None
        self.completions = known
        for n in order:
            self.note(saves[n], outcomes[n])

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def deliver_to_a_process_that_dies(self, data):
        """Before it committed: nothing is stored, and the tab gets no answer."""
        save = data.draw(st.sampled_from(self.network))
        with suppress(ProcessDied), self.database.transaction() as session:
            self.save_in(session, save)
            raise ProcessDied
        assert self.progress() == self.before

    @rule(failure=st.sampled_from(["", "the call is lost", "the answer is lost"]))
    def relay_completions(self, failure):
        self.account.failures = [failure] * bool(failure)
        self.relay_once()

    # ---- a client without sessions and revisions, in another role (rule 7) ----

    @precondition(lambda self: self.plain is None or not self.plain.is_complete)
    @rule(step=st.integers(1, 5), number=st.integers(), finishes=st.sampled_from([False] * 9 + [True]))
    def a_plain_client_saves(self, step, number, finishes):
        save = Save(step=step, data={"number": number % 1000}, is_complete=finishes)
        outcome = self.save(save, Role.CLIENT)
        assert outcome.applied
        self.plain = save
        if outcome.stored.completion_id:
            self.completions.add(outcome.stored.completion_id)

    # ---- what must hold ----

    def deliver(self, save: Save) -> None:
        outcome = self.save(save)
        assert outcome.stored.progress == self.progress()
        self.note(save, outcome)

    def note(self, save: Save, outcome: Saved) -> None:
        """Hold one answer against all that went before."""
        self.done["saves"] += 1
        if save.session in self.past():
            assert not outcome.applied, "a session that was taken over came back"
        if not outcome.applied or (self.before is not None and self.before.is_complete):
            return
        if not self.owners or self.owners[-1] != save.session:
            self.owners.append(save.session)
        elif self.acknowledged is not None:
            assert save.revision >= self.acknowledged.revision, "an older revision replaced a newer one"
        self.acknowledged = save
        self.before = after_applying(self.before, save)
        if save.is_complete:
            self.done["completions"] += 1
            self.completions.add(outcome.stored.completion_id)

    def past(self) -> list[str]:
        """The sessions that are remembered as taken over; none of them owns the row."""
        return self.owners[:-1][-REMEMBERED_SESSIONS:]

    @invariant()
    def the_newest_acknowledged_answers_are_stored(self):
        stored = self.progress()
        if self.acknowledged is None:
            assert stored is None
            return
        assert stored.step_data == self.acknowledged.data, "a field was lost"
        assert stored.current_step == self.acknowledged.step
        assert stored.is_complete == self.acknowledged.is_complete
        assert stored.furthest_step == self.before.furthest_step
        assert stored.client_revision == self.acknowledged.revision
        assert stored.client_session == self.acknowledged.session

    @invariant()
    def another_role_is_left_alone(self):
        if self.plain is not None:
            stored = self.stored(Role.CLIENT).progress
            assert (stored.step_data, stored.is_complete) == (self.plain.data, self.plain.is_complete)

    @invariant()
    def no_completion_has_an_effect_that_nobody_asked_for(self):
        assert self.account.applied.keys() <= self.completions
        assert set(self.account.applied.values()) <= {1}

    def teardown(self):
        """Everything arrives in the end, and every completion has taken effect, once."""
        for save in self.network:
            self.deliver(save)
        self.the_newest_acknowledged_answers_are_stored()
        self.every_field_of_the_newest_tab_is_there()
        while self.relay_once():
            pass
        assert self.account.applied.keys() == self.completions
        assert self.audited_completions() == self.completions

    def every_field_of_the_newest_tab_is_there(self):
        if self.acknowledged is None or self.acknowledged.is_complete:
            return
        sent = [save for save in self.network if save.session == self.acknowledged.session]
        assert all(save.data.items() <= self.acknowledged.data.items() for save in sent)

    # ---- the service ----

    def save(self, save: Save, role: Role = Role.TUTOR) -> Saved:
        with self.database.transaction() as session:
            return self.save_in(session, save, role)

    def save_in(self, session, save: Save, role: Role = Role.TUTOR) -> Saved:
        return operations.save_progress(
            session, user_id=self.user_id, role=role, save=save, check_version=any_version, now=NOW
        )

    def stored(self, role: Role):
        with self.database.autocommit() as connection:
            found = operations.list_progress(connection, user_id=self.user_id)
        return next((each for each in found if each.role is role), None)

    def progress(self) -> Progress | None:
        stored = self.stored(Role.TUTOR)
        return None if stored is None else stored.progress

    def relay_once(self) -> int:
        """Let the relay try all that waits, as if its pauses had passed."""
        with self.database.autocommit() as connection:
            connection.execute(text("UPDATE outbox_messages SET next_attempt_at = now()"))
        return self.relay.run_once()

    def audited_completions(self) -> set[UUID]:
        with self.database.autocommit() as connection:
            things = connection.execute(
                text("SELECT thing FROM audit_log WHERE actor_id = :user"), {"user": self.user_id}
            ).scalars()
            return {UUID(thing.removeprefix("completion/")) for thing in things}


def any_version(current):
    """No `If-Match`."""


def in_turn(before: Progress | None, saves: list[Save]) -> tuple[Progress | None, list[bool]]:
    """What the rules make of these saves, one after the other."""
    applied = []
    for save in saves:
        decision = decide(before, save)
        before = decision.progress
        applied.append(decision.applied)
    return before, applied


def after_applying(before: Progress | None, save: Save) -> Progress:
    """What a save leaves that counts."""
    furthest = max(save.step, before.furthest_step if before else 0)
    taken_over = before is not None and before.client_session != save.session
    past = (*before.past_sessions, before.client_session) if taken_over else ()
    begun = Progress(
        current_step=save.step,
        furthest_step=furthest,
        step_data=save.data,
        is_complete=save.is_complete,
        client_session=save.session,
        client_revision=save.revision,
        past_sessions=past[-REMEMBERED_SESSIONS:],
    )
    return begun if before is None or taken_over else replace(begun, past_sessions=before.past_sessions)


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_and_nothing_goes_back(database):
    done: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: TabsAndParallelSaves(database, done),
        settings=settings(max_examples=PEOPLE, stateful_step_count=40, deadline=None),
    )
    log.info("machine_ran", **done)
    assert done["sessions"] >= LEAST_SESSIONS
