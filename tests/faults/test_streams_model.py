"""The fake's streams by themselves: shards that roll and split, retention, iterators, pages, oddities."""

from __future__ import annotations

import pytest

from tests.faults.dynamodb.asking import ask, refusal
from tests.faults.dynamodb.streamed import ENABLED, TABLE, Streamed

DAY = 24 * 3600


@pytest.fixture
def world() -> Streamed:
    return Streamed()


# --- records --------------------------------------------------------------------------------------


def test_sequence_numbers_ascend_as_numbers_but_not_as_text(world: Streamed) -> None:
    world.put(*"abcdef")

    texts = [record["dynamodb"]["SequenceNumber"] for record in world.records(world.shard_ids()[0])]

    assert 6 == len(texts)
    assert texts == sorted(texts, key=int)
    assert texts != sorted(texts)
    assert {21, 22} == {len(text) for text in texts}


def test_times_are_whole_seconds(world: Streamed) -> None:
    world.clock.advance(0.9)
    world.put("a")

    (record,) = world.records(world.shard_ids()[0])

    assert world.clock.now().timestamp() - 0.9 == record["dynamodb"]["ApproximateCreationDateTime"]


def test_a_delete_by_time_to_live_says_so(world: Streamed) -> None:
    world.put("a", "b")
    world.dynamodb.expire(TABLE, {"pk": {"S": "a"}})
    world.dynamodb.delete_item(TABLE, {"pk": {"S": "b"}})

    *_, expired, deleted = world.records(world.shard_ids()[0])

    assert ["REMOVE", "REMOVE"] == [expired["eventName"], deleted["eventName"]]
    assert {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"} == expired["userIdentity"]
    assert "userIdentity" not in deleted


# --- shards ---------------------------------------------------------------------------------------


def test_a_shard_that_rolls_goes_on_in_a_child(world: Streamed) -> None:
    (parent,) = world.shard_ids()
    world.put("a", "b")

    (child,) = world.stream.roll(world.clock.now())
    world.put("c")

    first, second = world.shards()
    assert "ParentShardId" not in first
    assert parent == second["ParentShardId"]
    ranges = first["SequenceNumberRange"], second["SequenceNumberRange"]
    assert int(ranges[0]["EndingSequenceNumber"]) < int(ranges[1]["StartingSequenceNumber"])
    assert "EndingSequenceNumber" not in ranges[1]
    assert [["a", "b"], ["c"]] == [world.keys(parent), world.keys(child)]


def test_a_shard_is_named_by_when_it_began(world: Streamed) -> None:
    world.clock.advance(1.5)

    (child,) = world.stream.roll(world.clock.now())

    assert round(world.clock.now().timestamp() * 1000) == int(child.split("-")[1])
    assert 28 <= len(child) <= 65


def test_a_closed_shard_ends_and_an_open_one_does_not(world: Streamed) -> None:
    (parent,) = world.shard_ids()
    world.put("a")
    (child,) = world.stream.roll(world.clock.now())

    assert 1 == len(list(world.pages(parent)))
    assert 20 == len(list(world.pages(child)))


def test_a_shard_that_splits_shares_its_keys_out(world: Streamed) -> None:
    (parent,) = world.shard_ids()
    keys = [f"{n:02}" for n in range(40)]
    world.put(*keys)

    left, right = world.stream.split(world.clock.now())
    world.put(*keys, v={"N": "1"})
    world.put(*keys, v={"N": "2"})

    assert keys == world.keys(parent)
    found = [world.keys(left), world.keys(right)]
    assert sorted(keys * 2) == sorted(found[0] + found[1])
    assert not set(found[0]) & set(found[1])
    assert min(map(len, found)) > 20


def test_only_some_shards_roll_if_told_so(world: Streamed) -> None:
    left, right = world.stream.split(world.clock.now())

    world.stream.roll(world.clock.now(), left)

    assert {right} < {shard.shard_id for shard in world.stream.open_shards}
    assert 2 == len(world.stream.open_shards)


def test_shards_are_described_100_at_a_time(world: Streamed) -> None:
    for _ in range(120):
        world.stream.roll(world.clock.now())

    first = ask(world.dynamodb, "DescribeStream", StreamArn=world.stream.arn)["StreamDescription"]
    rest = world.shards(ExclusiveStartShardId=first["LastEvaluatedShardId"])

    assert [100, 21] == [len(first["Shards"]), len(rest)]
    assert 121 == len({shard["ShardId"] for shard in [*first["Shards"], *rest]})
    assert [1, 10] == [len(world.shards(Limit=limit)) for limit in (1, 10)]
    none = ask(world.dynamodb, "DescribeStream", StreamArn=world.stream.arn, Limit=0)
    assert "ValidationException" == refusal(none)


def test_the_children_of_a_shard_can_be_asked_for(world: Streamed) -> None:
    (parent,) = world.shard_ids()
    children = world.stream.split(world.clock.now())
    world.stream.roll(world.clock.now())

    found = world.shards(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent})

    assert children == [shard["ShardId"] for shard in found]


