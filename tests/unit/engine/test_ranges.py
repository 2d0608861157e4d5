from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.ranges import (
    MOST_RANGES,
    RangeWork,
    in_order,
    numbers_of,
    range_problems,
    range_works,
)
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.errors import InvalidRequest
from tests.unit.engine.world import work

GOOD: dict[str, Any] = {
    "id": "2026-01-02-03-04-05-0a1b2c3d",
    "number": 2,
    "ranges": 8,
    "at_once": 4,
    "slack": 0.01,
    "run": None,
    "generation": "0",
    "began_at": "2026-01-02T03:04:05+00:00",
    "finished": False,
}


def refused(given: Any) -> dict[str, str]:
    """Where problems are, and what they are."""
    with pytest.raises(InvalidRequest) as caught:
        RangeWork.from_json(given)
    assert all(problem.hint for problem in caught.value.problems)
    return {problem.where: problem.message for problem in caught.value.problems}


def test_what_a_plan_hands_out_is_read_back_from_its_json() -> None:
    parts = range_works(work(), "an-id", 3, Sharing(workers=2, slack=0.05))

    assert [0, 1, 2] == [part.number for part in parts]
    assert list(parts) == [RangeWork.from_json(json.loads(json.dumps(part.to_json()))) for part in parts]
    assert {work()} == {part.work for part in parts}
    assert {Sharing(workers=2, slack=0.05)} == {part.sharing for part in parts}


def test_a_range_without_finished_is_not() -> None:
    given = {name: value for name, value in GOOD.items() if name != "finished"}

    assert not RangeWork.from_json(given).finished


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", None),
        ("number", -1),
        ("number", 8),
        ("number", True),
        ("number", "2"),
        ("number", 1.0),
        ("ranges", 0),
        ("ranges", MOST_RANGES + 1),
        ("at_once", 0),
        ("at_once", 9),
        ("slack", -0.1),
        ("slack", 1),
        ("slack", True),
        ("slack", "0"),
        ("slack", float("nan")),
        ("run", 3),
        ("generation", None),
        ("began_at", "yesterday"),
        ("began_at", "2026-01-02T03:04:05"),
        ("began_at", None),
        ("finished", "no"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(name: str, value: object) -> None:
    assert [f"work.{name}"] == list(refused({**GOOD, name: value}))


@pytest.mark.parametrize("name", [name for name in GOOD if name != "finished"])
def test_what_is_missing_is_named(name: str) -> None:
    given = {key: value for key, value in GOOD.items() if key != name}

    assert {f"work.{name}": "is missing"} == refused(given)


@pytest.mark.parametrize("given", [None, "text", [GOOD], 7])
def test_what_is_no_json_object_is_refused(given: object) -> None:
    assert ["work"] == list(refused(given))


def test_every_problem_is_found_at_once() -> None:
    given = {**GOOD, "number": 11, "at_once": 9, "slack": 2, "surprise": 1}
    del given["run"]

    found = refused(given)

    assert {"work.surprise", "work.slack", "work.run", "work.number", "work.at_once"} == set(found)
    assert "11 is not 0 to 7" == found["work.number"]


@pytest.mark.parametrize(("ranges", "count"), [(1, 5), (2, 2), (3, 8), (7, 1000), (1024, 8192), (1024, 1030)])
def test_every_segment_belongs_to_one_range_and_none_has_two_more_than_another(
    ranges: int, count: int
) -> None:
    found = [numbers_of(number, ranges, count) for number in range(ranges)]

    assert list(range(count)) == sorted(segment for one in found for segment in one)
    sizes = {len(one) for one in found}
    assert max(sizes) - min(sizes) <= 1 <= min(sizes)


def test_a_range_reads_its_segments_in_an_order_of_its_own_which_never_changes() -> None:
    segments = numbers_of(1, 3, 300)

    found = in_order(segments, 1)

    assert list(segments) == sorted(found) != found
    assert in_order(reversed(segments), 1) == found
    assert [one // 3 for one in found] != [one // 3 for one in in_order(numbers_of(2, 3, 300), 2)]


@pytest.mark.parametrize(
    ("ranges", "at_once", "wrong"),
    [
        (2, None, []),
        (1024, 1024, []),
        (4, 1, []),
        (1, None, ["ranges"]),
        (1025, None, ["ranges"]),
        (4, 5, ["at_once"]),
        (4, 0, ["at_once"]),
        (0, 3, ["ranges", "at_once"]),
    ],
)
def test_numbers_that_cannot_be_are_refused_each_by_its_name(
    ranges: int, at_once: int | None, wrong: list[str]
) -> None:
    assert wrong == [problem.where for problem in range_problems(ranges, at_once)]
