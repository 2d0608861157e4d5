"""The four operations of DynamoDB Streams."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid, invalid_value
from tests.faults.dynamodb.streams import Record, Shard, Stream

Json = dict[str, Any]

ITERATOR_LIFE = timedelta(minutes=15)
LIST_LIMIT = 100
SHARD_LIMIT = 100
RECORD_LIMIT = 1000
PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Iterator:
    """A place in a shard: the lowest sequence number not yet read, and when the place was given out."""

    stream_arn: str
    shard_id: str
    sequence: int
    issued_at: datetime

    def token(self) -> str:
        """What a client is given."""
        fields = json.dumps([self.shard_id, self.sequence, self.issued_at.timestamp()])
        return f"{self.stream_arn}|1|{base64.b64encode(fields.encode()).decode()}"

    @classmethod
    def of(cls, token: str) -> Iterator:
        """Read a token again; raises ValidationException."""
        arn, _, fields = token.rpartition("|1|")
        try:
            shard_id, sequence, issued = json.loads(base64.b64decode(fields))
        except (binascii.Error, ValueError) as error:
            raise invalid("Invalid ShardIterator") from error
        return cls(arn, shard_id, sequence, datetime.fromtimestamp(issued, UTC))


def list_streams(database: Database, request: Json) -> Json:
    """ListStreams."""
    limit = _limit(request, LIST_LIMIT)
    streams = [
        stream for stream in database.streams() if request.get("TableName") in (None, stream.table_name)
    ]
    arns = [stream.arn for stream in streams]
    start = request.get("ExclusiveStartStreamArn")
    first = arns.index(start) + 1 if start in arns else 0
    page = streams[first : first + limit]
    reply: Json = {
        "Streams": [
            {"StreamArn": each.arn, "TableName": each.table_name, "StreamLabel": each.label} for each in page
        ]
    }
    if first + limit < len(streams):
        reply["LastEvaluatedStreamArn"] = page[-1].arn
    return reply


def describe_stream(database: Database, request: Json) -> Json:
    """DescribeStream, shards in pages."""
    limit = _limit(request, SHARD_LIMIT)
    stream = database.stream(request["StreamArn"])
    chosen = request.get("ShardFilter") or {}
    shards = stream.describe_shards(database.clock.now(), chosen.get("ShardId"))
    start = request.get("ExclusiveStartShardId")
    shards = [shard for shard in shards if start is None or shard["ShardId"] > start]
    described: Json = {
        "StreamArn": stream.arn,
        "StreamLabel": stream.label,
        "StreamStatus": "DISABLED" if stream.disabled_at else "ENABLED",
        "StreamViewType": stream.view_type,
        "CreationRequestDateTime": stream.created_at.timestamp(),
        "TableName": stream.table_name,
        "KeySchema": stream.key_schema,
        "Shards": shards[:limit],
    }
    if len(shards) > limit:
        described["LastEvaluatedShardId"] = shards[limit - 1]["ShardId"]
    return {"StreamDescription": described}


def get_shard_iterator(database: Database, request: Json) -> Json:
    """GetShardIterator."""
    now = database.clock.now()
    stream = database.stream(request["StreamArn"])
    shard = stream.shard(request["ShardId"], now)
    sequence = _first_wanted(stream, shard, request)
    return {"ShardIterator": Iterator(stream.arn, shard.shard_id, sequence, now).token()}


def _first_wanted(stream: Stream, shard: Shard, request: Json) -> int:
    kind = request["ShardIteratorType"]
    text = request.get("SequenceNumber")
    if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        return _from_sequence(shard, text, after=kind == "AFTER_SEQUENCE_NUMBER")
    if text is not None:
        raise invalid_value("SequenceNumber should not be passed for this iterator type")
    if kind == "TRIM_HORIZON":
        return shard.trimmed_through + 1
    if kind == "LATEST":
        return stream.next_sequence()
    if kind == "AT_TIMESTAMP":
        since = request["Timestamp"]
        later = (record.sequence for record in shard.records if record.at.timestamp() >= since)
        return next(later, stream.next_sequence())
    raise invalid("Invalid ShardIteratorType.")


def _from_sequence(shard: Shard, text: str | None, *, after: bool) -> int:
    if text is None or not text.isdigit():
        raise invalid_value("Invalid SequenceNumber")
    sequence = int(text)
    if sequence <= shard.trimmed_through:
        raise _trimmed()
    if sequence < shard.starting or (shard.ending is not None and sequence > shard.ending):
        raise invalid_value("Invalid SequenceNumber")
    return sequence + after


def get_records(database: Database, request: Json) -> Json:
    """GetRecords: a page, and where to go on; no place to go on behind the end of a closed shard."""
    limit = _limit(request, RECORD_LIMIT)
    iterator = Iterator.of(request["ShardIterator"])
    now = database.clock.now()
    stream = database.stream(iterator.stream_arn)
    if now - iterator.issued_at >= ITERATOR_LIFE:
        raise Refused("ExpiredIteratorException", "Iterator expired: The provided iterator is too old")
    shard = stream.shard(iterator.shard_id, now)
    if iterator.sequence <= shard.trimmed_through:
        raise _trimmed()
    records = [] if stream.takes_stall() else _page(shard, iterator.sequence, limit)
    sequence = records[-1].sequence + 1 if records else iterator.sequence
    reply: Json = {"Records": [record.document for record in records]}
    at_end = not shard.records or shard.records[-1].sequence < sequence
    if shard.ending is None or not at_end:
        reply["NextShardIterator"] = Iterator(stream.arn, shard.shard_id, sequence, now).token()
    return reply


def _page(shard: Shard, sequence: int, limit: int) -> list[Record]:
    page: list[Record] = []
    size = 0
    for record in shard.records:
        if record.sequence < sequence:
            continue
        if len(page) == limit or (page and size + record.size_bytes > PAGE_BYTES):
            break
        page.append(record)
        size += record.size_bytes
    return page


def _trimmed() -> Refused:
    return Refused(
        "TrimmedDataAccessException",
        "The operation attempted to read past the oldest stream record in a shard.",
    )


def _limit(request: Json, most: int) -> int:
    limit: int = request.get("Limit", most)
    if limit < 1:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        )
    if limit > most:
        raise invalid_value(f"Limit should be less than or equal to {most}")
    return limit


OPERATIONS: dict[str, Operation] = {
    "ListStreams": list_streams,
    "DescribeStream": describe_stream,
    "GetShardIterator": get_shard_iterator,
    "GetRecords": get_records,
}
