"""The page says what is computed, and the simulation sees what it is there to see."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random

import pytest

from airflow_dynamo_pipeline.engine import shares
from airflow_dynamo_pipeline.engine.prices import GB
from airflow_dynamo_pipeline.engine.scale import Scale
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.engine.sizing import FULL_PAGE_UNITS
from tests.benchmarks import scale, scale_page
from tests.benchmarks.scale import Found
from tests.benchmarks.scale_page import PAGE, filled
from tests.benchmarks.scale_simulation import PART_UNITS, Course, Lost, Simulated, Simulation
from tests.benchmarks.scale_table import Piece, Skew, pieces_of, take

SHARED = Scale(size_bytes=100 * GB, item_count=100 * GB // 368, capacity=12_000.0, on_demand=True, ratio=0.75)
ALONE = replace(SHARED, ratio=0.25)
SHORT = Course(scale=SHARED, thinning=40.0)  # 40 simulated seconds


@pytest.fixture(scope="module")
def short() -> Simulated:
    return Simulation(SHORT).run()


def test_the_page_holds_what_is_computed() -> None:
    """``python -m tests.benchmarks.scale_page`` writes it."""
    page = PAGE.read_text("utf-8")

    assert filled(page) == page


def test_a_page_without_a_mark_is_refused() -> None:
    begin, _ = scale_page.marks("services")

    with pytest.raises(ValueError, match="unpack"):
        filled(PAGE.read_text("utf-8").replace(begin, ""))


def test_every_table_has_a_cell_for_each_column() -> None:
    for table in scale_page.TABLES.values():
        lines = table().splitlines()
        assert {lines[0].count("|")} == {line.count("|") for line in lines}


def test_all_units_are_read_once(short: Simulated) -> None:
    """Each page is rounded up to half a unit."""
    units = SHARED.units / SHORT.thinning

    assert units <= short.units <= units + short.pages / 2


def test_the_same_seed_gives_the_same_run(short: Simulated) -> None:
    again, other = Simulation(SHORT).run(), Simulation(replace(SHORT, seed=2)).run()

    assert short.seconds == again.seconds
    assert short.seconds != other.seconds


def test_a_worker_alone_takes_the_hours_on_paper() -> None:
    found = Simulation(Course(scale=ALONE, thinning=40.0)).run()

    assert ALONE.hours == pytest.approx(found.hours, rel=0.1)
    assert 0 == found.refused == found.refused_for_all


def test_e8_workers_that_share_a_rate_pass_no_window_by_more_than_a_page(short: Simulated) -> None:
    assert 3 == SHARED.workers
    assert SHARED.hours == pytest.approx(short.hours, rel=0.1)
    assert 0.9 < short.worst(1.0) <= 1.0


def test_workers_that_do_not_share_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares.Sharing, "rate", lambda sharing, units_per_second: units_per_second)

    assert Simulation(SHORT).run().worst(1.0) > 1.05


def test_full_pages_without_slack_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three workers, each a page ahead at the same moment."""
    monkeypatch.setattr(Scale, "sharing", property(lambda paper: Sharing(workers=paper.workers)))
    monkeypatch.setattr(shares.Sharing, "page_units", lambda sharing, own, full_page: full_page)

    assert Simulation(SHORT).run().worst(1.0) > 1.0


def test_a_lost_worker_reads_again_what_its_checkpoint_has_not() -> None:
    """From the last part of each segment on; the others keep their shares meanwhile."""
    plain = Simulation(replace(SHORT, thinning=4.0)).run()
    lost = Lost(worker=1, at_seconds=100.0, away_seconds=200.0)
    found = Simulation(replace(SHORT, thinning=4.0, lost=lost)).run()

    assert 0 < found.units - plain.units < 8 * (PART_UNITS + FULL_PAGE_UNITS)
    assert 100.0 < found.seconds - plain.seconds < 300.0
    assert found.worst(1.0) <= 1.0


def test_a_partition_that_others_read_slows_its_segment_and_not_the_table() -> None:
    found = Simulation(replace(SHORT, others=2_900.0)).run()

    assert found.refused > 0
    assert 0 == found.refused_for_all
    assert found.hours > 1.2 * SHARED.hours