# --- retention ------------------------------------------------------------------------------------


def test_what_is_older_than_a_day_is_gone(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    world.put("old", "older")
    world.clock.advance(DAY - 1)
    world.put("new")
    assert 3 == len(world.keys(shard))

    world.clock.advance(1)

    assert ["new"] == world.keys(shard)


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_a_position_that_was_trimmed_is_refused(world: Streamed, kind: str) -> None:
    (shard,) = world.shard_ids()
    world.put("old")
    sequence = world.records(shard)[0]["dynamodb"]["SequenceNumber"]
    assert "" == refusal(world.iterator(shard, kind, SequenceNumber=sequence))
    world.clock.advance(DAY)

    answer = world.iterator(shard, kind, SequenceNumber=sequence)

    assert "TrimmedDataAccessException" == refusal(answer)


def test_an_iterator_whose_records_were_trimmed_is_refused(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    world.put("old")
    world.clock.advance(DAY - 60)
    token = world.iterator(shard)["ShardIterator"]
    world.clock.advance(60)

    assert "TrimmedDataAccessException" == refusal(ask(world.dynamodb, "GetRecords", ShardIterator=token))


def test_an_idle_reader_loses_nothing_when_what_it_has_read_is_trimmed(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    world.put("old")
    (*_, page) = world.pages(shard)

    for _ in range(DAY // 600):
        world.clock.advance(600)
        page = ask(world.dynamodb, "GetRecords", ShardIterator=page["NextShardIterator"])
        assert "" == refusal(page)

    world.put("new")
    page = ask(world.dynamodb, "GetRecords", ShardIterator=page["NextShardIterator"])
    assert 1 == len(page["Records"])


def test_a_closed_shard_is_gone_a_day_later_and_its_child_still_names_it(world: Streamed) -> None:
    (parent,) = world.shard_ids()
    (child,) = world.stream.roll(world.clock.now())
    world.clock.advance(DAY)

    (left,) = world.shards()

    assert [child, parent] == [left["ShardId"], left["ParentShardId"]]
    assert "ResourceNotFoundException" == refusal(world.iterator(parent))


def test_a_disabled_stream_is_gone_a_day_later(world: Streamed) -> None:
    ask(world.dynamodb, "UpdateTable", TableName=TABLE, StreamSpecification={"StreamEnabled": False})
    world.clock.advance(DAY - 1)
    assert 1 == len(world.shards())

    world.clock.advance(1)

    answer = ask(world.dynamodb, "DescribeStream", StreamArn=world.stream.arn)
    assert "ResourceNotFoundException" == refusal(answer)
    assert [] == ask(world.dynamodb, "ListStreams")["Streams"]


def test_the_stream_of_a_deleted_table_can_be_read_for_a_day(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    world.put("a")

    ask(world.dynamodb, "DeleteTable", TableName=TABLE)
    assert "ResourceNotFoundException" == refusal(ask(world.dynamodb, "DescribeTable", TableName=TABLE))

    assert ["a"] == world.keys(shard)
    answer = ask(world.dynamodb, "DescribeStream", StreamArn=world.stream.arn)
    assert "DISABLED" == answer["StreamDescription"]["StreamStatus"]


# --- iterators and pages --------------------------------------------------------------------------


def test_an_iterator_expires_after_15_minutes(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    token = world.iterator(shard)["ShardIterator"]
    world.clock.advance(899)
    assert "" == refusal(ask(world.dynamodb, "GetRecords", ShardIterator=token))
    world.clock.advance(1)

    assert "ExpiredIteratorException" == refusal(ask(world.dynamodb, "GetRecords", ShardIterator=token))


def test_a_page_holds_1000_records(world: Streamed) -> None:
    world.put(*(f"{n:04}" for n in range(1500)))

    first, second = list(world.pages(world.shard_ids()[0]))[:2]

    assert [1000, 500] == [len(first["Records"]), len(second["Records"])]


def test_a_page_holds_1_mb(world: Streamed) -> None:
    world.put(*"abcde", v={"S": "x" * 300_000})

    sizes = [len(page["Records"]) for page in world.pages(world.shard_ids()[0], 3)]

    assert [3, 2, 0] == sizes


def test_many_empty_pages_may_come_before_data(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    world.put("a")
    world.stream.roll(world.clock.now())
    world.stream.stall(3)

    assert [0, 0, 0, 1] == [len(page["Records"]) for page in world.pages(shard)]


def test_a_reader_begins_at_a_time(world: Streamed) -> None:
    (shard,) = world.shard_ids()
    world.put("a")
    world.clock.advance(10)
    since = world.clock.now().timestamp()
    world.put("b")

    token = world.iterator(shard, "AT_TIMESTAMP", Timestamp=since)["ShardIterator"]

    (record,) = ask(world.dynamodb, "GetRecords", ShardIterator=token)["Records"]
    assert "b" == record["dynamodb"]["Keys"]["pk"]["S"]


# --- DescribeStream that is behind ----------------------------------------------------------------


def test_a_child_may_be_listed_without_its_parent(world: Streamed) -> None:
    (parent,) = world.shard_ids()
    (child,) = world.stream.roll(world.clock.now())
    world.stream.orphan_children(2)

    assert [[child], [child], [parent, child]] == [world.shard_ids() for _ in range(3)]
    assert "" == refusal(world.iterator(parent))


def test_an_open_child_may_have_a_parent_that_seems_open(world: Streamed) -> None:
    world.stream.roll(world.clock.now())
    world.stream.leave_parents_open(1)

    first, second = world.shards(), world.shards()

    assert "EndingSequenceNumber" not in first[0]["SequenceNumberRange"]
    assert "EndingSequenceNumber" in second[0]["SequenceNumberRange"]


def test_streams_are_listed_in_pages() -> None:
    world = Streamed()
    for number in range(3):
        world.dynamodb.create_table(f"more-{number}", StreamSpecification=ENABLED)

    first = ask(world.dynamodb, "ListStreams", Limit=3)
    rest = ask(world.dynamodb, "ListStreams", ExclusiveStartStreamArn=first["LastEvaluatedStreamArn"])

    assert [3, 1] == [len(first["Streams"]), len(rest["Streams"])]
    assert "LastEvaluatedStreamArn" not in rest


def test_two_streams_enabled_at_the_same_instant_have_names_of_their_own(world: Streamed) -> None:
    for specification in ({"StreamEnabled": False}, ENABLED):
        ask(world.dynamodb, "UpdateTable", TableName=TABLE, StreamSpecification=specification)

    found = ask(world.dynamodb, "ListStreams", TableName=TABLE)["Streams"]

    assert 2 == len({stream["StreamArn"] for stream in found})
