"""The same boto3 calls to the fake and to another DynamoDB, and their answers made comparable."""

from __future__ import annotations

import contextlib
import decimal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from tests.clock import ManualClock
from tests.faults.dynamodb.service import DynamoDB
from tests.faults.endpoint import identify
from tests.faults.serving import served
from tests.services import aws_client

Answer = dict[str, Any]
BATCH = 25

# What each service says of itself, in ids, places and times of its own, or only one of the two knows.
NOISE = {
    "ResponseMetadata",
    "DeletionProtectionEnabled",
    "IndexArn",
    "LastDecreaseDateTime",
    "LastIncreaseDateTime",
    "LatestStreamArn",
    "LatestStreamLabel",
    "StreamArn",
    "StreamLabel",
    "TableArn",
    "TableId",
    "WarmThroughput",
    "ApproximateCreationDateTime",
    "SequenceNumber",
    "SequenceNumberRange",
    "ShardId",
    "NextShardIterator",
    "ShardIterator",
    "awsRegion",
    "eventID",
}
OF_ITEMS = {"Item", "Items", "Attributes", "Key", "Keys", "NewImage", "OldImage", "LastEvaluatedKey"}
UNORDERED = {"Items", "AttributeDefinitions", "GlobalSecondaryIndexes", "ConsumedCapacity"}


@dataclass(frozen=True)
class Side:
    """Clients of one of the two services."""

    dynamodb: Any
    streams: Any

    @classmethod
    def at(cls, url: str) -> Side:
        """Clients of one endpoint."""
        return cls(aws_client("dynamodb", url), aws_client("dynamodbstreams", url))

    def call(self, operation: str, **params: Any) -> Answer:
        """The reply as it comes; an error as its response."""
        client = self.streams if hasattr(self.streams, operation) else self.dynamodb
        try:
            reply: Answer = getattr(client, operation)(**params)
        except ClientError as error:
            return dict(error.response)
        return reply

    def pages(self, **scan: Any) -> Iterator[Answer]:
        """Every page of a scan or a segment of it."""
        start: Answer = {}
        while True:
            page = self.call("scan", **scan, **start)
            assert "Error" not in page, page
            yield page
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@dataclass(frozen=True)
class Pair:
    """Both services, and the fake itself for what a test does beside the API."""

    dynamodb: DynamoDB
    clock: ManualClock
    fake: Side
    other: Side

    def raw(self, operation: str, **params: Any) -> tuple[Answer, Answer]:
        """The replies of the fake and of the other, as they come."""
        return self.fake.call(operation, **params), self.other.call(operation, **params)

    def call(self, operation: str, *, without: Sequence[str] = (), **params: Any) -> Answer:
        """The answer of both, alike but for noise; ``without`` names more that does not count."""
        ours: Answer
        ours, theirs = (comparable(reply, without) for reply in self.raw(operation, **params))
        assert theirs == ours, (operation, str(params)[:300])
        return ours

    def refused(self, code: str, words: str, operation: str, **params: Any) -> None:
        """Both refuse by the same code and status; the fake's message has these words.

        The other's wording is not the service's everywhere, so it only has to be an error.
        """
        ours, theirs = self.raw(operation, **params)
        assert code == ours["Error"]["Code"] == theirs["Error"]["Code"], (ours, theirs)
        assert status(theirs) == status(ours)
        assert words in ours["Error"]["Message"]

    def table(self, key: Sequence[tuple[str, str]] = (("pk", "S"),), **more: Any) -> str:
        """The name of a new, empty table that both have."""
        name = f"table-{uuid.uuid4().hex}"
        definitions = [*key, *more.pop("attributes", ())]
        self.raw(
            "create_table",
            TableName=name,
            KeySchema=[
                {"AttributeName": part, "KeyType": kind}
                for (part, _), kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in definitions],
            **{"BillingMode": "PAY_PER_REQUEST", **more},
        )
        return name

    def filled(self, items: Sequence[Mapping[str, Any]], **table: Any) -> str:
        """The name of a new table of both that holds these items."""
        name = self.table(**table)
        for first in range(0, len(items), BATCH):
            batch = [{"PutRequest": {"Item": item}} for item in items[first : first + BATCH]]
            self.call("batch_write_item", RequestItems={name: batch})
        return name


@contextlib.contextmanager
def paired_with(url: str) -> Iterator[Pair]:
    """A fake beside the service at an address, while the block lasts."""
    clock = ManualClock()
    dynamodb = DynamoDB(clock)
    with served(lambda request, body: dynamodb.answer(identify(request, body, 0.0))) as fake_url:
        yield Pair(dynamodb, clock, Side.at(fake_url), Side.at(url))


def status(reply: Answer) -> int:
    """The HTTP status of a reply."""
    found: int = reply["ResponseMetadata"]["HTTPStatusCode"]
    return found


def comparable(reply: Any, without: Sequence[str] = ()) -> Any:
    """A reply without what is noise, dates as such, and in one order where the service promises none."""
    if isinstance(reply, datetime):
        return "a date"
    if isinstance(reply, list):
        return [comparable(one, without) for one in reply]
    if not isinstance(reply, Mapping):
        return reply
    if "Error" in reply and "ResponseMetadata" in reply:
        return {"Error": reply["Error"]["Code"], "Status": status(dict(reply))}
    names = [name for name in reply if name not in NOISE and name not in without]
    return {name: _member(name, reply[name], without) for name in names}


def _member(name: str, value: Any, without: Sequence[str]) -> Any:
    if name in OF_ITEMS:
        found = [typed(one) for one in value] if isinstance(value, list) else typed(value)
    else:
        found = comparable(value, without)
    return sorted(found, key=repr) if name in UNORDERED and isinstance(found, list) else found


def typed(item: Mapping[str, Any]) -> Answer:
    """An item, or a map of values, in one notation: the members of sets have no order."""
    return {name: _value(next(iter(value)), value) for name, value in sorted(item.items())}


def _value(tag: str, value: Mapping[str, Any]) -> Answer:
    held = value[tag]
    if tag in ("SS", "BS"):
        held = sorted(held)
    elif tag == "N":
        held = digits(held)
    elif tag == "NS":
        held = sorted(map(digits, held))
    elif tag == "L":
        held = [_value(next(iter(one)), one) for one in held]
    elif tag == "M":
        held = typed(held)
    return {tag: held}


def digits(number: str) -> str:
    """One notation for each number, exactly."""
    with decimal.localcontext(prec=40):
        return str(decimal.Decimal(number).normalize())


def texts(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Items to be compared whatever their order."""
    return sorted(repr(typed(item)) for item in items)
