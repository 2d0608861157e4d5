"""A table with a stream, and a reader of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.clock import ManualClock
from tests.faults.dynamodb import DynamoDB
from tests.faults.dynamodb.asking import ask

Item = dict[str, Any]

TABLE = "orders"
ENABLED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@dataclass
class Streamed:
    """A table with a stream, and a reader."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.dynamodb = DynamoDB(self.clock)
        self.dynamodb.create_table(TABLE, StreamSpecification=ENABLED)
        self.stream = self.dynamodb.stream(TABLE)

    def put(self, *keys: str, **more: Item) -> None:
        """Put an item under each key."""
        self.dynamodb.put_items(TABLE, [{"pk": {"S": key}, **more} for key in keys])

    def shards(self, **params: Any) -> list[Item]:
        """The shards as DescribeStream has them."""
        answer = ask(self.dynamodb, "DescribeStream", StreamArn=self.stream.arn, **params)
        found: list[Item] = answer["StreamDescription"]["Shards"]
        return found

    def shard_ids(self) -> list[str]:
        """Their ids."""
        return [shard["ShardId"] for shard in self.shards()]

    def iterator(self, shard_id: str, kind: str = "TRIM_HORIZON", **more: Any) -> Item:
        """What GetShardIterator answers."""
        asked = {"StreamArn": self.stream.arn, "ShardId": shard_id, "ShardIteratorType": kind}
        return ask(self.dynamodb, "GetShardIterator", **asked, **more)

    def pages(self, shard_id: str, most: int = 20) -> Iterator[Item]:
        """Pages until there is no next, or nothing more to come."""
        token = self.iterator(shard_id)["ShardIterator"]
        for _ in range(most):
            page = ask(self.dynamodb, "GetRecords", ShardIterator=token)
            yield page
            if "NextShardIterator" not in page:
                return
            token = page["NextShardIterator"]

    def records(self, shard_id: str) -> list[Item]:
        """Every record of a shard."""
        return [record for page in self.pages(shard_id) for record in page["Records"]]

    def keys(self, shard_id: str) -> list[str]:
        """The keys of every record of a shard."""
        return [record["dynamodb"]["Keys"]["pk"]["S"] for record in self.records(shard_id)]
