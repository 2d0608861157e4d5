"""A lookup load in memory: a query, a table that is scanned, read and written, a bucket and a clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import (
    Clock,
    ConditionFailed,
    KeyAttribute,
    StoredObject,
    Throughput,
)
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.items.canonical import canonical
from airflow_dynamo_pipeline.items.key_texts import key_texts
from airflow_dynamo_pipeline.items.keys import KeyReader
from airflow_dynamo_pipeline.lookup.partition import Partition, digests_of
from airflow_dynamo_pipeline.lookup.plan import LookupPlan, make_lookup_plan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import AnyProgress, LookupReports
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.result import LookupResult
from airflow_dynamo_pipeline.lookup.run import run_lookup
from airflow_dynamo_pipeline.lookup.sampling import ReadBack
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RepeatedKey, RowBatch
from tests.clock import EPOCH, ManualClock, VirtualClock

Item = dict[str, Any]  # typed, as on the wire
TABLE = "products"
KEY = (KeyAttribute("id", "S"),)
QUICK = 1e9  # units per second at which nothing waits
Row = tuple[object, ...]


class LoadTable(MemoryTable):
    """A table in a dictionary that is written by BatchWriteItem, PutItem and DeleteItem."""

    def __init__(self, rows: Iterable[Item] = (), **described: Any) -> None:
        """``described`` overrides fields of the table's description, and ``ttl`` what it expires by."""
        self.ttl: str | None = described.pop("ttl", None)
        self.schema: Sequence[KeyAttribute] = described.pop("schema", KEY)
        given = {"name": TABLE, "key": self.schema, "write_throughput": Throughput(provisioned=1000.0)}
        super().__init__(rows, key=[one.name for one in self.schema])
        self._described = {**given, **described}
        self.calls: list[tuple[str, Item]] = []
        self.gets: list[Item] = []
        self.before: Callable[[str, Item], None] = lambda _operation, _body: None
        self.after: Callable[[str, Item], None] = lambda _operation, _body: None
        self.unprocessed: Callable[[int], int] = lambda _number: 0
        self.lock = threading.Lock()

    def describe_as(self, **changes: object) -> None:
        """Say something else from now on when described."""
        self._described = {**self._described, **changes}

    def ttl_attribute(self) -> str | None:
        return self.ttl

    def tags(self) -> Mapping[str, str]:
        return {}

    def write(self, operation: str, body: bytes) -> bytes:
        asked = json.loads(body)
        self.before(operation, asked)
        with self.lock:
            self.calls.append((operation, asked))
            if operation == "BatchWriteItem":
                ((_, requests),) = asked["RequestItems"].items()
                for request in requests:
                    self._change(request)
            else:
                self._single(operation, asked)
        self.after(operation, asked)
        return b"{}"

    def get(self, body: bytes) -> bytes:
        """Answer BatchGetItem; ``unprocessed`` says of each call how many of its keys are left."""
        asked = json.loads(body)
        self.before("BatchGetItem", asked)
        self.gets.append(asked)
        ((table, wanted),) = asked["RequestItems"].items()
        keys = wanted["Keys"]
        answered = keys[: len(keys) - self.unprocessed(len(self.gets))]
        found = [self.items[self._key_text(key)] for key in answered if self._key_text(key) in self.items]
        left = keys[len(answered) :]
        reply = {
            "Responses": {table: found},
            "UnprocessedKeys": {table: {**wanted, "Keys": left}} if left else {},
            "ConsumedCapacity": [{"TableName": table, "CapacityUnits": float(len(answered))}],
        }
        return json.dumps(reply).encode()

    def _change(self, request: Item) -> None:
        if "PutRequest" in request:
            item = request["PutRequest"]["Item"]
            self.items[self._key_text(item)] = item
        else:
            self.items.pop(self._key_text(request["DeleteRequest"]["Key"]), None)

    def _single(self, operation: str, asked: Item) -> None:
        key = self._key_text(asked.get("Item") or asked["Key"])
        there = self.items.get(key)
        condition = asked.get("ConditionExpression", "")
        values = asked.get("ExpressionAttributeValues")
        if values and "=" in condition:
            names = asked["ExpressionAttributeNames"]
            left, _, right = condition.partition(" = ")
            holds = there is not None and there.get(names[left]) == values[right]
        elif condition.startswith("attribute_not_exists"):
            holds = there is None
        else:
            holds = not condition or there is not None
        if not holds:
            raise ConditionFailed(None if there is None else json.dumps(there).encode())
        if operation == "PutItem":
            self.items[key] = asked["Item"]
        else:
            self.items.pop(key, None)

    @property
    def held(self) -> list[Item]:
        """The items in the order of their keys."""
        return [self.items[key] for key in sorted(self.items)]


