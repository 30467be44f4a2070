"""The verdict on the system, and checks that hang, fail or crawl."""

import threading

import pytest

from cas_account.domain.health import Finding, Status, WorkersMissing, overall, summary
from cas_account.operations.health import HealthMonitor, prove_profiles
from cas_kit.errors import Unavailable


def fail():
    raise Unavailable


class TestVerdict:
    @pytest.mark.parametrize(
        ("findings", "verdict"),
        [
            ({"database": Status.OK, "redis": Status.OK, "neo4j": Status.NOT_CONFIGURED}, Status.OK),
            ({"database": Status.OK, "redis": Status.ERROR}, Status.DEGRADED),
            ({"database": Status.DEGRADED, "redis": Status.OK}, Status.DEGRADED),
            ({"database": Status.ERROR, "redis": Status.OK}, Status.ERROR),
            ({"auth": Status.ERROR, "redis": Status.DEGRADED}, Status.ERROR),
        ],
    )
    def test_follows_the_worst_that_matters(self, findings, verdict):
        assert overall({name: Finding(status) for name, status in findings.items()}) is verdict

    def test_counts_what_is_configured(self):
        findings = dict(
            enumerate(map(Finding, [Status.OK, Status.ERROR, Status.DEGRADED, Status.NOT_CONFIGURED]))
        )
        assert summary(findings) == {"total": 3, "healthy": 1, "degraded": 1, "failed": 1}

    def test_calls_slow_what_takes_half_a_second(self):
        assert Finding.of(seconds=0.49, failed=False).status is Status.OK
        assert Finding.of(seconds=0.5, failed=False).status is Status.DEGRADED
        assert Finding.of(seconds=0.1, failed=True).status is Status.ERROR

    def test_says_no_number_that_was_not_measured(self):
        assert "responseTime" not in Finding(Status.NOT_CONFIGURED).document()


class TestMonitor:
    @pytest.fixture
    def monitor(self):
        made = []

        def make(**checks):
            self.time = 0.0
            made.append(HealthMonitor(checks, monotonic=lambda: self.time))
            return made[-1]

        yield make
        for each in made:
            each.close()

    def test_asks_every_part_and_tells_what_is_not_there(self, patient, monitor):
        report = monitor(database=lambda: None, redis=fail).report()
        statuses = {name: part["status"] for name, part in report["services"].items()}
        assert statuses["database"] == "ok"
        assert statuses["redis"] == "error"
        assert statuses["neo4j"] == "not_configured"
        assert report["status"] == "degraded"
        assert report["summary"]["total"] == 2

    def test_tells_what_is_missing_of_a_part(self, patient, monitor):
        def check():
            raise WorkersMissing(["listings"])

        report = monitor(database=lambda: None, worker=check, redis=fail).report()
        assert report["services"]["worker"]["details"] == {"missing": ["listings"]}
        assert report["services"]["redis"]["details"] == report["services"]["database"]["details"] == {}
        assert report["status"] == "degraded"

    def test_answers_even_when_a_check_has_a_fault(self, patient, monitor):
        def crash():
            raise ZeroDivisionError

        report = monitor(database=lambda: None, redis=crash).report()
        assert report["services"]["redis"]["status"] == "error"
        assert report["status"] == "degraded"

    def test_does_not_wait_for_a_part_that_hangs(self, monitor):
        released = threading.Event()
        report = monitor(database=lambda: None, auth=released.wait).report()
        released.set()
        assert report["services"]["auth"]["status"] == "error"
        assert report["services"]["database"]["status"] == "ok"

    def test_reuses_its_report_for_five_seconds(self, monitor):
        asked = []
        found = monitor(database=lambda: asked.append(1))
        first = found.report()
        self.time = 4.9
        assert found.report() is first
        self.time = 5.0
        assert found.report() is not first
        assert len(asked) == 2

    def test_gives_the_old_report_while_another_caller_renews_it(self, monitor):
        asked, released = threading.Event(), threading.Event()
        blocking = [False]

        def check():
            if blocking[0]:
                asked.set()
                released.wait()

        found = monitor(database=check)
        first = found.report()
        self.time, blocking[0] = 6.0, True
        renewal = threading.Thread(target=found.report)
        renewal.start()
        assert asked.wait(5)
        assert found.report() is first
        released.set()
        renewal.join()
        assert found.report() is not first

    def test_renews_once_for_callers_that_came_together(self, monitor):
        asked, released = [], threading.Event()

        def check():
            asked.append(1)
            released.wait(5)

        found = monitor(database=check)
        reports = []
        callers = [threading.Thread(target=lambda: reports.append(found.report())) for _ in range(3)]
        for caller in callers:
            caller.start()
        released.set()
        for caller in callers:
            caller.join()
        assert len(asked) == 1
        assert reports == [reports[0]] * 3


class TestProfilesCheck:
    def test_reads_as_a_call_does(self, database):
        assert prove_profiles(database) is None

    def test_fails_when_the_database_is_away(self, settings):
        from cas_kit.db import Database

        away = settings.model_copy(
            update={"database_url": type(settings.database_url)("postgresql+psycopg://x@127.0.0.1:1/x")}
        )
        with pytest.raises(Unavailable):
            prove_profiles(Database(away, application_name="nowhere"))
