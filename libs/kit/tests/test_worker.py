"""A real worker on a real Redis: what it survives, and what it refuses."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from cas_kit import telemetry
from cas_kit.errors import Unavailable
from cas_kit.pulse import PULSE_KEY, Pulses
from cas_kit.testing import until
from cas_local.ports import free_port
from cas_local.redis import RedisServer

PROGRAM = Path(__file__).with_name("small_worker.py")


class SmallWorker:
    """One process of the small worker, and its tasks as a sender sees them."""

    def __init__(self, folder, redis_url, **changes):
        self.folder = folder
        self.redis_url = redis_url
        self.changes = changes
        self.log = folder / "log"
        self.process = None
        spec = importlib.util.spec_from_file_location("small_worker", PROGRAM)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.celery = module.small_celery(redis_url, folder, **changes)

    def start(self):
        command = [sys.executable, PROGRAM, self.folder, self.redis_url, json.dumps(self.changes)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        until(lambda: self.process.poll() is not None or self.said("worker_started"), within=30)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def wake(self, task, **ids):
        self.celery.tasks[f"small.{task}"].wake(**ids)

    def backlog(self, task):
        return self.celery.tasks[f"small.{task}"].backlog()

    def runs(self, name):
        """How often the task with this name was run."""
        file = self.folder / name
        return file.stat().st_size if file.exists() else 0

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def said(self, event):
        return [each for each in self.events() if each["event"] == event]

    def release(self):
        (self.folder / "release").touch()

    def kill(self):
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def make_worker(tmp_path, redis_server):
    """Make workers, not started, with a Redis database of their own."""
    url, made = redis_server.url(5), []

    def make(**changes):
        made.append(SmallWorker(tmp_path, url, **changes))
        return made[-1]

    with Redis.from_url(url) as redis:
        redis.flushdb()
        yield make
        for worker in made:
            worker.kill()
            worker.celery.close()
        redis.flushdb()


@pytest.fixture
def worker(make_worker):
    return make_worker()


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that a test may kill."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def own_worker(tmp_path, own_redis):
    """A worker of that Redis, which runs."""
    worker = SmallWorker(tmp_path, own_redis.url())
    try:
        yield worker.start()
    finally:
        worker.kill()
        worker.celery.close()


class TestTask:
    def test_runs_with_the_request_id_of_its_sender(self, worker):
        worker.start()
        token = telemetry.request_id.set("request-9")
        worker.wake("note", name="a")
        telemetry.request_id.reset(token)
        (done,) = until(lambda: worker.said("task_done"))
        assert (done["task"], done["request_id"], done["service"]) == ("small.note", "request-9", "small")
        assert worker.runs("a") == 1

    def test_takes_fields_that_a_newer_sender_adds(self, worker):
        worker.start()
        worker.wake("note", name="a", colour="green")
        until(lambda: worker.runs("a"))

    def test_that_crashes_is_logged_once_and_not_run_again(self, worker):
        worker.start()
        worker.wake("crash", name="a")
        worker.wake("note", name="b")
        until(lambda: worker.runs("b") and worker.said("task_crashed"))
        assert worker.runs("a") == 1
        traces = [event for event in worker.events() if "own trouble" in str(event)]
        assert [trace["event"] for trace in traces] == ["task_crashed"]

    def test_runs_again_when_its_process_is_killed(self, worker):
        worker.start()
        worker.wake("die_once", name="a")
        until(lambda: worker.runs("a") == 2, within=20)

    def test_runs_again_when_the_whole_worker_is_killed(self, make_worker):
        worker = make_worker(broker_transport_options={"visibility_timeout": 1}).start()
        worker.wake("hold", name="a")
        until(lambda: worker.runs("a"))
        worker.kill()
        worker.release()
        worker.start()
        until(lambda: worker.runs("a-done"), within=20)

    def test_that_does_not_give_up_is_killed(self, make_worker):
        worker = make_worker(task_soft_time_limit=1, task_time_limit=2).start()
        worker.wake("stubborn", name="a")
        until(lambda: worker.runs("a"), within=20)
        until(lambda: any("Hard time limit" in event["event"] for event in worker.events()), within=20)
        worker.wake("note", name="b")
        until(lambda: worker.runs("b"))
        assert worker.runs("a") == 1


class TestWorker:
    def test_takes_only_as_much_as_it_can_run(self, worker, redis_server):
        worker.start()
        for number in range(5):
            worker.wake("hold", name=str(number))
        until(lambda: sum(worker.runs(str(number)) for number in range(5)) == 2)
        with Redis.from_url(worker.redis_url) as redis:
            assert redis.llen("cas-small-tasks:small.jobs") == 3
        worker.release()
        until(lambda: all(worker.runs(f"{number}-done") for number in range(5)), within=20)

    def test_leaves_a_backlog_that_senders_can_see(self, worker):
        assert worker.backlog("note") == 0
        for number in range(3):
            worker.wake("note", name=str(number))
        assert worker.backlog("note") == 3
        worker.start()
        until(lambda: worker.backlog("note") == 0)

    def test_goes_on_after_redis_forgot_everything(self, worker):
        worker.start()
        worker.wake("note", name="a")
        until(lambda: worker.runs("a"))
        with Redis.from_url(worker.redis_url) as redis:
            redis.flushdb()
        worker.wake("note", name="b")
        until(lambda: worker.runs("b"))

    @pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
    def test_finishes_what_runs_before_it_stops(self, worker, stop):
        worker.start()
        worker.wake("hold", name="a")
        until(lambda: worker.runs("a"))
        worker.process.send_signal(stop)
        worker.release()
        assert worker.process.wait(20) == 0
        assert worker.runs("a-done") == 1
        assert not [event for event in worker.events() if "Restoring" in event["event"]]
        assert worker.backlog("hold") == 0

    def test_leaves_what_it_has_not_begun_to_others(self, worker):
        worker.start()
        for number in range(3):
            worker.wake("hold", name=str(number))
        until(lambda: sum(worker.runs(str(number)) for number in range(3)) == 2)
        worker.process.terminate()
        worker.release()
        assert worker.process.wait(20) == 0
        assert worker.backlog("hold") == 1
        assert sum(worker.runs(str(number)) for number in range(3)) == 2

    def test_writes_one_json_object_per_line(self, worker):
        worker.start()
        worker.process.terminate()
        assert worker.process.wait(20) == 0
        assert {event["service"] for event in worker.events()} == {"small"}
        assert worker.said("worker_stopped")

    def test_refuses_pickled_messages(self, worker):
        worker.start()
        note = worker.celery.tasks["small.note"]
        note.apply_async(kwargs={"name": "a"}, serializer="pickle", retry=False)
        until(lambda: any("Refusing to deserialize" in str(event) for event in worker.events()))
        assert worker.runs("a") == 0


class TestPulse:
    @pytest.fixture
    def missing(self, own_redis):
        pulses = Pulses(own_redis.url())
        yield lambda: pulses.missing(["small"])
        pulses.close()

    def test_is_there_while_the_worker_takes_work(self, own_worker, missing):
        until(lambda: not missing())
        own_worker.process.send_signal(signal.SIGSTOP)
        until(missing)
        own_worker.process.send_signal(signal.SIGCONT)
        until(lambda: not missing())

    def test_goes_on_while_every_place_is_taken(self, own_redis, own_worker, missing):
        for name in ("a", "b"):
            own_worker.wake("hold", name=name)
        until(lambda: own_worker.runs("a") and own_worker.runs("b"))
        with Redis.from_url(own_redis.url()) as redis:
            redis.delete(PULSE_KEY.format("small"))
        until(lambda: not missing())

    def test_comes_back_with_redis(self, own_redis, own_worker, missing):
        own_redis.process.kill()
        until(lambda: any("Trying again" in event["event"] for event in own_worker.events()), within=20)
        own_redis.start()
        until(lambda: not missing(), within=30)


class TestBroker:
    def test_that_is_away_is_told_soon(self, tmp_path):
        celery = SmallWorker(tmp_path, f"redis://127.0.0.1:{free_port()}/0").celery
        began = time.monotonic()
        with pytest.raises(Unavailable):
            celery.tasks["small.note"].wake(name="a")
        with pytest.raises(Unavailable):
            celery.tasks["small.note"].backlog()
        assert time.monotonic() - began < 5

    def test_that_is_away_keeps_no_worker_from_stopping(self, own_redis, own_worker):
        own_redis.process.kill()
        until(lambda: any("Trying again" in event["event"] for event in own_worker.events()), within=20)
        own_worker.process.terminate()
        assert own_worker.process.wait(20) == 0

    def test_that_comes_back_is_used_again_by_both_sides(self, own_redis, own_worker):
        own_worker.wake("note", name="a")
        until(lambda: own_worker.runs("a"))
        own_redis.process.kill()
        with pytest.raises(Unavailable):
            own_worker.wake("note", name="b")
        own_redis.start()
        own_worker.wake("note", name="c")
        until(lambda: own_worker.runs("c"), within=30)

    @pytest.mark.parametrize("outages_before", [0, 1])
    def test_that_went_while_all_tasks_ran_is_used_again(self, own_redis, own_worker, outages_before):
        """Nobody learns that they are done; their places are free all the same."""
        for _ in range(outages_before):
            own_redis.process.kill()
            until(lambda: any("Trying again" in event["event"] for event in own_worker.events()), within=20)
            own_redis.start()
        for name in ("a", "b"):
            own_worker.wake("hold", name=name)
        until(lambda: own_worker.runs("a") and own_worker.runs("b"))
        own_redis.process.kill()
        own_worker.release()
        until(lambda: own_worker.runs("a-done") and own_worker.runs("b-done"))
        until(lambda: any("Couldn't ack" in event["event"] for event in own_worker.events()))
        own_redis.start()
        own_worker.wake("note", name="c")
        until(lambda: own_worker.runs("c"), within=30)


def test_what_may_still_run_is_never_delivered_again(worker):
    conf = worker.celery.conf
    assert conf.broker_transport_options["visibility_timeout"] == 3 * conf.task_time_limit
    assert conf.task_soft_time_limit < conf.task_time_limit


def test_a_queue_that_no_worker_reads_is_refused(worker):
    with pytest.raises(KeyError):
        worker.celery.tasks["small.note"].apply_async(kwargs={"name": "a"}, queue="small.other")
