"""The fake as its users see it: the API's calls, and what a test does to the world beside them."""

from __future__ import annotations

import copy
import itertools
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from airflow_dynamo_pipeline.engine.ports import Clock
from tests.faults.calls import Call
from tests.faults.dynamodb import (
    definitions,
    native_exports,
    native_imports,
    reads,
    settings_calls,
    stream_calls,
    table_calls,
    update_table,
    writes,
)
from tests.faults.dynamodb.admission import MeterSettings, Use
from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused
from tests.faults.dynamodb.metering import Metering
from tests.faults.dynamodb.streams import Change, Stream
from tests.faults.dynamodb.tables import Table
from tests.faults.dynamodb.throughput import Kind
from tests.faults.dynamodb.values import Item
from tests.faults.wire import Reply

Json = dict[str, Any]

OPERATIONS: dict[str, dict[str, Operation]] = {
    "dynamodb": {
        **table_calls.OPERATIONS,
        **update_table.OPERATIONS,
        **definitions.OPERATIONS,  # in place of some of the two above
        **settings_calls.OPERATIONS,
        **reads.OPERATIONS,
        **writes.OPERATIONS,
        **native_exports.OPERATIONS,
        **native_imports.OPERATIONS,
    },
    "dynamodbstreams": stream_calls.OPERATIONS,
}