class Rows:
    """A query in memory. ``batches`` may be asked for as often as ``runs`` says, then it fails the test."""

    description = "rows in memory"

    def __init__(
        self, columns: str, rows: Sequence[Row], *, kinds: Sequence[str] = (), size: int = 2
    ) -> None:
        names = columns.split()
        self._columns = [
            Column(name, kind) for name, kind in zip(names, kinds or ["other"] * len(names), strict=True)
        ]
        self.rows = list(rows)
        self.size = size
        self.fetched = 0
        self.closed = 0
        self.told: QueryFacts | None = None
        self.before: Callable[[int], None] = lambda _row: None

    def columns(self) -> Sequence[Column]:
        return self._columns

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        if self.told is not None:
            return self.told
        places = [one.name for one in self._columns]
        keys = [tuple(row[places.index(name)] for name in key_columns) for row in self.rows]
        several = [key for key in dict.fromkeys(keys) if keys.count(key) > 1 and None not in key]
        named = [RepeatedKey(values=key, rows=keys.count(key)) for key in several[:5]]
        return QueryFacts(rows=len(self.rows), repeated_keys=len(several), repeated=named)

    def batches(self) -> Iterator[RowBatch]:
        for start in range(0, len(self.rows), self.size):
            some = self.rows[start : start + self.size]
            self.before(start)
            self.fetched += len(some)
            yield RowBatch([list(column) for column in zip(*some, strict=True)], len(some))

    def close(self) -> None:
        self.closed += 1


def products(*rows: Row) -> Rows:
    """A query of ids and names."""
    return Rows("id name", rows)


def product(key: str, name: str | None = None, **more: Any) -> Item:
    return {"id": {"S": key}, **({} if name is None else {"name": {"S": name}}), **more}


def asked(**changes: Any) -> LookupRequest:
    given: dict[str, Any] = {
        "sql": "select id, name from products",
        "table_name": TABLE,
        "key_columns": ("id",),
        "s3_uri": "s3://lake/loads",
        "units_per_second": QUICK,
        "read_units_per_second": QUICK,
        **changes,
    }
    return LookupRequest(**given)


def work(run: str | None = "dag|task|-1|run", generation: str = "0") -> Work:
    return Work(run=run, generation=generation, began_at=EPOCH)


@dataclass(kw_only=True)
class LoadWorld:
    """Ports to load with, and what went out by them."""

    table: LoadTable = field(default_factory=LoadTable)
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=VirtualClock)
    stop: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[AnyProgress] = field(default_factory=list)

    @property
    def ports(self) -> LookupPorts:
        common: dict[str, Any] = {
            "table": self.table,
            "capacity": FixedCapacity(),
            "clock": self.clock,
            "stop": self.stop,
            "say": self.said.append,
            "warn": self.warned.append,
        }
        return LookupPorts(
            reading=Ports(store=self.store, **common),
            writing=ImportPorts(source=self.store, records=self.store, **common),
            getter=self.table,
        )

    def plan(self, source: Rows | None = None, job: Work | None = None, **changes: Any) -> LookupPlan:
        return make_lookup_plan(asked(**changes), source or products(), job or work(), self.ports)

    def load(self, source: Rows, job: Work | None = None, **changes: Any) -> LookupResult:
        reports = LookupReports(self.reports.append)
        return run_lookup(asked(**changes), source, job or work(), self.ports, reports)

    def anew(self) -> None:
        """Another process begins: nobody has told it to stop, and what made the last one fail is over."""
        self.stop = threading.Event()
        self.table.before = self.table.after = lambda _operation, _body: None

    def read_back(self, **more: Any) -> ReadBack:
        clock = more.pop("clock", ManualClock())
        return ReadBack(
            self.table,
            TABLE,
            self.table.schema,
            throttle=more.pop("throttle", Throttle(QUICK, clock, self.stop)),
            clock=clock,
            stop=self.stop,
            warn=self.warned.append,
        )

    def keys(self, part: str) -> list[str]:
        """Keys of the bucket in which a text stands."""
        return [key for key in self.store.keys("") if part in key]

    def changes(self) -> list[Item]:
        """Every line of the change sets in the bucket."""
        return [line for key in self.keys("/changes/") for line in lines_of(self.store, key)]


def lines_of(store: MemoryStore, key: str) -> list[Item]:
    name = "gzip" if key.endswith(".gz") else "none"
    data = b"".join(COMPRESSIONS[name].decompress(store.read(key)))
    return [json.loads(line) for line in data.splitlines()]


def printed(*items: Item, key: Sequence[KeyAttribute] = KEY) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What a partition takes: key texts, digests and the items in canonical form."""
    texts = [canonical(json.dumps(item).encode()) for item in items]
    keys = key_texts([KeyReader(key).of(text) for text in texts], [one.tag for one in key])
    return keys, digests_of(texts), texts


def prints_of(*items: Item, key: Sequence[KeyAttribute] = KEY) -> list[bytes]:
    keys, digests, _ = printed(*items, key=key)
    return [b"%b\t%b" % pair for pair in zip(keys, digests, strict=True)]


def partition_of(store: MemoryStore, *items: Item, prefix: str = "scratch/rows-", **more: Any) -> Partition:
    """A partition that holds these items."""
    found = Partition(store=store, prefix=prefix, **{"buckets": 16, **more})
    if items:
        found.add(*printed(*items))
    return found


def overwrite(store: MemoryStore, key: str, body: bytes) -> None:
    """Put other bytes under a key, as somebody else would."""
    store.objects[key] = StoredObject(body, '"other"')


def digest_texts(*items: Item) -> list[str]:
    """The digests of items as a change set has them."""
    return [digest.decode() for digest in printed(*items)[1]]
