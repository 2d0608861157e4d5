from __future__ import annotations

import tracemalloc

import msgspec

from airflow_dynamo_pipeline.engine.verify_differences import Differences


def an_item(number: int, value: str = "x") -> msgspec.Raw:
    return msgspec.Raw(b'{"id":{"N":"%d"},"v":{"S":"%s"}}' % (number, value.encode()))


def items(*numbers: int) -> list[msgspec.Raw]:
    return [an_item(number) for number in numbers]


def compared(
    exported: list[msgspec.Raw], stored: list[msgspec.Raw], held_bytes: int = 1 << 25
) -> Differences:
    made = Differences(["id"], limit=5, held_bytes=held_bytes)
    made.add_exported(exported)
    made.add_stored(stored)
    return made


def test_equal_items_have_no_difference() -> None:
    found = compared(items(1, 2, 3), items(3, 1, 2))

    assert found.finish()
    assert ("", []) == (found.rest, found.named)


def test_each_kind_of_difference_is_counted_and_named() -> None:
    found = compared([*items(1, 2), an_item(4)], [*items(2, 3), an_item(4, "y")])

    assert not found.finish()
    assert (1, 1, 1) == found.counts
    assert {
        '{"id":{"N":"1"}}: is only in the export',
        '{"id":{"N":"3"}}: is only in the table',
        '{"id":{"N":"4"}}: differs in v',
    } == set(map(str, found.named))


def test_more_than_are_named_are_counted() -> None:
    found = compared([], items(*range(30)))

    assert not found.finish()
    assert (30, 5, "25 more are not named") == (found.only_in_table, len(found.named), found.rest)


def test_groups_that_are_too_large_are_told_from_equal_ones() -> None:
    whole = items(*range(3000))
    found = compared(whole, whole, held_bytes=10_000)
    assert found.finish()

    other = compared(whole, [*whole[1:], an_item(0, "y")], held_bytes=1)
    assert not other.finish()
    assert (0, 0, 0) == other.counts
    assert "1 of 1,024 groups of keys differ, too" in other.rest


def test_a_key_that_is_twice_in_a_group_too_large_is_still_a_difference() -> None:
    found = compared(items(1, 1), items(1), held_bytes=1)

    assert not found.finish()


def test_what_is_held_stays_within_its_bound() -> None:
    bound = 1 << 20
    found = Differences(["id"], limit=5, held_bytes=bound)
    tracemalloc.start()
    try:
        for start in range(0, 20_000, 500):
            found.add_exported(items(*range(start, start + 500)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 2 * bound > peak
