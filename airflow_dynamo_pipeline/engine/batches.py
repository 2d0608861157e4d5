"""BatchWriteItem's requests and replies, and which items go together.

Items enter a request as the JSON text they were read as; a reader has made sure that each is one whole
item and nothing beside it.
Source of the limits: "BatchWriteItem", Amazon DynamoDB API Reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from operator import attrgetter

import msgspec

from airflow_dynamo_pipeline.engine.ledger import Entry
from airflow_dynamo_pipeline.engine.write_capacity import Consumed
from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.page import ReplyText
from airflow_dynamo_pipeline.items.values import UNREADABLE

MOST_ITEMS = 25
MOST_BYTES = 512 * 1024  # of JSON; DynamoDB takes 16 MB, but every writer holds a request in memory
UNIT_BYTES = 1024

_PUT = b'{"PutRequest":{"Item":'
_DELETE = b'{"DeleteRequest":{"Key":'
_END = b"}}"
_BETWEEN = _END + b"," + _PUT
_is_delete = attrgetter("is_delete")


class BatchBody:
    """Writes requests for one table."""

    def __init__(self, table_name: str, *, by_index: bool) -> None:
        """``by_index``: let the reply tell what each index consumed."""
        self._head = b'{"RequestItems":{' + json.dumps(table_name).encode() + b":["
        self._tail = b']},"ReturnConsumedCapacity":"' + (b"INDEXES" if by_index else b"TOTAL") + b'"}'

    def of(self, entries: Sequence[Entry]) -> bytes:
        """The request that puts, or deletes, these items."""
        if any(map(_is_delete, entries)):
            requests = [
                (_DELETE if entry.is_delete else _PUT) + bytes(entry.item) + _END for entry in entries
            ]
            return b"".join((self._head, b",".join(requests), self._tail))
        items = _BETWEEN.join([entry.item for entry in entries])
        return b"".join((self._head, _PUT, items, _END, self._tail))


class _Put(msgspec.Struct):
    Item: msgspec.Raw


class _Delete(msgspec.Struct):
    Key: msgspec.Raw


class WriteRequest(msgspec.Struct):
    """One request that was not processed; fields keep DynamoDB's names."""

    PutRequest: _Put | None = None
    DeleteRequest: _Delete | None = None

    @property
    def item(self) -> msgspec.Raw:
        """The item, or the key to delete, as DynamoDB sends it back."""
        if self.PutRequest is not None:
            return self.PutRequest.Item
        return self.DeleteRequest.Key if self.DeleteRequest is not None else msgspec.Raw(b"{}")


class BatchReply(msgspec.Struct):
    """A reply to BatchWriteItem; fields keep DynamoDB's names."""

    UnprocessedItems: dict[str, list[WriteRequest]] = {}
    ConsumedCapacity: list[Consumed] = []

    @property
    def unprocessed(self) -> list[WriteRequest]:
        """What was not processed, of the one table that was asked."""
        return [request for requests in self.UnprocessedItems.values() for request in requests]

    @property
    def consumed(self) -> Consumed | None:
        """What the call cost; None when the reply does not say."""
        return self.ConsumedCapacity[0] if self.ConsumedCapacity else None


class ItemReply(msgspec.Struct):
    """A reply to PutItem or DeleteItem."""

    ConsumedCapacity: Consumed | None = None

    @property
    def consumed(self) -> Consumed | None:
        """What the call cost."""
        return self.ConsumedCapacity


_batch_reply = msgspec.json.Decoder(BatchReply).decode
_item_reply = msgspec.json.Decoder(ItemReply).decode


def batch_reply(body: ReplyText) -> BatchReply:
    """Read a reply to BatchWriteItem; raises UnexpectedReply."""
    try:
        return _batch_reply(body)
    except UNREADABLE as problem:
        raise UnexpectedReply(f"a reply to BatchWriteItem cannot be read: {problem}") from problem


def item_reply(body: ReplyText) -> ItemReply:
    """Read a reply to PutItem or DeleteItem; raises UnexpectedReply."""
    try:
        return _item_reply(body)
    except UNREADABLE as problem:
        raise UnexpectedReply(f"a reply to PutItem or DeleteItem cannot be read: {problem}") from problem


def units_of(entries: Sequence[Entry]) -> int:
    """Write units of the table for these items: JSON text is never shorter than the item it spells."""
    return sum([(len(entry.item) + UNIT_BYTES - 1) // UNIT_BYTES for entry in entries])


def mixed(window: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Batches of a window of items, each with items from all over it.

    The items of one file lie in one range of keys, those of a window in as many as it has files:
    so no partition gets more of a batch than its share.
    """
    count = -(-len(window) // MOST_ITEMS)
    for number in range(count):
        yield window[number::count]


def first_that_fit(entries: Sequence[Entry], most_units: float) -> tuple[int, int]:
    """How many from the front may be in one request, at least one, and their write units."""
    first = entries[:MOST_ITEMS]
    sizes = [len(entry.item) for entry in first]
    count = len(first)
    if max(sizes) <= UNIT_BYTES and count <= most_units and len({entry.key for entry in first}) == count:
        return count, count  # as it is nearly always: one unit each, and no key twice
    costs = [(size + UNIT_BYTES - 1) // UNIT_BYTES for size in sizes]
    units = size = 0
    keys = set()
    for count, entry in enumerate(first):
        units += costs[count]
        size += sizes[count]
        if count and (units > most_units or size > MOST_BYTES or entry.key in keys):
            return count, units - costs[count]
        keys.add(entry.key)
    return len(first), units
