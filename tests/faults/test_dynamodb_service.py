"""What a test does to the fake's DynamoDB beside its API, and what no other service can be asked about."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.faults.dynamodb import DynamoDB
from tests.faults.dynamodb.asking import ask, refusal
from tests.faults.dynamodb.errors import Refused

Item = dict[str, Any]

TABLE = "orders"
KEY = {"pk": {"S": "k"}}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def dynamodb(clock: ManualClock) -> DynamoDB:
    found = DynamoDB(clock)
    found.create_table(TABLE)
    return found


def items(count: int) -> list[Item]:
    return [{"pk": {"S": f"{n:05}"}} for n in range(count)]


def status(dynamodb: DynamoDB, name: str = TABLE) -> str:
    answer = ask(dynamodb, "DescribeTable", TableName=name)
    return str(answer.get("Table", {}).get("TableStatus", refusal(answer)))


# --- tables that take their time ------------------------------------------------------------------


def test_tables_take_the_time_that_they_are_told_to(clock: ManualClock) -> None:
    dynamodb = DynamoDB(clock, settle_seconds=30)
    request: Item = {
        "TableName": TABLE,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    seen = []
    for operation, params in (
        ("CreateTable", request),
        ("UpdateTable", {"TableName": TABLE, "DeletionProtectionEnabled": False}),
        ("DeleteTable", {"TableName": TABLE}),
    ):
        assert "" == refusal(ask(dynamodb, operation, **params))
        seen.append(status(dynamodb))
        clock.advance(29)
        seen.append(status(dynamodb))
        clock.advance(1)
        seen.append(status(dynamodb))

    assert ["CREATING"] * 2 + ["ACTIVE"] + ["UPDATING"] * 2 + ["ACTIVE"] == seen[:6]
    assert ["DELETING"] * 2 + ["ResourceNotFoundException"] == seen[6:]


def test_a_table_that_a_test_makes_is_ready_at_once(clock: ManualClock) -> None:
    table = DynamoDB(clock, settle_seconds=30).create_table(TABLE)

    assert "ACTIVE" == table.status


@pytest.mark.parametrize("state", ["CREATING", "DELETING"])
def test_items_of_a_table_in_the_making_are_not_there(dynamodb: DynamoDB, state: str) -> None:
    dynamodb.table(TABLE).status = state

    assert "ResourceNotFoundException" == refusal(ask(dynamodb, "Scan", TableName=TABLE))
    assert "ResourceInUseException" == refusal(ask(dynamodb, "DeleteTable", TableName=TABLE))


def test_items_of_a_table_that_is_updated_are_there(dynamodb: DynamoDB) -> None:
    dynamodb.table(TABLE).status = "UPDATING"

    assert "" == refusal(ask(dynamodb, "Scan", TableName=TABLE))


def test_a_table_made_anew_is_empty_and_another(dynamodb: DynamoDB) -> None:
    dynamodb.put_items(TABLE, items(3))
    first = dynamodb.table(TABLE).table_id
    ask(dynamodb, "DeleteTable", TableName=TABLE)

    dynamodb.create_table(TABLE)

    assert [] == dynamodb.items(TABLE)
    assert first != dynamodb.table(TABLE).table_id


def test_a_table_is_found_by_its_arn(dynamodb: DynamoDB) -> None:
    dynamodb.put_items(TABLE, items(1))

    assert 1 == ask(dynamodb, "Scan", TableName=dynamodb.table(TABLE).arn)["Count"]


def test_counts_may_be_hours_old(dynamodb: DynamoDB) -> None:
    dynamodb.put_items(TABLE, items(3))
    dynamodb.table(TABLE).counts = (7, 700)

    described = ask(dynamodb, "DescribeTable", TableName=TABLE)["Table"]

    assert [7, 700] == [described["ItemCount"], described["TableSizeBytes"]]


def test_on_demand_and_warm_throughput_are_described(dynamodb: DynamoDB) -> None:
    new = ask(dynamodb, "DescribeTable", TableName=TABLE)["Table"]
    dynamodb.set_capacity(TABLE, max_read=500, warm_read=50_000)
    changed = ask(dynamodb, "DescribeTable", TableName=TABLE)["Table"]

    wanted = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"}
    assert wanted == new["WarmThroughput"]
    assert "OnDemandThroughput" not in new
    assert 50_000 == changed["WarmThroughput"]["ReadUnitsPerSecond"]
    assert {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": -1} == changed["OnDemandThroughput"]


def test_a_table_tells_since_when_it_is_on_demand(clock: ManualClock) -> None:
    dynamodb = DynamoDB(clock)
    dynamodb.create_table(TABLE, read=5, write=5)
    units = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 7}
    changes: list[Item] = [
        {"BillingMode": "PAY_PER_REQUEST"},
        {"BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": False},
        {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units},
        {"BillingMode": "PAY_PER_REQUEST"},
    ]

    seen = []
    for change in changes:
        clock.advance(60)
        ask(dynamodb, "UpdateTable", TableName=TABLE, **change)
        table = ask(dynamodb, "DescribeTable", TableName=TABLE)["Table"]
        since = table.get("BillingModeSummary", {}).get("LastUpdateToPayPerRequestDateTime")
        seen.append(since and clock.now().timestamp() - since)

    assert [0, 60, 120, 0] == seen  # once switched, a table tells it in either mode


def test_an_index_can_be_added_filled_and_taken_away(dynamodb: DynamoDB) -> None:
    dynamodb.put_items(TABLE, [{**KEY, "g": {"S": "x"}}, *items(2)])
    create = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    definitions = [{"AttributeName": "g", "AttributeType": "S"}]

    def update(**change: Item) -> None:
        params: Item = {"TableName": TABLE, "GlobalSecondaryIndexUpdates": [change]}
        answer = ask(dynamodb, "UpdateTable", **params, AttributeDefinitions=definitions)
        assert "" == refusal(answer)

    update(Create=create)
    assert 1 == ask(dynamodb, "Scan", TableName=TABLE, IndexName="by-g")["Count"]
    update(Update={"IndexName": "by-g", "OnDemandThroughput": {"MaxReadRequestUnits": 5}})
    assert 5 == dynamodb.table(TABLE).index("by-g").throughput.max_read
    update(Delete={"IndexName": "by-g"})
    assert "ValidationException" == refusal(ask(dynamodb, "Scan", TableName=TABLE, IndexName="by-g"))


def test_another_recovery_period_does_not_begin_recovery_anew(dynamodb: DynamoDB, clock: ManualClock) -> None:
    began_at = clock.now()
    for days in (10, 35):
        wanted = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}
        params = {"TableName": TABLE, "PointInTimeRecoverySpecification": wanted}
        answer = ask(dynamodb, "UpdateContinuousBackups", **params)
        clock.advance(3600)

    recovery = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert began_at.timestamp() == recovery["EarliestRestorableDateTime"]
    assert began_at.timestamp() + 3300 == recovery["LatestRestorableDateTime"]
    assert 35 == recovery["RecoveryPeriodInDays"]


# --- items ----------------------------------------------------------------------------------------


def test_items_are_put_and_looked_at_free_of_charge(dynamodb: DynamoDB) -> None:
    dynamodb.put_items(TABLE, items(100))
    dynamodb.delete_item(TABLE, items(1)[0])

    assert items(100)[1:] == sorted(dynamodb.items(TABLE), key=str)
    assert [] == dynamodb.metering.log
    assert 101 == dynamodb.tick


def test_nobody_outside_holds_the_items_themselves(dynamodb: DynamoDB) -> None:
    mine: Item = {**KEY, "l": {"L": [{"S": "x"}]}}
    dynamodb.put_items(TABLE, [mine])

    mine["l"]["L"].clear()
    dynamodb.items(TABLE)[0]["l"]["L"].clear()

    assert [{**KEY, "l": {"L": [{"S": "x"}]}}] == dynamodb.items(TABLE)


def test_a_bad_item_is_refused_however_it_is_put(dynamodb: DynamoDB) -> None:
    with pytest.raises(Refused, match="Missing the key pk"):
        dynamodb.put_items(TABLE, [{"other": {"S": "x"}}])


def test_pages_are_small_if_a_test_wants_them_so(dynamodb: DynamoDB) -> None:
    dynamodb.put_items(TABLE, items(5))
    dynamodb.page_items = 2

    counts: list[int] = []
    start: Item = {}
    while True:
        page = ask(dynamodb, "Scan", TableName=TABLE, Limit=4, **start)
        counts.append(page["Count"])
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    assert [2, 2, 1] == counts


def test_what_is_done_before_a_call_is_done_by_then(dynamodb: DynamoDB) -> None:
    dynamodb.before_call("Scan", lambda: dynamodb.put_items(TABLE, [KEY]))

    assert "Item" not in ask(dynamodb, "GetItem", TableName=TABLE, Key=KEY)
    assert 1 == ask(dynamodb, "Scan", TableName=TABLE)["Count"]


def test_calls_of_many_threads_all_take_effect(dynamodb: DynamoDB) -> None:
    values: Item = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}

    def count() -> None:
        for _ in range(100):
            ask(dynamodb, "UpdateItem", TableName=TABLE, Key=KEY, **values)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [{**KEY, "n": {"N": "800"}}] == dynamodb.items(TABLE)


@pytest.mark.parametrize("seed", range(3))
def test_items_lie_in_one_order_however_they_came(seed: int) -> None:
    """One by one, in bulk, with deletes between: a scan always sees the order of the hashes."""
    bulk, single = (DynamoDB(ManualClock()) for _ in range(2))
    wanted = items(300)
    for each in (bulk, single):
        each.create_table(TABLE)
    bulk.put_items(TABLE, reversed(wanted))
    for item in wanted[seed:] + wanted[:seed]:
        single.put_items(TABLE, [item])
        assert "Item" in ask(single, "GetItem", TableName=TABLE, Key=item)
    for item in wanted[::3]:
        for each in (bulk, single):
            each.delete_item(TABLE, item)

    pages = [ask(each, "Scan", TableName=TABLE)["Items"] for each in (bulk, single)]

    assert pages[0] == pages[1] == bulk.items(TABLE)
    assert 200 == len(pages[0])


# --- what is not simulated is said ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("Scan", {"ScanFilter": {}}),
        ("PutItem", {"Item": KEY, "Expected": {"pk": {"Exists": False}}}),
        ("UpdateItem", {"Key": KEY, "ReturnValues": "UPDATED_NEW"}),
    ],
)
def test_what_is_not_simulated_is_refused(dynamodb: DynamoDB, operation: str, params: Item) -> None:
    assert "NotSimulated" == refusal(ask(dynamodb, operation, TableName=TABLE, **params))


def test_a_request_without_what_it_needs_is_refused(dynamodb: DynamoDB) -> None:
    assert "SerializationException" == refusal(ask(dynamodb, "GetItem", TableName=TABLE))


def test_text_that_is_no_unicode_is_refused(dynamodb: DynamoDB) -> None:
    answer = ask(dynamodb, "PutItem", TableName=TABLE, Item={**KEY, "v": {"S": "\ud800"}})

    assert "SerializationException" == refusal(answer)