def test_a_table_that_is_asked_for_more_than_it_has_refuses_and_is_asked_for_less() -> None:
    """Half more than its quota; the throttles come down to it."""
    asked = replace(SHARED, ratio=1.5)
    found = Simulation(Course(scale=asked, thinning=20.0)).run()

    assert found.refused_for_all > 0
    assert found.units / found.seconds < SHARED.capacity


def test_a_ninth_segment_is_read_by_one_thread() -> None:
    """27 segments in three ranges, by eight threads each."""
    even = Simulation(replace(SHORT, ranges=3, segments=48)).run()
    odd = Simulation(replace(SHORT, ranges=3, segments=27)).run()

    assert odd.hours > 1.2 * even.hours


@pytest.mark.parametrize("ranges", [3, 12])
def test_ranges_read_all_partitions_all_the_time_and_none_beyond_its_limit(ranges: int) -> None:
    """Three workers on ten partitions, whose units together are a little more than three of these have."""
    found = Simulation(replace(SHORT, ranges=ranges, segments=96)).run()

    assert 0 == found.refused


def test_the_pieces_of_all_segments_are_the_table() -> None:
    """7 segments on 10 partitions; half of all units below one key."""
    made = pieces_of(SHARED, 7, 2.0, Skew(spread=0.5, heap=0.5), Random(1))
    units = [sum(piece.units for piece in pieces) for pieces in made]

    assert 7 == len(units)
    assert SHARED.units / 2 == pytest.approx(sum(units))
    assert units[3] > SHARED.units / 4
    assert [0, 1] == [piece.partition for piece in made[0]]
    assert set(range(10)) == {piece.partition for pieces in made for piece in pieces}


def test_without_skew_partitions_and_segments_are_equal() -> None:
    made = pieces_of(SHARED, 20, 1.0, Skew(spread=0.0), Random(1))

    assert [SHARED.units / 20] * 20 == pytest.approx([sum(piece.units for piece in each) for each in made])


def test_a_page_may_reach_over_pieces() -> None:
    left = deque(pieces_of(SHARED, 1, 1.0, Skew(spread=0.0), Random(1))[0])
    take(left, SHARED.units / 10 + 1.0)

    assert 9 == len(left)
    assert Piece(1, SHARED.units / 10 - 1.0) == left[0]


def found(to_paper: float = 1.0, worst: float = 0.95, refused: int = 0) -> Found:
    simulated = Simulation(SHORT).run()
    hours = SHARED.hours * to_paper
    simulated = replace(simulated, seconds=hours * 3600 / SHORT.thinning, refused_for_all=refused)
    return Found(name="short", simulated=simulated, worst=[worst, worst], on_paper=True)


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, []),
        ({"to_paper": 0.91}, []),
        ({"to_paper": 0.89}, [0]),
        ({"to_paper": 1.11}, [0]),
        ({"worst": 1.0001}, [1, 2]),
        ({"worst": 0.8}, [3]),
        ({"refused": 1}, [4]),
    ],
)
def test_what_is_not_as_promised_fails_its_verdict(changes: dict[str, float], failed: list[int]) -> None:
    verdicts = scale.verdicts([found(), found(**changes)])  # type: ignore[arg-type]

    assert failed == [number for number, verdict in enumerate(verdicts) if not verdict.passed]


def test_hours_beside_the_paper_are_held_to_nothing() -> None:
    beside = replace(found(to_paper=2.0), on_paper=False)

    assert all(verdict.passed for verdict in scale.verdicts([found(), beside]))


def test_every_row_of_the_page_is_simulated_for_longer_than_a_window() -> None:
    rows = list(scale.rows_on_paper())

    assert 24 == len(rows)
    assert all(course.scale.hours * 3600 / course.thinning > 65 for _, course in rows)


def test_a_report_has_a_cell_for_each_column() -> None:
    table = scale.report([found()]).table

    assert [len(table.columns)] == [len(one) for one in table.rows]
