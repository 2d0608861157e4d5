"""The fake's streams are DynamoDB Local's, and its point-in-time recovery is moto's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.dynamodb.pair import Pair, Side, comparable, paired_with
from tests.services import Services

Item = dict[str, Any]

VALIDATION = "ValidationException"
MISSING = "ResourceNotFoundException"
VIEWS = ["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"]
KEY = {"pk": {"S": "a"}}


@pytest.fixture(scope="module")
def pair(services: Services) -> Iterator[Pair]:
    with paired_with(services.dynamodb_url) as found:
        yield found


def streamed(pair: Pair, view: str = "NEW_AND_OLD_IMAGES") -> str:
    return pair.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})


def work(pair: Pair, name: str) -> None:
    """Three changes, and three writes that change nothing."""
    pair.call("put_item", TableName=name, Item={**KEY, "v": {"N": "1"}})
    pair.call("put_item", TableName=name, Item={**KEY, "v": {"N": "1.0"}})
    pair.call("put_item", TableName=name, Item={**KEY, "v": {"N": "2"}, "s": {"SS": ["b", "a"]}})
    pair.call("put_item", TableName=name, Item={**KEY, "v": {"N": "2"}, "s": {"SS": ["a", "b"]}})
    pair.call("delete_item", TableName=name, Key=KEY)
    pair.call("delete_item", TableName=name, Key=KEY, without=["ConsumedCapacity"])  # Local tells it unasked


class Reader:
    """One side's only shard."""

    def __init__(self, side: Side, table_name: str) -> None:
        self.side = side
        (stream,) = side.call("list_streams", TableName=table_name)["Streams"]
        self.arn = stream["StreamArn"]
        (self.shard,) = side.call("describe_stream", StreamArn=self.arn)["StreamDescription"]["Shards"]

    def iterator(self, kind: str, **more: Any) -> Item:
        asked = {"StreamArn": self.arn, "ShardId": self.shard["ShardId"], "ShardIteratorType": kind}
        return self.side.call("get_shard_iterator", **asked, **more)

    def page(self, kind: str = "TRIM_HORIZON", *, limit: int = 1000, **more: Any) -> Item:
        token = self.iterator(kind, **more)["ShardIterator"]
        return self.side.call("get_records", ShardIterator=token, Limit=limit)


def readers(pair: Pair, name: str) -> tuple[Reader, Reader]:
    return Reader(pair.fake, name), Reader(pair.other, name)


@pytest.mark.parametrize("view", VIEWS)
def test_every_change_is_one_record(pair: Pair, view: str) -> None:
    name = streamed(pair, view)
    work(pair, name)

    ours, theirs = (comparable(reader.page()["Records"]) for reader in readers(pair, name))

    assert theirs == ours
    assert ["INSERT", "MODIFY", "REMOVE"] == [record["eventName"] for record in ours]


def test_a_stream_is_described_with_its_shard(pair: Pair) -> None:
    name = streamed(pair)

    ours, theirs = (
        comparable(reader.side.call("describe_stream", StreamArn=reader.arn))
        for reader in readers(pair, name)
    )

    assert theirs == ours
    assert "ENABLED" == ours["StreamDescription"]["StreamStatus"]
    table = pair.call("describe_table", TableName=name)["Table"]
    assert {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"} == table["StreamSpecification"]


def test_a_reader_begins_where_it_wants_to(pair: Pair) -> None:
    name = streamed(pair)
    ours, theirs = readers(pair, name)
    late = [reader.iterator("LATEST")["ShardIterator"] for reader in (ours, theirs)]
    work(pair, name)

    for reader, token in zip((ours, theirs), late, strict=True):
        first, second, third = reader.page()["Records"]
        sequence = second["dynamodb"]["SequenceNumber"]
        assert [second, third] == reader.page("AT_SEQUENCE_NUMBER", SequenceNumber=sequence)["Records"]
        assert [third] == reader.page("AFTER_SEQUENCE_NUMBER", SequenceNumber=sequence)["Records"]
        assert [first, second, third] == reader.side.call("get_records", ShardIterator=token)["Records"]
        assert [] == reader.page("LATEST")["Records"]


def test_an_open_shard_has_always_a_next_page(pair: Pair) -> None:
    name = streamed(pair)
    work(pair, name)

    for reader in readers(pair, name):
        seen = []
        page = reader.page(limit=2)
        for _ in range(3):
            seen.append(len(page["Records"]))
            page = reader.side.call("get_records", ShardIterator=page["NextShardIterator"])
        assert [2, 1, 0] == seen


def test_a_disabled_stream_can_be_read_to_its_end(pair: Pair) -> None:
    name = streamed(pair)
    work(pair, name)
    before = readers(pair, name)

    off = {"StreamSpecification": {"StreamEnabled": False}}
    pair.call("update_table", TableName=name, **off, without=["TableStatus"])

    assert "StreamSpecification" not in pair.call("describe_table", TableName=name)["Table"]
    for reader in before:
        page = reader.page()
        assert 3 == len(page["Records"])
        assert "NextShardIterator" not in page
        stream = reader.side.call("describe_stream", StreamArn=reader.arn)["StreamDescription"]
        assert "DISABLED" == stream["StreamStatus"]
        assert "EndingSequenceNumber" in stream["Shards"][0]["SequenceNumberRange"]
    pair.refused(VALIDATION, "no stream to disable", "update_table", TableName=name, **off)


def test_a_stream_enabled_again_is_another(pair: Pair) -> None:
    name = streamed(pair)
    first = [reader.arn for reader in readers(pair, name)]
    for specification in ({"StreamEnabled": False}, {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}):
        changed: Item = {"StreamSpecification": specification, "without": ["TableStatus"]}
        pair.call("update_table", TableName=name, **changed)

    for side, arn in zip((pair.fake, pair.other), first, strict=True):
        found = side.call("list_streams", TableName=name)["Streams"]
        latest = side.call("describe_table", TableName=name)["Table"]["LatestStreamArn"]
        assert {arn, latest} == {stream["StreamArn"] for stream in found}
        assert arn != latest


def test_a_stream_is_enabled_once_and_with_a_view(pair: Pair) -> None:
    on = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}}
    no_view = {"StreamSpecification": {"StreamEnabled": True}}

    pair.refused(VALIDATION, "already has", "update_table", TableName=streamed(pair), **on)
    pair.refused(VALIDATION, "ViewType", "update_table", TableName=pair.table(), **no_view)


