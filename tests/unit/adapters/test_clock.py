from __future__ import annotations

import threading
from datetime import UTC, timedelta

from airflow_dynamo_pipeline.adapters.clock import SystemClock


def test_a_wait_ends_with_its_event() -> None:
    event = threading.Event()
    event.set()

    assert SystemClock().wait(event, 3600.0)


def test_a_wait_of_nothing_ends_without_its_event() -> None:
    assert not SystemClock().wait(threading.Event(), 0.0)


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()
    seen = [clock.monotonic() for _ in range(100)]

    assert sorted(seen) == seen


def test_now_is_in_utc() -> None:
    assert timedelta(0) == SystemClock().now().utcoffset()
    assert UTC is SystemClock().now().tzinfo
