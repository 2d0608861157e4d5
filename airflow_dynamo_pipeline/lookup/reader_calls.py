"""BatchGetItem calls of a reader: paid for, tried again until every key is answered, and counted."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_dynamo_pipeline.engine.backoff import retrying
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import CorruptReply, PipelineError, Throttled, UnexpectedReply
from airflow_dynamo_pipeline.lookup.reader_keys import LookupKeys, SentKey
from airflow_dynamo_pipeline.lookup.reader_settings import LookupSettings

MOST_KEYS = 100  # of one BatchGetItem
LEAST_UNITS = 0.5  # for each key, eventually consistent; a key without an item costs as much
PROJECTION = ("#k0", "#k1")

Items = dict[SentKey, Mapping[str, Any]]


class ItemGetter(Protocol):
    """What a reader needs of a client. Threads share it."""

    def batch_get_item(self, **arguments: Any) -> Mapping[str, Any]:
        """Call BatchGetItem once, by the arguments and with the reply of boto3; raises our error tree."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What calls are made with. ``stop`` ends every wait; ``warn`` takes a line for the log."""

    getter: ItemGetter
    clock: Clock
    stop: threading.Event
    warn: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """How items are read: whole or their keys only, consistently or not."""

    whole: bool
    consistent: bool


class TableCalls:
    """Reads keys of one table."""

    def __init__(self, table_name: str, keys: LookupKeys, means: Means, settings: LookupSettings) -> None:
        self._table_name = table_name
        self._keys = keys
        self._means = means
        self._patience_seconds = settings.patience_seconds
        rate = settings.units_per_second
        self._throttle = None if rate is None else Throttle(rate, means.clock, means.stop)
        self._units_a_key = 0.0  # of the last reply
        self._lock = threading.Lock()
        self.calls = 0
        self.units = 0.0

    def items(self, keys: Sequence[SentKey], ask: Ask) -> Items:
        """Read up to 100 different keys; those that are not in the reply are not in the table.

        What DynamoDB leaves unprocessed is asked again, after a pause if it was half or more. Raises the last
        error when the patience is over, and Stopped.
        """
        found: Items = {}
        left = list(keys)
        while left:
            left = self._most_of(left, ask, found)
        return found

    def _most_of(self, keys: list[SentKey], ask: Ask, found: Items) -> list[SentKey]:
        """Try until a reply has most of the keys; returns those that are left."""
        left = keys

        def once() -> None:
            nonlocal left
            asked = len(left)
            items, left = self._call(left, ask)
            found.update(items)
            if 2 * len(left) >= asked:
                raise Throttled(f"{len(left)} of {asked} keys of table {self._table_name} were not processed")

        clock, stop = self._means.clock, self._means.stop
        retrying(clock, stop, patience_seconds=self._patience_seconds, before_pause=self._note)(once)
        return left

    def _note(self, error: PipelineError) -> None:
        self._means.warn(f"{error}; trying again")
        if isinstance(error, Throttled) and self._throttle is not None:
            self._throttle.slow_down()

    def _call(self, keys: Sequence[SentKey], ask: Ask) -> tuple[Items, list[SentKey]]:
        """Call once; returns items, and keys that were not processed."""
        reply = self._paid(keys, ask)
        back = [key for table in _tables(reply, "UnprocessedKeys") for key in table.get("Keys", ())]
        if "Responses" not in reply and len(back) < len(keys):
            raise CorruptReply(f"a reply of BatchGetItem on table {self._table_name} has no Responses")
        items = {self._keys.of(item): item for table in _tables(reply, "Responses") for item in table}
        unknown = items.keys() - set(keys)
        if unknown:
            raise UnexpectedReply(f"table {self._table_name} answered for a key nobody asked: {unknown}")
        return items, [self._keys.of(key) for key in back]

    def _paid(self, keys: Sequence[SentKey], ask: Ask) -> Mapping[str, Any]:
        """Wait for the turn of a call, make it, and correct what was reserved for it."""
        request = self._request(keys, ask)
        least = LEAST_UNITS * (2 if ask.consistent else 1)
        expected = len(keys) * max(least, self._units_a_key)
        booking = None if self._throttle is None else self._throttle.reserve(expected)
        units: float | None = None
        try:
            reply = self._means.getter.batch_get_item(**request)
            units = sum(one.get("CapacityUnits", 0.0) for one in reply.get("ConsumedCapacity") or ())
        except Throttled:
            units = 0.0
            raise
        finally:
            if self._throttle is not None and booking is not None:
                self._throttle.settle(booking, units)
            with self._lock:
                self.calls += 1
                self.units += units or 0.0
        self._units_a_key = units / len(keys)
        return reply

    def _request(self, keys: Sequence[SentKey], ask: Ask) -> dict[str, Any]:
        wanted: dict[str, Any] = {
            "Keys": [self._keys.typed(key) for key in keys],
            "ConsistentRead": ask.consistent,
        }
        if not ask.whole:
            names = dict(zip(PROJECTION, self._keys.names, strict=False))
            wanted |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        return {"RequestItems": {self._table_name: wanted}, "ReturnConsumedCapacity": "TOTAL"}


def _tables(reply: Mapping[str, Any], member: str) -> Sequence[Any]:
    """What a reply has of its one table, by whatever name it calls it."""
    return list((reply.get(member) or {}).values())


def batches(keys: Sequence[SentKey]) -> list[tuple[SentKey, ...]]:
    """Keys in portions of one call.

    >>> [len(some) for some in batches([("a",)] * 250)]
    [100, 100, 50]
    """
    every = iter(keys)
    return list(iter(lambda: tuple(itertools.islice(every, MOST_KEYS)), ()))