def test_positions_that_cannot_be_are_refused(pair: Pair) -> None:
    name = streamed(pair)
    work(pair, name)

    for reader in readers(pair, name):
        sequence = reader.page()["Records"][0]["dynamodb"]["SequenceNumber"]
        refused = [
            reader.iterator("AT_SEQUENCE_NUMBER"),
            reader.iterator("TRIM_HORIZON", SequenceNumber=sequence),
            reader.iterator("SOMEWHERE"),
            reader.side.call("get_records", ShardIterator="x"),
            reader.page(limit=1001),
        ]
        assert [VALIDATION] * len(refused) == [reply["Error"]["Code"] for reply in refused]


def test_streams_and_shards_that_are_not_there_are_missing(pair: Pair) -> None:
    for reader in readers(pair, streamed(pair)):
        other = reader.arn.replace("table-", "other-")
        assert MISSING == reader.side.call("describe_stream", StreamArn=other)["Error"]["Code"]
        reader.shard = {"ShardId": "shardId-00000001414562045508-2bac9cd2"}
        assert MISSING == reader.iterator("TRIM_HORIZON")["Error"]["Code"]


def test_a_table_without_a_stream_has_none_to_list(pair: Pair) -> None:
    assert [] == pair.call("list_streams", TableName=pair.table())["Streams"]


# --- point-in-time recovery, as moto has it -------------------------------------------------------


@pytest.fixture(scope="module")
def recovering(services: Services) -> Iterator[Pair]:
    with paired_with(services.moto_url) as found:
        yield found


def test_recovery_is_off_at_first_and_can_be_switched(recovering: Pair) -> None:
    name = recovering.table()
    switched: Item = {
        "TableName": name,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }

    recovering.call("describe_continuous_backups", TableName=name)
    recovering.call("update_continuous_backups", **switched)
    answer = recovering.call("describe_continuous_backups", TableName=name)

    recovery = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert "ENABLED" == recovery["PointInTimeRecoveryStatus"]
    switched["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": False}
    recovering.call("update_continuous_backups", **switched)
    recovering.call("describe_continuous_backups", TableName=name)


def test_recovery_of_a_table_that_is_not_there(recovering: Pair) -> None:
    ours, theirs = recovering.raw("describe_continuous_backups", TableName="there-is-none")

    assert MISSING == ours["Error"]["Code"]
    assert "TableNotFoundException" == theirs["Error"]["Code"]


def test_time_to_live_and_tags_are_what_they_were_set_to(recovering: Pair) -> None:
    tags = [{"Key": "team", "Value": "data"}]
    name = recovering.table(Tags=tags)
    specification = {"AttributeName": "expires", "Enabled": True}

    recovering.call("update_time_to_live", TableName=name, TimeToLiveSpecification=specification)
    recovering.call("describe_time_to_live", TableName=name)

    for side in (recovering.fake, recovering.other):
        arn = side.call("describe_table", TableName=name)["Table"]["TableArn"]
        assert tags == side.call("list_tags_of_resource", ResourceArn=arn)["Tags"]


def test_a_protected_table_is_not_deleted(recovering: Pair) -> None:
    name = recovering.table(DeletionProtectionEnabled=True)

    recovering.refused(VALIDATION, "protected against deletion", "delete_table", TableName=name)
    recovering.raw("update_table", TableName=name, DeletionProtectionEnabled=False)
    recovering.fake.call("delete_table", TableName=name)
    recovering.other.call("delete_table", TableName=name)
    assert MISSING == recovering.fake.call("describe_table", TableName=name)["Error"]["Code"]
