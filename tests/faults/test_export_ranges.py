from __future__ import annotations

from airflow_dynamo_pipeline.errors import PreflightFailed
from tests.faults.attempts import (
    World,
    assert_nothing_left_over,
    assert_nothing_reads_as_complete,
    assert_whole,
    items,
)
from tests.faults.range_attempts import committing, planning, ranging


def test_e1_ranges_in_any_order_make_one_export() -> None:
    world = World(items(40))
    parts = planning(world, ranges=3, segments=None).run().outcome

    results = [ranging(world, part, segments=None).run().outcome for part in reversed(parts)]
    result = committing(world, parts[0], segments=None).run().result

    assert 40 == result.item_count == sum(one.item_count for one in results)
    assert_whole(world)
    assert_nothing_left_over(world)


def test_e3_a_commit_names_the_ranges_that_are_not_at_their_end() -> None:
    world = World(items(40))
    parts = planning(world, ranges=3, segments=None).run().outcome
    assert 0 < ranging(world, parts[1], segments=None).run().outcome.item_count

    refused = committing(world, parts[0], segments=None).run().outcome

    assert isinstance(refused, PreflightFailed), refused
    assert ["range 0", "range 2"] == [problem.where for problem in refused.problems]
    assert_nothing_reads_as_complete(world)
