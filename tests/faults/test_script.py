"""The harness does what its script says: each fault as a client meets it, and what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions as boto

from airflow_dynamo_pipeline.adapters.dynamodb import DynamoDBTable
from airflow_dynamo_pipeline.engine.ports import ScanCall
from airflow_dynamo_pipeline.errors import CorruptReply, Throttled
from airflow_dynamo_pipeline.items.page import ReplyText
from tests.clock import VirtualClock
from tests.faults.attempts import BUCKET, TABLE, World, asked, items
from tests.faults.endpoint import Door, Killed
from tests.faults.script import AFTER_ONLY, BEFORE_ONLY, Fault, Kind, Script, applies
from tests.faults.strikes import throttled

WHOLE_TABLE = ScanCall(segment=0, total_segments=1, limit=None, start_key=None)


@pytest.fixture
def world() -> World:
    return World(items(4), page_items=None)


@pytest.fixture
def opened(world: World) -> Iterator[Any]:
    """Open doors with faults; all are closed at the end."""
    doors = []

    def door(*faults: Fault, impatient: bool = False) -> Door:
        opening = world.aws.door(*faults)
        doors.append(opening)
        found: Door = opening.__enter__()
        found.impatient = impatient
        return found

    yield door
    for opening in doors:
        opening.__exit__(None, None, None)


def put(door: Door, key: str = "k") -> Any:
    return door.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"body")


def scan(door: Door) -> ReplyText:
    return DynamoDBTable(door.client("dynamodb"), asked(), print).scan(WHOLE_TABLE)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.REFUSE, boto.HTTPClientError),
        (Kind.TIME_OUT, boto.ReadTimeoutError),
        (Kind.SERVER_ERROR, boto.ClientError),
        (Kind.UNAVAILABLE, boto.ClientError),
    ],
)
def test_a_struck_write_fails_and_took_effect_only_if_struck_after_it(
    world: World, opened: Any, kind: Kind, error: type[Exception], after: bool
) -> None:
    door = opened(Fault(kind, 2, after=after), impatient=kind is Kind.TIME_OUT)
    put(door, "first")

    with pytest.raises(error):
        put(door, "second")

    put(door, "third")
    assert (["first", "second", "third"] if after else ["first", "third"]) == sorted(world.objects)
    assert ["PutObject"] * 3 == door.operations()


@pytest.mark.parametrize(
    ("kind", "status"), [(Kind.SERVER_ERROR, 500), (Kind.UNAVAILABLE, 503), (Kind.CONFLICT, 409)]
)
def test_an_error_has_the_status_s3_gives_it(opened: Any, kind: Kind, status: int) -> None:
    door = opened(Fault(kind))

    with pytest.raises(boto.ClientError) as caught:
        door.client("s3").put_object(Bucket=BUCKET, Key="k", Body=b"", IfNoneMatch="*")

    assert status == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_reply_that_is_cut_breaks_off_in_its_body(world: World, opened: Any) -> None:
    world.aws.s3.put(BUCKET, "k", b"x" * 1000)

    body = opened(Fault(Kind.CUT, after=True)).client("s3").get_object(Bucket=BUCKET, Key="k")["Body"]

    with pytest.raises((boto.IncompleteReadError, boto.ResponseStreamingError)):
        body.read()


def test_a_wrong_checksum_is_noticed(opened: Any) -> None:
    with pytest.raises(CorruptReply):
        scan(opened(Fault(Kind.WRONG_CRC, after=True)))


@pytest.mark.parametrize(
    ("kind", "member"),
    [(Kind.THROTTLE, "ThrottlingReasons"), (Kind.THROTTLE_ON_DEMAND, "throttlingReasons")],
)
def test_a_throttle_carries_its_reason_in_the_spelling_of_its_exception(
    opened: Any, kind: Kind, member: str
) -> None:
    door = opened(Fault(kind, reason="TableReadKeyRangeThroughputExceeded"))

    with pytest.raises(Throttled) as caught:
        scan(door)

    ((reason, resource),) = caught.value.reasons
    assert "TableReadKeyRangeThroughputExceeded" == reason
    assert resource.endswith(f":table/{TABLE}")
    assert member.encode() in b"".join(throttled(Fault(kind), door.calls[0]).body)


def test_half_of_a_batch_comes_back_unprocessed(world: World, opened: Any) -> None:
    door = opened(Fault(Kind.UNPROCESSED, 1))
    new = [{"PutRequest": {"Item": {"pk": {"S": f"new-{n}"}}}} for n in range(5)]

    reply = door.client("dynamodb").batch_write_item(RequestItems={TABLE: new})

    assert new[3:] == reply["UnprocessedItems"][TABLE]
    written = {item["pk"]["S"] for item in world.aws.dynamodb.items(TABLE)}
    assert {"new-0", "new-1", "new-2"} == {key for key in written if key.startswith("new")}


def test_a_slow_reply_takes_its_time_on_the_virtual_clock(world: World, opened: Any) -> None:
    began = world.aws.clock.monotonic()

    put(opened(Fault(Kind.SLOW, seconds=25.0)))

    assert 25.0 == world.aws.clock.monotonic() - began


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_killed_process_does_nothing_more(world: World, opened: Any, after: bool) -> None:
    door = opened(Fault(Kind.KILL, 1, after=after))
    ended: list[str] = []
    door.on_kill = lambda: ended.append("killed")

    for key in ("at the kill", "later"):
        with pytest.raises(Killed):
            put(door, key)

    assert ["killed"] == ended
    assert (["at the kill"] if after else []) == list(world.objects)
    assert ["PutObject"] == door.operations()


def test_a_frozen_process_goes_on_when_it_is_woken(world: World, opened: Any) -> None:
    door = opened(Fault(Kind.FREEZE, 1))
    thread = threading.Thread(target=put, args=(door,))
    thread.start()
    door.frozen.wait()
    assert {} == world.objects

    door.thaw.set()
    thread.join()

    assert ["k"] == list(world.objects)


def test_two_doors_count_apart_and_lead_to_the_same_world(world: World, opened: Any) -> None:
    one, two = opened(Fault(Kind.REFUSE, 2)), opened()
    put(one, "a")
    put(two, "b")
    put(two, "c")

    with pytest.raises(boto.HTTPClientError):
        put(one, "d")

    assert ["a", "b", "c"] == sorted(world.objects)


def test_a_fault_on_an_operation_counts_that_operation_only(world: World, opened: Any) -> None:
    door = opened(Fault(Kind.UNAVAILABLE, 2, on="PutObject"))
    put(door, "a")
    scan(door)

    with pytest.raises(boto.ClientError):
        put(door, "b")


def test_a_fault_may_last(opened: Any) -> None:
    door = opened(Fault(Kind.REFUSE, 1, times=3))

    for _ in range(3):
        with pytest.raises(boto.HTTPClientError):
            put(door)

    assert "ETag" in put(door)


def test_what_the_rest_of_the_world_does_comes_before_the_call(world: World, opened: Any) -> None:
    door = opened()
    door.before = lambda call: world.aws.dynamodb.delete_item(TABLE, {"pk": {"S": "00000"}})

    assert b"00000" not in scan(door)


def test_every_kind_of_fault_can_strike_some_call(opened: Any) -> None:
    door = opened()
    scan(door)
    put(door)
    door.client("s3").put_object(Bucket=BUCKET, Key="new", Body=b"", IfNoneMatch="*")
    door.client("dynamodb").batch_write_item(
        RequestItems={TABLE: [{"DeleteRequest": {"Key": {"pk": {"S": "x"}}}}]}
    )
    possible = {
        kind
        for kind in Kind
        for after in (False, True)
        for call in door.calls
        if applies(kind, call, after=after)
    }

    assert set(Kind) == possible
    assert not BEFORE_ONLY & AFTER_ONLY


def test_a_script_without_faults_strikes_nothing(opened: Any) -> None:
    door = opened()
    put(door)

    assert Script().take(door.calls[0]) is None
    assert [] == door.script.struck


def test_time_stands_still_while_somebody_is_busy() -> None:
    clock = VirtualClock()
    waited = threading.Thread(target=clock.wait, args=(threading.Event(), 60.0))
    with clock.busy():
        waited.start()
        waited.join(0.05)
        assert waited.is_alive()
        with clock.waiting():
            waited.join()

    assert not waited.is_alive()
