"""Both lines to DynamoDB: the same calls give the same bytes, and the same faults the same errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.lean_transport import LeanTransport
from airflow_dynamo_pipeline.adapters.transport import Transport
from airflow_dynamo_pipeline.adapters.wiring import transport_for
from airflow_dynamo_pipeline.engine.ports import ConditionFailed
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    CredentialsExpired,
    ItemRefused,
    NotFound,
    PipelineError,
    ServiceTrouble,
    Throttled,
    UnexpectedReply,
)
from airflow_dynamo_pipeline.items.page import ReplyText
from tests.faults.attempts import TABLE, World, items
from tests.faults.endpoint import Door, FakeAws
from tests.faults.script import Fault, Kind

Json = dict[str, Any]
LEARNED = 2  # calls of an operation until the lean transport sends it without botocore: learned from, shown
ITEM = {"pk": {"S": "00001"}, "text": {"S": 'é"\\ \u0001'}, "b": {"B": "/w=="}, "n": {"N": "1.5"}}
SCAN = {"TableName": TABLE, "ReturnConsumedCapacity": "TOTAL"}
PUT = {"TableName": TABLE, "Item": ITEM}
GET = {"RequestItems": {TABLE: {"Keys": [{"pk": {"S": "00001"}}]}}, "ReturnConsumedCapacity": "TOTAL"}
ONLY_NEW = {
    **PUT,
    "ConditionExpression": "attribute_not_exists(pk)",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


def batch(*numbers: int) -> Json:
    puts = [{"PutRequest": {"Item": {"pk": {"S": f"new-{number}"}}}} for number in numbers]
    return {"RequestItems": {TABLE: puts}, "ReturnConsumedCapacity": "TOTAL"}


def call(transport: Transport, operation: str, members: Json) -> ReplyText:
    return transport.call(operation, json.dumps(members).encode())


class Lines:
    """Doors into worlds of the same content, and transports through them that know their way."""

    def __init__(self, kind: str) -> None:
        self.is_lean = kind == "lean"
        self.world = World([*items(3), ITEM], page_items=None)
        self.warned: list[str] = []
        self._open: list[Any] = []

    def door(self, *faults: Fault, impatient: bool = False) -> Door:
        opening = self.world.aws.door(*faults)
        self._open.append(opening)
        door: Door = opening.__enter__()
        door.impatient = impatient
        return door

    def transport(self, door: Door, *warm: tuple[str, Json]) -> Transport:
        """A transport on its own way, once for each operation that is to come."""
        found = transport_for(door.client("dynamodb"), TABLE, self.warned.append, is_lean=self.is_lean)
        for operation, members in warm:
            for _ in range(LEARNED):
                call(found, operation, members)
        assert not self.is_lean or (isinstance(found, LeanTransport) and found.is_lean)
        return found

    def close(self) -> None:
        for opening in self._open:
            opening.__exit__(None, None, None)


@pytest.fixture(params=["botocore", "lean"])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    found = Lines(request.param)
    yield found
    found.close()


def test_a_reply_is_the_text_the_service_sent(lines: Lines) -> None:
    door = lines.door()
    transport = lines.transport(door, ("Scan", SCAN))

    reply = call(transport, "Scan", SCAN)

    sent = FakeAws.answer(lines.world.aws, door.calls[-1]).body
    assert b"".join(sent) == reply
    assert isinstance(reply, bytes)


def test_a_batch_is_written(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("BatchWriteItem", batch(0)))

    reply = json.loads(call(transport, "BatchWriteItem", batch(1, 2, 3)))

    assert {} == reply["UnprocessedItems"]
    assert 3 == reply["ConsumedCapacity"][0]["CapacityUnits"]
    keys = {item["pk"]["S"] for item in lines.world.aws.dynamodb.items(TABLE)}
    assert {"new-0", "new-1", "new-2", "new-3"} <= keys


def test_what_was_not_processed_comes_back(lines: Lines) -> None:
    door = lines.door(Fault(Kind.UNPROCESSED, LEARNED + 1))
    transport = lines.transport(door, ("BatchWriteItem", batch(0)))

    reply = json.loads(call(transport, "BatchWriteItem", batch(1, 2)))

    assert batch(2)["RequestItems"] == reply["UnprocessedItems"]


def test_a_batch_is_read(lines: Lines) -> None:
    door = lines.door()
    transport = lines.transport(door, ("BatchGetItem", GET))
    keys = [{"pk": {"S": name}} for name in ("00000", "00002", "not there")]
    wanted = {TABLE: {"Keys": keys, "ConsistentRead": True}}

    reply = json.loads(call(transport, "BatchGetItem", {**GET, "RequestItems": wanted}))

    assert {"00000", "00002"} == {item["pk"]["S"] for item in reply["Responses"][TABLE]}
    assert {} == reply["UnprocessedKeys"]
    assert 3.0 == reply["ConsumedCapacity"][0]["CapacityUnits"]
    assert ["BatchGetItem"] * (LEARNED + 1) == door.operations()


def test_an_item_is_read_as_the_text_the_service_sent(lines: Lines) -> None:
    door = lines.door()
    transport = lines.transport(door, ("BatchGetItem", GET))

    reply = call(transport, "BatchGetItem", GET)

    assert b"".join(FakeAws.answer(lines.world.aws, door.calls[-1]).body) == reply
    assert [ITEM] == json.loads(reply)["Responses"][TABLE]


def test_keys_of_another_type_are_an_error_of_the_call(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("BatchGetItem", GET))
    wanted = {TABLE: {"Keys": [{"pk": {"N": "1"}}]}}

    with pytest.raises(UnexpectedReply, match="ValidationException"):
        call(transport, "BatchGetItem", {"RequestItems": wanted})


def test_a_table_that_is_gone_is_not_found_by_a_batch_of_reads(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("BatchGetItem", GET))

    with pytest.raises(NotFound):
        call(transport, "BatchGetItem", {"RequestItems": {"another": {"Keys": [{"pk": {"S": "a"}}]}}})


FAULTS: list[tuple[Fault, type[PipelineError]]] = [
    (Fault(Kind.REFUSE), ServiceTrouble),
    (Fault(Kind.REFUSE, after=True), ServiceTrouble),
    (Fault(Kind.TIME_OUT), ServiceTrouble),
    (Fault(Kind.TIME_OUT, after=True), ServiceTrouble),
    (Fault(Kind.CUT, after=True), ServiceTrouble),
    (Fault(Kind.WRONG_CRC, after=True), CorruptReply),
    (Fault(Kind.SERVER_ERROR), ServiceTrouble),
    (Fault(Kind.UNAVAILABLE), ServiceTrouble),
    (Fault(Kind.DENY), AccessDenied),
    (Fault(Kind.EXPIRED), CredentialsExpired),
    (Fault(Kind.THROTTLE), Throttled),
    (Fault(Kind.THROTTLE_ON_DEMAND), Throttled),
]


@pytest.mark.parametrize(
    ("operation", "members"),
    [("Scan", SCAN), ("BatchWriteItem", batch(7)), ("BatchGetItem", GET), ("PutItem", PUT)],
)
@pytest.mark.parametrize(
    ("fault", "error"), FAULTS, ids=lambda value: str(value) if isinstance(value, Fault) else ""
)
def test_a_fault_is_an_error_and_no_call_is_sent_twice(
    lines: Lines, fault: Fault, error: type[PipelineError], operation: str, members: Json
) -> None:
    door = lines.door(
        Fault(fault.kind, LEARNED + 1, after=fault.after), impatient=fault.kind is Kind.TIME_OUT
    )
    transport = lines.transport(door, (operation, members))

    with pytest.raises(error) as caught:
        call(transport, operation, members)

    assert error is type(caught.value)
    assert [operation] * (LEARNED + 1) == door.operations()
    assert isinstance(json.loads(call(transport, operation, members)), dict)


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.THROTTLE_ON_DEMAND])
def test_a_throttle_names_its_reason(lines: Lines, kind: Kind) -> None:
    door = lines.door(Fault(kind, LEARNED + 1, reason="IndexWriteKeyRangeThroughputExceeded"))
    transport = lines.transport(door, ("BatchWriteItem", batch(0)))

    with pytest.raises(Throttled) as caught:
        call(transport, "BatchWriteItem", batch(1))

    assert ["IndexWriteKeyRangeThroughputExceeded"] == [reason for reason, _ in caught.value.reasons]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("BatchWriteItem", {"RequestItems": {TABLE: [{"PutRequest": {"Item": {"other": {"S": "key"}}}}]}}),
        ("PutItem", {"TableName": TABLE, "Item": {"pk": {"N": "1"}}}),
        ("DeleteItem", {"TableName": TABLE, "Key": {"pk": {"N": "1"}}}),
    ],
)
def test_what_dynamodb_calls_invalid_is_refused(lines: Lines, operation: str, members: Json) -> None:
    usual = {
        "BatchWriteItem": batch(0),
        "PutItem": PUT,
        "DeleteItem": {"TableName": TABLE, "Key": {"pk": {"S": "x"}}},
    }
    transport = lines.transport(lines.door(), (operation, usual[operation]))

    with pytest.raises(ItemRefused, match=f"{operation} on table {TABLE}"):
        call(transport, operation, members)


def test_an_invalid_scan_is_no_refused_item(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("Scan", SCAN))

    with pytest.raises(UnexpectedReply, match="ValidationException"):
        call(transport, "Scan", {**SCAN, "Segment": 5, "TotalSegments": 5})


def test_a_condition_that_fails_tells_the_item_it_met(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("PutItem", PUT))

    with pytest.raises(ConditionFailed) as caught:
        call(transport, "PutItem", ONLY_NEW)

    assert caught.value.item is not None
    assert ITEM == json.loads(caught.value.item)


def test_a_condition_that_fails_without_an_item_says_so(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("PutItem", PUT))
    members = {**ONLY_NEW, "ReturnValuesOnConditionCheckFailure": "NONE"}

    with pytest.raises(ConditionFailed) as caught:
        call(transport, "PutItem", members)

    assert caught.value.item is None


def test_a_table_that_is_gone_is_not_found(lines: Lines) -> None:
    transport = lines.transport(lines.door(), ("Scan", SCAN))

    with pytest.raises(NotFound, match=TABLE) as caught:
        call(transport, "Scan", {"TableName": "another"})

    assert "table" == caught.value.kind


@pytest.mark.parametrize(
    "make",
    [
        lambda transport: call(transport, "Scan", {"TableName": "another"}),
        lambda transport: call(transport, "Scan", {**SCAN, "Limit": 0}),
    ],
)
def test_both_lines_say_the_same_of_an_error(make: Callable[[Transport], bytes]) -> None:
    said = []
    for kind in ("botocore", "lean"):
        lines = Lines(kind)
        transport = lines.transport(lines.door(), ("Scan", SCAN))
        with pytest.raises(PipelineError) as caught:
            make(transport)
        said.append((type(caught.value), str(caught.value)))
        lines.close()

    assert said[0] == said[1]
