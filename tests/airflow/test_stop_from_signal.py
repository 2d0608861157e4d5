"""What a task does when Airflow tells it to stop: it stops, then says so."""

import signal
import threading

from airflow_dynamo_pipeline.operators.running import stop_from_signal

PATIENCE_SECONDS = 60.0


def test_the_log_says_what_follows_once_the_stop_is_set() -> None:
    stop, said = threading.Event(), threading.Event()
    lines: list[tuple[str, bool]] = []

    def say(line: str) -> None:
        lines.append((line, stop.is_set()))
        said.set()

    stop_from_signal(stop, say, "the page under way is the last")

    assert said.wait(PATIENCE_SECONDS)
    assert [("told to stop by Airflow; the page under way is the last", True)] == lines


def test_a_handler_that_interrupts_the_holder_of_the_logs_lock_does_not_wait_for_it() -> None:
    stop, lock, said = threading.Event(), threading.Lock(), threading.Event()

    def say(_: str) -> None:
        with lock:
            said.set()

    before = signal.signal(signal.SIGUSR1, lambda *_: stop_from_signal(stop, say, "nothing follows"))
    try:
        with lock:
            signal.raise_signal(signal.SIGUSR1)
            assert stop.wait(PATIENCE_SECONDS)
            assert not said.is_set()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert said.wait(PATIENCE_SECONDS)
