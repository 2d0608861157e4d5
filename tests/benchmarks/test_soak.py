"""What the soaks measure with measures right, and what they run runs."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine import throttle
from tests.benchmarks import rate_soak, soak
from tests.benchmarks.endpoint import Endpoint, running_endpoint
from tests.benchmarks.rate_soak import ROUNDING, Course, Soak
from tests.benchmarks.runs import ClientFailed
from tests.benchmarks.simulated import BLOCK_BYTES, FULL_PAGE_BYTES, Killed, Life, Shape, SlowStore
from tests.benchmarks.soak import Sample, Soaked, look_at
from tests.benchmarks.weather import Weather
from tests.benchmarks.windows import Ledger, Target
from tests.benchmarks.worker import Outcome
from tests.step_clock import START, StepClock

SHORT = Course(target=1_000, hours=0.15, segments=4, reply_seconds=0.06, life_seconds=200)


@pytest.fixture(scope="module")
def soaked() -> rate_soak.Soaked:
    return Soak(SHORT).run()


def ledger(*pages: tuple[float, float], rates: tuple[tuple[float, float], ...] = ((0.0, 10.0),)) -> Ledger:
    made = Ledger()
    for at, rate in rates:
        made.target.set(at, rate)
    for at, units in pages:
        made.read(at, units)
    return made


def test_a_target_allows_its_integral_over_a_window() -> None:
    target = Target()
    for at, rate in [(10.0, 100.0), (20.0, 100.0), (30.0, 50.0)]:
        target.set(at, rate)

    assert [10.0, 30.0] == target.instants  # what does not change is no change
    assert 100.0 * 5 + 50.0 * 5 == target.units_between(25.0, 35.0)
    assert 100.0 * 10 == target.units_between(5.0, 15.0)  # the first rate held before, too


def test_a_window_holds_what_was_read_from_its_first_instant_to_its_last() -> None:
    worst = ledger((0.0, 5.0), (0.5, 1.0), (1.0, 7.0), (2.5, 9.0)).worst(1.0)

    assert 13.0 / 10.0 == worst.share
    assert 6.0 / 10.0 == worst.less_page
    assert 0.0 == worst.begins_at


def test_one_page_is_the_largest_of_its_own_window() -> None:
    """A page that is as large in another window takes nothing off this one."""
    worst = ledger((0.0, 1000.0), (50.0, 4.0), (50.1, 6.0), (50.2, 4.0), (90.0, 1000.0)).worst(1.0)

    assert 8.0 / 10.0 == worst.less_page
    assert 1000.0 / 10.0 == worst.share


def test_after_a_fall_a_window_allows_no_more_than_the_lower_rate_gave() -> None:
    """What 100 units a second allowed before must not hide that 10 were passed after it."""
    fallen = ledger((8.0, 1.0), (11.0, 20.0), (11.5, 20.0), rates=((0.0, 100.0), (10.0, 10.0)))

    assert 4.0 == fallen.worst(1.0).share
    assert 40.0 / (10.0 * 10.0) == pytest.approx(fallen.worst(10.0).share)


def test_the_window_before_a_rise_is_among_those_tried() -> None:
    """No page stands at its beginning: it ends with one."""
    risen = ledger((9.0, 20.0), rates=((0.0, 10.0), (9.5, 1000.0)))

    assert 2.0 == risen.worst(1.0).share


def test_the_window_between_a_fall_and_a_rise_is_among_those_tried() -> None:
    """It begins and ends with no page: a little earlier or later it would allow more."""
    low = ledger((5.0, 20.0), rates=((0.0, 1000.0), (4.5, 10.0), (5.7, 1000.0)))

    assert 2.0 == pytest.approx(low.worst(1.0).share)


def test_a_simulated_export_goes_through_all_that_is_promised(soaked: rate_soak.Soaked) -> None:
    assert soaked.pages > 1_000
    assert soaked.hours > SHORT.hours
    assert soaked.kills > 0
    assert soaked.stops > 0
    assert soaked.changes > 0
    assert 0.3 < soaked.held < 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_e8_an_attempt_that_renews_its_lease_in_30_ms_passes_no_window(seed: int) -> None:
    """Throttling, lost replies, new capacity, kills and resumes; S3 takes its time, as it does in life."""
    worst = Soak(replace(SHORT, seed=seed)).run().worst

    assert [] == [window for window in worst if window.less_page > 1 + ROUNDING]


def test_the_same_seed_gives_the_same_run(soaked: rate_soak.Soaked) -> None:
    random.random()  # whatever was drawn meanwhile

    assert soaked == Soak(SHORT).run()
    assert soaked != Soak(replace(SHORT, seed=2)).run()


def test_nothing_that_a_killed_attempt_still_does_has_an_effect() -> None:
    clock, bucket = StepClock(), MemoryStore()
    life = Life(clock)
    store = SlowStore(bucket, life, Weather(1, 0.1))
    writer = store.create("open")
    store.put("before", b"")
    life.kill()

    for call in (lambda: store.put("after", b""), lambda: store.delete(["before"]), writer.close):
        with pytest.raises(Killed):
            call()
    assert {"before"} == set(bucket.objects)


def test_a_kill_ends_every_wait_at_once() -> None:
    clock = StepClock()
    life, ended = Life(clock), []

    def wait() -> None:
        with pytest.raises(Killed):
            life.take(1000.0)
        ended.append(clock.monotonic() - START)

    waiting = clock.threading.Thread(target=wait)
    waiting.start()
    clock.wait(clock.threading.Event(), 3.0)
    life.kill()
    waiting.join()

    assert [3.0] == ended


@pytest.mark.parametrize("limit", [None, 50])
def test_the_pages_of_a_segment_lie_one_behind_the_other_and_cost_what_scan_may_cost(
    limit: int | None,
) -> None:
    shape = Shape(units=80_000.0, segments=1, capacity=100.0, seed=1)
    start, sizes = 0, []
    while start < shape.segment_bytes:
        size, items = shape.page_bytes(0, start, limit)
        assert limit is None or items <= limit
        sizes.append(size)
        start += size

    assert shape.segment_bytes == start
    assert max(sizes) <= FULL_PAGE_BYTES
    assert len({size // BLOCK_BYTES for size in sizes}) > 3  # of all sizes


def test_refusals_come_with_every_reason_and_a_key_range_refuses_one_segment_only() -> None:
    weather = Weather(1, 0.1)
    found: dict[tuple[str, ...], set[int]] = {}
    for now in range(20_000):
        for segment in range(4):
            reason = weather.refusal(segment, float(now))
            if reason is not None:
                found.setdefault(reason, set()).add(segment)

    assert 6 == len(found)
    assert {0, 1, 2, 3} == found[()]
    assert {0} == found["TableReadKeyRangeThroughputExceeded",]  # the segment that met it first


def test_a_throttle_that_lets_everyone_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle.Schedule, "seconds_until_free", lambda schedule, now: 0.0)
    worst = Soak(replace(SHORT, hours=0.05)).run().worst

    assert worst[0].less_page > 1.5
    assert worst[1].less_page > 1.5


def test_a_page_more_than_promised_fails_the_verdict(soaked: rate_soak.Soaked) -> None:
    held = replace(soaked.worst[0], less_page=1.0)
    passed = replace(held, less_page=1.001)
    kept = rate_soak.verdicts([replace(soaked, worst=[held, held])])
    broken = rate_soak.verdicts([replace(soaked, worst=[held, held]), replace(soaked, worst=[passed, held])])

    assert [True, True, True] == [verdict.passed for verdict in kept]
    assert [False, True, True] == [verdict.passed for verdict in broken]


def test_a_rate_that_was_hardly_used_proves_nothing(soaked: rate_soak.Soaked) -> None:
    low = replace(soaked.worst[0], less_page=0.5)

    assert [True, True, False] == [
        verdict.passed for verdict in rate_soak.verdicts([replace(soaked, worst=[low, low])])
    ]


def test_a_report_has_a_cell_for_each_column(soaked: rate_soak.Soaked) -> None:
    table = rate_soak.report([soaked]).table

    assert [len(table.columns)] == [len(row) for row in table.rows]


def test_what_a_process_has_open_is_counted_by_kind() -> None:
    here = Path(f"/proc/{os.getpid()}")
    before, over = look_at(here), threading.Event()
    waiting = threading.Thread(target=over.wait)
    read, write = os.pipe()
    with socket.socket(), tempfile.TemporaryFile():
        waiting.start()
        during = look_at(here)
        over.set()
        waiting.join()
    for end in (read, write):
        os.close(end)

    assert (1, 1, 1, 2) == (
        during.threads - before.threads,
        during.sockets - before.sockets,
        during.files - before.files,
        during.others - before.others,
    )
    assert during.rss_bytes > 10_000_000


def sample(**changes: int) -> Sample:
    figures = {"rss_bytes": 300_000_000, "threads": 9, "sockets": 15, "files": 1, "others": 2}
    return Sample(**{**figures, **changes})


def watched(*samples: tuple[float, Sample]) -> Soaked:
    used = Outcome(items=1, cpu_seconds=1.0, wall_seconds=1.0, loaded_rss_bytes=1, peak_rss_bytes=1)
    return Soaked(items=1, outcome=used, scan_bytes=1, samples=samples)


def test_a_stage_is_the_most_that_was_seen_in_it() -> None:
    stages = watched(
        (0.1, sample(rss_bytes=900)), (0.2, sample(rss_bytes=100, files=5)), (0.3, sample(rss_bytes=200))
    )

    assert sample(rss_bytes=200, files=5) == stages.most(0.2, 0.3)
    with pytest.raises(ClientFailed, match="between 90% and 100%"):
        stages.most(0.9, 1.0)


@pytest.mark.parametrize(
    ("end", "failed"),
    [
        ({}, []),
        ({"rss_bytes": 329_000_000}, []),
        ({"rss_bytes": 331_000_000}, ["RSS at the end, times that at the start"]),
        ({"sockets": 18}, []),  # one for each thread and client
        ({"sockets": 19}, ["sockets at the end"]),
        ({"threads": 10, "files": 2}, ["threads at the end", "files at the end"]),
        ({"others": 3}, ["others at the end"]),
    ],
)
def test_what_has_grown_fails_its_verdict(end: dict[str, int], failed: list[str]) -> None:
    verdicts = soak.verdicts(sample(), sample(**end))

    assert failed == [verdict.name for verdict in verdicts if not verdict.passed]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with running_endpoint(pages=2) as running:
        yield running


def test_an_export_is_watched_from_its_first_item_to_its_last(endpoint: Endpoint) -> None:
    """Too few items to see stages: only that the harness runs, and sees what the export says."""
    found = soak.run(endpoint, items=300_000)

    assert 300_000 == found.items == found.outcome.items
    assert found.scan_bytes > 300_000 * 500
    assert max(sample.threads for _, sample in found.samples) > 1
    assert all(share <= 1.0 for share, _ in found.samples)
    table = soak.report(
        replace(found, samples=[(share / 100, found.samples[-1][1]) for share in range(101)])
    ).table
    assert [len(table.columns)] * 3 == [len(row) for row in table.rows]
