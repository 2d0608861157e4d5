"""A table at the port of a reader: answers BatchGetItem from a dictionary, as DynamoDB would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.items.canonical import canonical_number
from airflow_dynamo_pipeline.lookup.reader import Lookup
from airflow_dynamo_pipeline.lookup.reader_settings import LookupSettings
from tests.clock import ManualClock

TABLE = "product_lookup"
BY_PRODUCT = (KeyAttribute("product_id", "S"),)
Item = dict[str, Any]
Before = Callable[[int], object]  # takes the number of a call, before it is answered; may raise


class FakeTable:
    """``unprocessed`` says of each call, by its number, how many of its keys are left."""

    def __init__(self, key: Sequence[KeyAttribute], items: Sequence[Item] = ()) -> None:
        self.key = tuple(key)
        self.items: dict[tuple[Any, ...], Item] = {}
        self.requests: list[Mapping[str, Any]] = []
        self.unprocessed: Callable[[int], int] = lambda _: 0
        self.before: Before = lambda _: None
        self.lock = threading.Lock()
        self.put(*items)

    def put(self, *items: Item) -> None:
        for item in items:
            self.items[self._key_of(item)] = item

    def batch_get_item(self, **arguments: Any) -> Mapping[str, Any]:
        with self.lock:
            self.requests.append(arguments)
            number = len(self.requests)
        self.before(number)
        ((table_name, wanted),) = arguments["RequestItems"].items()
        keys = wanted["Keys"]
        assert 1 <= len(keys) <= 100
        assert len({self._key_of(key) for key in keys}) == len(keys), "DynamoDB refuses duplicates"
        answered = keys[: len(keys) - self.unprocessed(number)]
        found = [self.items[self._key_of(key)] for key in answered if self._key_of(key) in self.items]
        names = set((wanted.get("ExpressionAttributeNames") or {}).values())
        if names:
            found = [{name: held for name, held in item.items() if name in names} for item in found]
        left = keys[len(answered) :]
        unit = 1.0 if wanted["ConsistentRead"] else 0.5
        return {
            "Responses": {table_name: found},
            "UnprocessedKeys": {table_name: {**wanted, "Keys": left}} if left else {},
            "ConsumedCapacity": [{"TableName": table_name, "CapacityUnits": unit * len(answered)}],
        }

    def asked(self, number: int = -1) -> list[Any]:
        """What the partition keys of one call held."""
        ((_, wanted),) = self.requests[number]["RequestItems"].items()
        return [next(iter(key[self.key[0].name].values())) for key in wanted["Keys"]]

    def _key_of(self, item: Item) -> tuple[Any, ...]:
        held = [(attribute.tag, item[attribute.name][attribute.tag]) for attribute in self.key]
        return tuple(canonical_number(one) if tag == "N" else one for tag, one in held)


def products(*names: str, **more: Any) -> list[Item]:
    return [{"product_id": {"S": name}, **more} for name in names]


def lookup_of(
    table: FakeTable,
    clock: ManualClock | None = None,
    *,
    stop: threading.Event | None = None,
    **settings: Any,
) -> Lookup:
    return Lookup(
        TABLE,
        key=table.key,
        getter=table,
        clock=clock or ManualClock(),
        settings=LookupSettings(**settings),
        stop=stop,
    )
