from __future__ import annotations

import threading

import pytest

from airflow_dynamo_pipeline.engine import workers
from airflow_dynamo_pipeline.engine.workers import Workers
from airflow_dynamo_pipeline.errors import AccessDenied, ServiceTrouble, Stopped
from tests.clock import VirtualClock
from tests.step_clock import StepClock


class Rig:
    """Workers, what they did, and a stop event that their tasks look at."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.clock = VirtualClock()
        self.done: list[int] = []
        self.threads: set[str] = set()
        self.ticks: list[int] = []

    def task(self, number: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.done.append(number)

    def until_stopped(self, _number: int) -> None:
        self.stop.wait()
        raise Stopped("told to stop")

    def tick(self) -> None:
        self.ticks.append(threading.get_ident())

    def run(self, workers: Workers) -> None:
        workers.run(self.clock, tick=self.tick, stop_all=self.stop.set)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def segment_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("segment-")]


def test_every_task_is_run_once(rig: Rig) -> None:
    rig.run(Workers(range(20), rig.task, threads=3))

    assert list(range(20)) == sorted(rig.done)
    assert not rig.stop.is_set()


def test_no_more_threads_work_than_were_asked_for(rig: Rig) -> None:
    together, most = 0, 0
    lock = threading.Lock()
    never = threading.Event()

    def task(_number: int) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        rig.clock.wait(never, 1.0)
        with lock:
            together -= 1

    rig.run(Workers(range(9), task, threads=3))

    assert 3 == most


def test_ticks_come_from_the_calling_thread_while_tasks_run() -> None:
    steps, ticks = StepClock(), []
    with steps.in_place_of_threads(workers):
        waiting = steps.threading.Event()

        def busy(_: int) -> None:
            steps.wait(waiting, 5.0)

        task = Workers([0], busy, threads=1)
        task.run(steps, tick=lambda: ticks.append(threading.get_ident()), stop_all=lambda: None)

    assert {threading.get_ident()} == set(ticks)
    assert 10 <= len(ticks) <= 12


def test_the_error_of_a_task_is_raised_when_all_threads_have_ended(rig: Rig) -> None:
    all_begun = threading.Barrier(3)

    def task(number: int) -> None:
        all_begun.wait()
        if number == 0:
            raise AccessDenied("s3:PutObject", "b")
        rig.until_stopped(number)

    with pytest.raises(AccessDenied):
        rig.run(Workers(range(3), task, threads=3))
    assert [] == segment_threads()


def test_a_real_error_wins_over_those_who_were_told_to_stop_before_it(rig: Rig) -> None:
    both = threading.Barrier(2)

    def task(number: int) -> None:
        both.wait()
        if number == 0:
            raise Stopped("told to stop")
        rig.stop.wait()
        raise ServiceTrouble("could not close the part")

    with pytest.raises(ServiceTrouble):
        rig.run(Workers(range(2), task, threads=2))


def test_when_all_were_told_to_stop_that_is_raised(rig: Rig) -> None:
    rig.stop.set()

    with pytest.raises(Stopped):
        rig.run(Workers(range(4), rig.until_stopped, threads=2))


def test_after_a_failure_no_further_task_is_begun(rig: Rig) -> None:
    def task(number: int) -> None:
        rig.task(number)
        raise ServiceTrouble("503")

    with pytest.raises(ServiceTrouble):
        rig.run(Workers(range(50), task, threads=1))
    assert [0] == rig.done


def test_an_error_that_is_not_an_exception_ends_the_run_too(rig: Rig) -> None:
    def task(_number: int) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        rig.run(Workers(range(2), task, threads=1))


def test_an_exception_in_the_tick_stops_and_joins_all_threads(rig: Rig) -> None:
    def tick() -> None:
        raise KeyboardInterrupt

    workers = Workers(range(4), rig.until_stopped, threads=4)
    with pytest.raises(KeyboardInterrupt):
        workers.run(rig.clock, tick=tick, stop_all=rig.stop.set)

    assert rig.stop.is_set()
    assert [] == segment_threads()


def test_no_tasks_end_at_once(rig: Rig) -> None:
    rig.run(Workers([], rig.task, threads=2))

    assert [] == rig.done


def test_a_thread_that_cannot_be_started_does_not_leave_others_running(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a container limits the number of processes."""
    start, count = threading.Thread.start, 0

    def limited(thread: threading.Thread) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    try:
        with pytest.raises(RuntimeError, match="new thread"):
            rig.run(Workers(range(2), rig.until_stopped, threads=2))
        assert [] == segment_threads()
    finally:
        rig.stop.set()
        for thread in segment_threads():
            thread.join()


def test_a_failure_stops_the_others_while_the_calling_thread_is_busy(rig: Rig) -> None:
    """A tick may hang for minutes in a call of its own."""

    def task(number: int) -> None:
        if number == 0:
            raise AccessDenied("dynamodb:Scan", "orders")
        rig.until_stopped(number)

    def busy_until_stopped() -> None:
        assert rig.stop.wait(30)

    with pytest.raises(AccessDenied):
        Workers([0, 1], task, threads=2).run(rig.clock, tick=busy_until_stopped, stop_all=rig.stop.set)


def test_a_stop_heard_inside_the_tick_does_not_hide_the_failure_that_caused_it(rig: Rig) -> None:
    def fail(_number: int) -> None:
        raise AccessDenied("dynamodb:Scan", "orders")

    def tick() -> None:
        assert rig.stop.wait(30)
        raise Stopped("told to stop while waiting to try again")

    with pytest.raises(AccessDenied):
        Workers([0], fail, threads=1).run(rig.clock, tick=tick, stop_all=rig.stop.set)
