"""Metered tables of the fake: what is throttled, how it is said, and what the log tells."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.faults.dynamodb import DynamoDB, MeterSettings
from tests.faults.dynamodb.admission import partition_count
from tests.faults.dynamodb.asking import ask, refusal
from tests.faults.dynamodb.throughput import Throughput

Item = dict[str, Any]

TABLE = "orders"
STRICT = MeterSettings(burst_seconds=0, partitions=1)
EXCEEDED = "ProvisionedThroughputExceededException"
BY_G: Item = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def dynamodb(clock: ManualClock) -> DynamoDB:
    return DynamoDB(clock)


def items(count: int, size: int = 1024) -> list[Item]:
    return [{"pk": {"S": f"{n:05}"}, "g": {"S": "x" * (size - 9)}} for n in range(count)]


def reasons(answer: Item, member: str) -> list[tuple[str, str]]:
    return [(each["reason"], each["resource"]) for each in answer[member]]


def put(dynamodb: DynamoDB, item: Item) -> Item:
    return ask(dynamodb, "PutItem", TableName=TABLE, Item=item)


def test_a_table_is_unlimited_until_it_is_metered(dynamodb: DynamoDB) -> None:
    dynamodb.create_table(TABLE, read=1, write=1)

    for _ in range(50):
        assert "" == refusal(put(dynamodb, items(1)[0]))
    dynamodb.meter(TABLE, STRICT)
    found = [refusal(put(dynamodb, items(1)[0])) for _ in range(2)]
    dynamodb.unmeter(TABLE)

    assert ["", EXCEEDED] == found
    assert "" == refusal(put(dynamodb, items(1)[0]))


def test_a_provisioned_table_refuses_with_a_reason_in_capitals(
    dynamodb: DynamoDB, clock: ManualClock
) -> None:
    table = dynamodb.create_table(TABLE, read=10, write=10)
    dynamodb.put_items(TABLE, items(40))
    dynamodb.meter(TABLE, STRICT)

    assert 40 == ask(dynamodb, "Scan", TableName=TABLE)["Count"]  # 5 units
    answer = ask(dynamodb, "Scan", TableName=TABLE)

    assert EXCEEDED == refusal(answer)
    assert [("TableReadProvisionedThroughputExceeded", table.arn)] == reasons(answer, "ThrottlingReasons")
    clock.advance(0.5)
    assert 40 == ask(dynamodb, "Scan", TableName=TABLE)["Count"]


def test_an_on_demand_table_refuses_with_a_reason_in_small_letters(dynamodb: DynamoDB) -> None:
    table = dynamodb.create_table(TABLE, OnDemandThroughput={"MaxReadRequestUnits": 4})
    dynamodb.put_items(TABLE, items(40))
    dynamodb.meter(TABLE, STRICT)

    ask(dynamodb, "Scan", TableName=TABLE)
    answer = ask(dynamodb, "Scan", TableName=TABLE)

    assert "ThrottlingException" == refusal(answer)
    assert [("TableReadMaxOnDemandThroughputExceeded", table.arn)] == reasons(answer, "throttlingReasons")
    assert "ThrottlingReasons" not in answer


def test_a_hot_partition_refuses_its_own_keys_only(dynamodb: DynamoDB) -> None:
    dynamodb.create_table(TABLE, read=100_000, write=100_000)
    dynamodb.put_items(TABLE, items(400))
    dynamodb.meter(TABLE, MeterSettings(partitions=2, saved_seconds=300))
    halves = [{"TableName": TABLE, "Segment": half, "TotalSegments": 2} for half in (0, 1)]

    units = 0.0
    while True:
        answer = ask(dynamodb, "Scan", **halves[0], ConsistentRead=True, ReturnConsumedCapacity="TOTAL")
        if refusal(answer):
            break
        units += answer["ConsumedCapacity"]["CapacityUnits"]

    assert 3_000 < units < 3_200
    assert "TableReadKeyRangeThroughputExceeded" == answer["ThrottlingReasons"][0]["reason"]
    assert "" == refusal(ask(dynamodb, "Scan", **halves[1]))


def test_what_all_tables_use_together_is_limited_by_the_account(dynamodb: DynamoDB) -> None:
    for name in (TABLE, "other"):
        dynamodb.create_table(name)
        dynamodb.meter(name)
    dynamodb.limit_account("write", 10)

    for n in range(6):
        dynamodb.use("other", "write", 2)
        answer = put(dynamodb, items(n + 1)[n])

    assert "TableWriteAccountLimitExceeded" == answer["throttlingReasons"][0]["reason"]


def test_an_index_without_capacity_holds_up_the_writes_of_the_table(dynamodb: DynamoDB) -> None:
    slow = {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
    table = dynamodb.create_table(
        TABLE,
        read=100,
        write=100,
        AttributeDefinitions=[{"AttributeName": "g", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[{**BY_G, **slow}],
    )
    dynamodb.meter(TABLE, MeterSettings(partitions=1, burst_seconds=1, saved_seconds=1))

    first = put(dynamodb, {"pk": {"S": "1"}, "g": {"S": "x" * 1500}})
    second = put(dynamodb, {"pk": {"S": "2"}, "g": {"S": "x"}})
    without = put(dynamodb, {"pk": {"S": "3"}})

    assert ["", EXCEEDED, ""] == [refusal(answer) for answer in (first, second, without)]
    resource = f"{table.arn}/index/by-g"
    found = reasons(second, "ThrottlingReasons")
    assert [("IndexWriteProvisionedThroughputExceeded", resource)] == found
    assert {"1", "3"} == {item["pk"]["S"] for item in dynamodb.items(TABLE)}


def test_a_scan_of_a_global_index_takes_the_indexs_units_and_one_of_a_local_the_tables(
    dynamodb: DynamoDB,
) -> None:
    local: Item = {**BY_G, "IndexName": "local"}
    local["KeySchema"] = [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "g", "KeyType": "RANGE"},
    ]
    dynamodb.create_table(
        TABLE,
        key=(("pk", "S"), ("sk", "S")),
        AttributeDefinitions=[{"AttributeName": "g", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[BY_G],
        LocalSecondaryIndexes=[local],
    )
    dynamodb.put_items(TABLE, [{"pk": {"S": "1"}, "sk": {"S": "1"}, "g": {"S": "x"}}])

    ask(dynamodb, "Scan", TableName=TABLE, IndexName="by-g")
    ask(dynamodb, "Scan", TableName=TABLE, IndexName="local")

    assert [("by-g", 0.5), (None, 0.5)] == [(each.index, each.units) for each in dynamodb.metering.log]


# --- batches --------------------------------------------------------------------------------------


def batch(dynamodb: DynamoDB, wanted: list[Item]) -> Item:
    requests = [{"PutRequest": {"Item": item}} for item in wanted]
    return ask(dynamodb, "BatchWriteItem", RequestItems={TABLE: requests})


def test_what_of_a_batch_is_throttled_comes_back_unprocessed(dynamodb: DynamoDB, clock: ManualClock) -> None:
    dynamodb.create_table(TABLE, read=1, write=3)
    dynamodb.meter(TABLE, MeterSettings(partitions=1, saved_seconds=1))

    answer = batch(dynamodb, items(10))

    left = [each["PutRequest"]["Item"] for each in answer["UnprocessedItems"][TABLE]]
    assert items(10)[4:] == left  # three units, and one on credit
    assert 4 == len(dynamodb.items(TABLE))
    clock.advance(1)
    assert 3 == len(batch(dynamodb, left)["UnprocessedItems"][TABLE])


def test_a_batch_that_is_throttled_altogether_is_an_error(dynamodb: DynamoDB) -> None:
    dynamodb.create_table(TABLE, read=1, write=1)
    dynamodb.meter(TABLE, STRICT)
    batch(dynamodb, items(1))

    answer = batch(dynamodb, items(10)[1:])

    assert EXCEEDED == refusal(answer)
    assert "TableWriteProvisionedThroughputExceeded" == answer["ThrottlingReasons"][0]["reason"]
    assert 1 == len(dynamodb.items(TABLE))


def test_what_of_a_batch_of_keys_is_throttled_comes_back_unprocessed(dynamodb: DynamoDB) -> None:
    dynamodb.create_table(TABLE, read=2, write=1)
    dynamodb.put_items(TABLE, items(10))
    dynamodb.meter(TABLE, MeterSettings(partitions=1, saved_seconds=1))
    keys = [{"pk": item["pk"]} for item in items(10)]

    answer = ask(dynamodb, "BatchGetItem", RequestItems={TABLE: {"Keys": keys}})

    assert 5 == len(answer["Responses"][TABLE])
    assert keys[5:] == answer["UnprocessedKeys"][TABLE]["Keys"]
    again = ask(dynamodb, "BatchGetItem", RequestItems={TABLE: {"Keys": keys}})
    assert EXCEEDED == refusal(again)


def test_a_failed_condition_is_paid_for(dynamodb: DynamoDB) -> None:
    dynamodb.create_table(TABLE, read=1, write=1)
    dynamodb.put_items(TABLE, items(1, 3000))

    params = {"TableName": TABLE, "Item": items(1)[0], "ConditionExpression": "attribute_not_exists(pk)"}
    answer = ask(dynamodb, "PutItem", **params)

    assert "ConditionalCheckFailedException" == refusal(answer)
    assert [3.0] == [each.units for each in dynamodb.metering.log]


# --- settings and the log -------------------------------------------------------------------------


def test_a_change_of_capacity_is_followed(dynamodb: DynamoDB, clock: ManualClock) -> None:
    dynamodb.create_table(TABLE, read=1, write=1)
    dynamodb.meter(TABLE, STRICT)
    dynamodb.use(TABLE, "write", 100)

    dynamodb.set_capacity(TABLE, write=1000)
    described = ask(dynamodb, "DescribeTable", TableName=TABLE)["Table"]["ProvisionedThroughput"]
    clock.advance(0.1)

    assert 1000 == described["WriteCapacityUnits"]
    assert "" == refusal(put(dynamodb, items(1)[0]))
    ask(dynamodb, "UpdateTable", TableName=TABLE, BillingMode="PAY_PER_REQUEST")
    dynamodb.set_capacity(TABLE, max_write=1)
    put(dynamodb, items(2)[1])
    put(dynamodb, items(3)[2])
    answer = put(dynamodb, items(4)[3])
    assert "TableWriteMaxOnDemandThroughputExceeded" == answer["throttlingReasons"][0]["reason"]


def test_a_setting_that_there_is_not_is_an_error(dynamodb: DynamoDB) -> None:
    dynamodb.create_table(TABLE)

    with pytest.raises(AttributeError, match="reads"):
        dynamodb.set_capacity(TABLE, reads=5)


@pytest.mark.parametrize(
    ("count", "throughput", "size", "on_demand"),
    [
        (1, Throughput(read=100, write=100), 0, False),
        (4, Throughput(read=6000, write=2000), 0, False),
        (3, Throughput(read=100, write=100), 21 << 30, False),
        (4, Throughput(), 0, True),
        (10, Throughput(warm_read=30_000), 0, True),
    ],
)
def test_settings_and_size_give_the_partitions(
    count: int, throughput: Throughput, size: int, on_demand: bool
) -> None:
    assert count == partition_count(throughput, size, on_demand=on_demand)


def test_the_log_adds_up_what_was_used_when(dynamodb: DynamoDB, clock: ManualClock) -> None:
    dynamodb.create_table(TABLE, read=10, write=10)
    start = clock.now()
    for units in (5, 7, 11):
        dynamodb.use(TABLE, "read", units)
        clock.advance(60)

    def consumed(first: int, last: int, kind: str = "read", table: str = TABLE) -> float:
        minute = timedelta(minutes=1)
        return dynamodb.consumed(table, None, kind, start + first * minute, start + last * minute)

    assert [5, 7, 11, 23] == [consumed(0, 1), consumed(1, 2), consumed(2, 3), consumed(0, 3)]
    assert [0, 0, 0] == [consumed(3, 9), consumed(0, 3, "write"), consumed(0, 3, table="unknown")]


def test_the_log_counts_what_was_refused_and_why(dynamodb: DynamoDB, clock: ManualClock) -> None:
    dynamodb.create_table(TABLE, read=10, write=1)
    dynamodb.meter(TABLE, STRICT)
    start = clock.now()

    for n in range(3):
        put(dynamodb, items(3)[n])

    clock.advance(1)
    found = dynamodb.metering.throttled(TABLE, None, "write", start, clock.now())
    assert ["TableWriteProvisionedThroughputExceeded"] * 2 == found
    assert 1 == dynamodb.consumed(TABLE, None, "write", start, clock.now())


def test_the_worst_window_is_found_wherever_it_begins(dynamodb: DynamoDB, clock: ManualClock) -> None:
    dynamodb.create_table(TABLE)
    for seconds, units in ((0.0, 10), (0.9, 10), (0.1, 30), (0.8, 10), (0.1, 5), (5.0, 40)):
        clock.advance(seconds)
        dynamodb.use(TABLE, "read", units)

    assert 50 == dynamodb.metering.worst_window(TABLE, 1)
    assert 65 == dynamodb.metering.worst_window(TABLE, 5)
    assert 0 == dynamodb.metering.worst_window(TABLE, 1, kind="write")
