"""The fake's scans are DynamoDB Local's: segments, pages, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.dynamodb.pair import Pair, comparable, paired_with, texts
from tests.services import Services

Item = dict[str, Any]

VALIDATION = "ValidationException"
KEYS: list[list[tuple[str, str]]] = [[("pk", "S")], [("pk", "N"), ("sk", "B")], [("pk", "B"), ("sk", "S")]]
KEYS += [[("pk", "S"), ("sk", "N")]]
MADE: dict[str, Callable[[int], Item]] = {
    "S": lambda n: {"S": f"é{n}"},
    "N": lambda n: {"N": str(n - 3)},
    "B": lambda n: {"B": bytes([255, n])},
}


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


def numbered(count: int, size: int, *, sort: bool = True) -> list[Item]:
    """Items of so many bytes each, in one partition unless they have no sort key."""
    if not sort:
        return [{"pk": {"S": f"{n:05}"}, "v": {"S": "x" * (size - 8)}} for n in range(count)]
    return [{"pk": {"S": "p"}, "sk": {"S": f"{n:05}"}, "v": {"S": "x" * (size - 11)}} for n in range(count)]


# --- segments and pages ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("total", [1, 3, 16])
def test_the_segments_together_hold_every_item_once(
    pair: Pair, key: list[tuple[str, str]], total: int
) -> None:
    """Which segment an item is in is the service's own business."""
    items = [
        {name: MADE[kind](n if part else n // len(key)) for part, (name, kind) in enumerate(key)}
        for n in range(40)
    ]
    name = pair.filled(items, key=key)

    for side in (pair.fake, pair.other):
        found = [
            item
            for segment in range(total)
            for page in side.pages(TableName=name, Segment=segment, TotalSegments=total, Limit=3)
            for item in page["Items"]
        ]
        assert texts(items) == texts(found)


@pytest.mark.parametrize("limit", [1, 7, 20, 21])
def test_a_page_that_ends_by_its_limit_goes_on(pair: Pair, limit: int) -> None:
    name = pair.filled(numbered(20, 50), key=[("pk", "S"), ("sk", "S")])
    asked: Item = {"TableName": name, "Limit": limit, "ReturnConsumedCapacity": "TOTAL"}

    ours = [comparable(page) for page in pair.fake.pages(**asked)]
    theirs = [comparable(page) for page in pair.other.pages(**asked)]

    assert 20 == sum(page["Count"] for page in ours)
    # An empty last page costs half a unit at the service and nothing at Local.
    assert theirs == [*ours[:-1], free(ours[-1])]


def free(page: Item) -> Item:
    if page["Count"]:
        return page
    return {**page, "ConsumedCapacity": {**page["ConsumedCapacity"], "CapacityUnits": 0.0}}


@pytest.mark.parametrize(
    ("count", "size"), [(256, 4096), (257, 4096), (300, 4096), (300, 4097), (7, 200_000), (4, 400_000)]
)
@pytest.mark.parametrize("consistent", [False, True])
def test_a_page_ends_at_1_mb_with_the_item_that_reaches_it(
    pair: Pair, count: int, size: int, consistent: bool
) -> None:
    name = pair.filled(numbered(count, size), key=[("pk", "S"), ("sk", "S")])
    asked: Item = {"TableName": name, "ReturnConsumedCapacity": "TOTAL", "ConsistentRead": consistent}

    ours = [comparable(page) for page in pair.fake.pages(**asked)]
    theirs = [comparable(page) for page in pair.other.pages(**asked)]

    assert theirs == ours
    assert count == sum(page["ScannedCount"] for page in ours)


@pytest.mark.parametrize("size", [20, 4095, 4096, 4097, 8192, 400 * 1024])
@pytest.mark.parametrize("consistent", [False, True])
def test_a_read_costs_its_size(pair: Pair, size: int, consistent: bool) -> None:
    name = pair.filled(numbered(3, size, sort=False))
    asked: Item = {"TableName": name, "ReturnConsumedCapacity": "INDEXES", "ConsistentRead": consistent}

    for limit in (1, 2, 3):
        answer = pair.call("scan", Limit=limit, **asked, without=["Items", "LastEvaluatedKey"])
        blocks = -(-limit * size // 4096)
        assert blocks * (1 if consistent else 0.5) == answer["ConsumedCapacity"]["CapacityUnits"]
    pair.call("get_item", Key={"pk": {"S": "00000"}}, **asked)
    pair.call("get_item", Key={"pk": {"S": "nobody"}}, **asked)


def test_a_scan_goes_on_behind_a_key_that_is_no_longer_there(pair: Pair) -> None:
    name = pair.filled(numbered(9, 50), key=[("pk", "S"), ("sk", "S")])
    gone = {"pk": {"S": "p"}, "sk": {"S": "00004"}}
    pair.call("delete_item", TableName=name, Key=gone)

    answer = pair.call("scan", TableName=name, ExclusiveStartKey=gone)

    assert ["00005", "00006", "00007", "00008"] == [item["sk"]["S"] for item in answer["Items"]]


def test_an_empty_table_is_one_empty_page(pair: Pair) -> None:
    """The service charges half a unit for it, Local nothing."""
    ours, theirs = pair.raw("scan", TableName=pair.table(), ReturnConsumedCapacity="TOTAL")

    for answer in (ours, theirs):
        assert [0, 0, []] == [answer["Count"], answer["ScannedCount"], answer["Items"]]
        assert "LastEvaluatedKey" not in answer
    assert [0.5, 0.0] == [each["ConsumedCapacity"]["CapacityUnits"] for each in (ours, theirs)]


@pytest.mark.parametrize(
    ("words", "params"),
    [
        ("TotalSegments parameter is required", {"Segment": 0}),
        ("Segment parameter is required", {"TotalSegments": 2}),
        ("less than TotalSegments", {"Segment": 2, "TotalSegments": 2}),
        ("totalSegments", {"Segment": 0, "TotalSegments": 1_000_001}),
        ("does not have the specified index: nope", {"IndexName": "nope"}),
        ("starting key is invalid", {"ExclusiveStartKey": {"other": {"S": "x"}}}),
        ("starting key is invalid", {"ExclusiveStartKey": {"pk": {"N": "1"}}}),
        ("starting key is invalid", {"ExclusiveStartKey": {"pk": {"S": "x"}, "other": {"S": "x"}}}),
        ("only be specified when using expressions", {"ExpressionAttributeNames": {"#a": "a"}}),
    ],
)
def test_a_scan_that_makes_no_sense_is_refused(pair: Pair, words: str, params: Item) -> None:
    pair.refused(VALIDATION, words, "scan", TableName=pair.table(), **params)


def test_a_starting_key_must_lie_in_the_segment(pair: Pair) -> None:
    name = pair.filled(numbered(20, 50, sort=False))

    for side in (pair.fake, pair.other):
        key = next(side.pages(TableName=name, Segment=0, TotalSegments=2, Limit=1))["LastEvaluatedKey"]
        answer = side.call("scan", TableName=name, Segment=1, TotalSegments=2, ExclusiveStartKey=key)
        assert VALIDATION == answer["Error"]["Code"]