class DynamoDB:
    """DynamoDB and DynamoDB Streams of one account in one region, in memory.

    ``clock`` has monotonic() in seconds and now() in UTC. ``settle_seconds`` is how long a table is
    CREATING, UPDATING or DELETING; by default the reply says so and the next call finds it done.
    Tables are unlimited until ``meter`` is called for them. ``page_items`` is the most items that a page
    holds, as if 1 MB were reached; None for no such limit.
    """

    def __init__(self, clock: Clock, *, region: str = "us-east-1", settle_seconds: float = 0.0) -> None:
        self._database = Database(clock, region=region, settle_seconds=settle_seconds)
        self.clock = clock
        self.lock = self._database.lock  # hold it to do several things as one
        self._hooks: dict[str, list[Callable[[], object]]] = {}
        self._request_numbers = itertools.count(1)

    # --- the API ----------------------------------------------------------------------------------

    def answer(self, call: Call) -> Reply:
        """Answer one call; errors are answers too."""
        with self.lock:
            for hook in self._hooks.get(call.operation, ()):
                hook()
            try:
                return self._reply(200, self._work(call))
            except Refused as refused:
                return self._reply(400, refused.body())

    def _work(self, call: Call) -> Json | bytes:
        operation = OPERATIONS[call.service].get(call.operation)
        if operation is None:
            raise Refused("UnknownOperationException", "An unknown operation was requested.")
        try:
            return operation(self._database, call.params)
        except (json.JSONDecodeError, KeyError, UnicodeError) as error:
            raise Refused("SerializationException", f"{type(error).__name__}: {error}") from error

    def _reply(self, status: int, body: Json | bytes) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "x-amz-crc32": str(zlib.crc32(data)),
            "x-amzn-RequestId": f"{next(self._request_numbers):052}",
        }
        return Reply(status, [data], headers)

    def before_call(self, operation: str, action: Callable[[], object]) -> None:
        """Do something just before each call of an operation takes effect: nothing comes between."""
        self._hooks.setdefault(operation, []).append(action)

    # --- tables -----------------------------------------------------------------------------------

    def create_table(
        self,
        name: str,
        *,
        key: Sequence[tuple[str, str]] = (("pk", "S"),),
        read: int | None = None,
        write: int | None = None,
        **more: Any,
    ) -> Table:
        """Make a table, ready at once; on-demand where no units per second are given.

        ``key`` names one or two attributes with their types; ``more`` are members of CreateTable, and
        ``AttributeDefinitions`` among them are added to the key's.
        """
        definitions = [{"AttributeName": each, "AttributeType": kind} for each, kind in key]
        on_demand = read is None and write is None
        units = {"ReadCapacityUnits": read or 1, "WriteCapacityUnits": write or 1}
        request: Json = {
            "TableName": name,
            "KeySchema": [
                {"AttributeName": each, "KeyType": kind}
                for (each, _), kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
            "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED",
            **({} if on_demand else {"ProvisionedThroughput": units}),
            **more,
            "AttributeDefinitions": [*definitions, *more.get("AttributeDefinitions", ())],
        }
        with self.lock:
            table = self._database.create(request)
            self._database.settle(table, "ACTIVE", "ACTIVE")
            return table

    def table(self, name: str) -> Table:
        """A table, whose settings a test may read and change; raises Refused for none."""
        with self.lock:
            return self._database.table(name)

    def set_capacity(self, name: str, *, index: str | None = None, **settings: float | None) -> None:
        """Change what a table or an index is set to, as another person would.

        ``settings``: read, write, max_read, max_write, warm_read, warm_write, in units per second.
        """
        with self.lock:
            table = self._database.table(name)
            throughput = table.throughput if index is None else table.index(index).throughput
            for field, units in settings.items():
                if not hasattr(throughput, field):
                    raise AttributeError(field)
                setattr(throughput, field, units)
            self._database.admission.follow(table)

    # --- capacity ---------------------------------------------------------------------------------

    def meter(self, name: str, settings: MeterSettings | None = None) -> None:
        """Throttle a table and its global indexes by what they are set to, from now on."""
        with self.lock:
            self._database.admission.meter(self._database.table(name), settings or MeterSettings())

    def unmeter(self, name: str) -> None:
        """Throttle a table no longer."""
        with self.lock:
            self._database.admission.unmeter(name)

    def limit_account(self, kind: Kind, units_per_second: float) -> None:
        """Limit what all metered tables use together."""
        with self.lock:
            self._database.admission.limit_account(kind, units_per_second)

    def use(self, name: str, kind: Kind, units: float, *, index: str | None = None) -> None:
        """Use units of a table as its application would, whether they are there or not."""
        with self.lock:
            self._database.admission.pay(self._database.table(name), Use(index, kind, units, {}))

    @property
    def page_items(self) -> int | None:
        """The most items that a page holds."""
        return self._database.page_items

    @page_items.setter
    def page_items(self, count: int | None) -> None:
        self._database.page_items = count

    @property
    def metering(self) -> Metering:
        """What was used and refused."""
        return self._database.metering

    def consumed(self, table: str, index: str | None, kind: str, start: datetime, end: datetime) -> float:
        """Units of ``kind``, "read" or "write", from ``start`` to before ``end``; 0 of unknown tables."""
        with self.lock:
            return self.metering.consumed(table, index, kind, start, end)

    # --- items ------------------------------------------------------------------------------------

    @property
    def tick(self) -> int:
        """How many effects items have seen: orders them where a clock stands still."""
        return self._database.tick

    def put_items(self, name: str, items: Iterable[Item]) -> None:
        """Put items, at no cost."""
        with self.lock:
            table = self._database.table(name)
            for item in items:
                self._database.change(table, table.placing(item))

    def delete_item(self, name: str, key: Item) -> None:
        """Delete an item, at no cost."""
        with self.lock:
            table = self._database.table(name)
            self._database.change(table, table.deletion(key))

    def expire(self, name: str, key: Item) -> None:
        """Delete an item as its time to live does."""
        with self.lock:
            table = self._database.table(name)
            self._database.change(table, table.deletion(key), by_ttl=True)

    def items(self, name: str) -> list[Item]:
        """Copies of all items of a table, in the order of a scan."""
        with self.lock:
            return [copy.deepcopy(row.item) for row in self._database.table(name).rows]

    def watch(self, watcher: Callable[[Change], None]) -> None:
        """Call something for each effect, in order."""
        with self.lock:
            self._database.watchers.append(watcher)

    # --- streams ----------------------------------------------------------------------------------

    def stream(self, name: str) -> Stream:
        """A table's present stream."""
        with self.lock:
            stream = self._database.table(name).stream
            assert stream is not None, f"{name} has no stream"
            return stream
