"""A lookup load through a door of the fake, from rows that a test sets."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.lookup_wiring import lookup_ports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.errors import PipelineError
from airflow_dynamo_pipeline.lookup import deciding, partition
from airflow_dynamo_pipeline.lookup.change_files import ChangeFiles
from airflow_dynamo_pipeline.lookup.partition import Partition
from airflow_dynamo_pipeline.lookup.progress import AnyProgress, LookupReports
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.result import LookupResult
from airflow_dynamo_pipeline.lookup.run import run_lookup
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RepeatedKey, RowBatch
from tests.clock import EPOCH, VirtualClock
from tests.faults.attempts import BUCKET, NO_WAITING, QUIET_SECONDS, Item, Objects
from tests.faults.calls import Call
from tests.faults.endpoint import Door, FakeAws, HarnessClock, Killed
from tests.faults.import_world import MUTATING, ON_TABLES, in_small_steps
from tests.faults.script import Fault

TARGET = "products"
PREFIX = "lookups"
TTL = "gone_at"
Row = tuple[object, ...]
PRODUCT = (Column("pk", "text"), Column("name", "text"), Column("price", "number"))
GENERATIONS: dict[str, Any] = {"generation_days": 2, "ttl_attribute": TTL}


def product(number: int, name: str = "new", price: object = 1) -> Row:
    """A row of the usual query."""
    return (f"P{number:03}", name, price)


def item_of(row: Row) -> Item:
    """What a row of the usual query becomes."""
    pk, name, price = row
    item: Item = {"pk": {"S": pk}, "price": {"N": str(price)}}
    if name is not None:
        item["name"] = {"S": name}
    return {attribute: value for attribute, value in item.items() if value != {"N": "None"}}


def items_of(rows: Sequence[Row]) -> list[Item]:
    """What rows of the usual query become."""
    return [item_of(row) for row in rows]


@dataclass
class RowsSource:
    """A query whose rows a test sets; ``facts_said`` is what its database says of them if not the truth."""

    rows: Sequence[Row]
    described: Sequence[Column] = PRODUCT
    batch_rows: int = 4
    facts_said: QueryFacts | None = None
    closed: int = 0
    queries: int = 0

    @property
    def description(self) -> str:
        """What a log says."""
        return "rows of a test"

    def columns(self) -> Sequence[Column]:
        """The columns."""
        return self.described

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """Count."""
        if self.facts_said is not None:
            return self.facts_said
        places = [[column.name for column in self.described].index(name) for name in key_columns]
        keys = Counter(tuple(row[place] for place in places) for row in self.rows)
        twice = [RepeatedKey(values=key, rows=n) for key, n in keys.items() if n > 1 and None not in key]
        return QueryFacts(rows=len(self.rows), repeated_keys=len(twice), repeated=twice[:5])

    def batches(self) -> Iterator[RowBatch]:
        """The rows, a few at a time."""
        self.queries += 1
        for start in range(0, len(self.rows), self.batch_rows):
            some = self.rows[start : start + self.batch_rows]
            yield RowBatch([list(column) for column in zip(*some, strict=True)], len(some))

    def close(self) -> None:
        """Count it."""
        self.closed += 1


@contextlib.contextmanager
def in_small_buckets(*, spill_bytes: int = 400, file_bytes: int = 300) -> Iterator[None]:
    """Let a load of a few rows have spills, several files of changes and writes in several steps."""
    with in_small_steps(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(deciding, "Partition", functools.partial(Partition, spill_bytes=spill_bytes))
        patch.setattr(deciding, "ChangeFiles", functools.partial(ChangeFiles, file_bytes=file_bytes))
        patch.setattr(partition, "FEWEST_BUCKETS", 2)
        yield


def loading(**settings: Any) -> LookupRequest:
    """A request for a mirror that never waits for its turn, by one writer."""
    usual = {
        "sql": "SELECT pk, name, price FROM products",
        "table_name": TARGET,
        "key_columns": ["pk"],
        "s3_uri": f"s3://{BUCKET}/{PREFIX}",
        "units_per_second": NO_WAITING,
        "read_units_per_second": NO_WAITING,
        "segments": 1,
        "max_shrink": 1.0,
    }
    return LookupRequest.from_settings({**usual, **settings})


@dataclass
class LookupWorld:
    """A fake AWS with an empty bucket and a lookup table; ``rows`` are what the query has now.

    ``held`` are items that the table has already.
    """

    rows: Sequence[Row]
    held: Sequence[Item] = ()
    key: Sequence[tuple[str, str]] = (("pk", "S"),)
    columns: Sequence[Column] = PRODUCT
    settings: dict[str, Any] = field(default_factory=dict)  # of every load
    aws: FakeAws = field(default_factory=lambda: FakeAws(VirtualClock(QUIET_SECONDS)))

    def __post_init__(self) -> None:
        self.aws.s3.create_bucket(BUCKET)
        self.aws.dynamodb.create_table(TARGET, key=self.key)
        self.aws.dynamodb.put_items(TARGET, self.held)
        if "generation_days" in self.settings:
            self.aws.dynamodb.table(TARGET).time_to_live = TTL

    def copy(self) -> LookupWorld:
        """Another world in the same state, but for uploads that were never finished."""
        other = LookupWorld(self.rows, self.items, self.key, self.columns, self.settings)
        mine, its = (world.aws.dynamodb.table(TARGET) for world in (self, other))
        its.table_id, its.created_at = mine.table_id, mine.created_at
        for key, body in self.objects.items():
            other.aws.s3.put(BUCKET, key, body)
        other.pass_time(self.aws.clock.monotonic() - other.aws.clock.monotonic())
        return other

    def pass_time(self, seconds: float) -> None:
        """Let time go by in which nothing is loaded."""
        assert isinstance(self.aws.clock, VirtualClock)
        self.aws.clock.advance(seconds)

    def load(self, *faults: Fault, run: str = "tonight", **settings: Any) -> LookupAttempt:
        """One attempt from its beginning to its end, whichever that is."""
        return self.attempt(*faults, run=run, **settings).run()

    def attempt(self, *faults: Fault, run: str = "tonight", **settings: Any) -> LookupAttempt:
        """An attempt that has not begun."""
        work = Work(run=run, generation=settings.pop("generation", "0"), began_at=EPOCH)
        source = settings.pop("source", None) or RowsSource(self.rows, self.columns)
        return LookupAttempt(self, loading(**{**self.settings, **settings}), source, faults, work)

    @property
    def items(self) -> list[Item]:
        """What is in the table."""
        return self.aws.dynamodb.items(TARGET)

    @property
    def objects(self) -> Objects:
        """Everything in the bucket."""
        return self.aws.s3.objects(BUCKET)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The record of every run that has decided."""
        found = self.objects
        return [json.loads(found[key]) for key in sorted(found) if key.endswith("/run.json")]

    @property
    def state(self) -> dict[str, Any] | None:
        """What is known of the table."""
        body = self.objects.get(f"{PREFIX}/_lookups/{TARGET}/state.json")
        found: dict[str, Any] | None = None if body is None else json.loads(body)
        return found

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Every change in the files of changes that lie there."""
        bodies = [gzip.decompress(body) for key, body in sorted(self.objects.items()) if "/changes/" in key]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    @property
    def rejects(self) -> dict[int, str]:
        """Reason by row, of every file of rejected rows that lies there."""
        bodies = [body for key, body in sorted(self.objects.items()) if "/rejects/" in key]
        told = [json.loads(line)["rejected"] for body in bodies for line in body.splitlines()]
        reasons = {one["line"]: one["reason"] for one in told}
        assert len(told) == len(reasons), "a row is told of twice"
        return reasons


@dataclass
class LookupAttempt:
    """One process. Its outcome is a result, the error that ended it, or Killed."""

    world: LookupWorld
    request: LookupRequest
    source: RowsSource
    faults: tuple[Fault, ...]
    work: Work
    clock: HarnessClock | None = None
    impatient: bool = False
    stop_at: int | None = None  # the call before which it is told to stop
    outcome: LookupResult | BaseException | None = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[AnyProgress] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    calls: list[Call] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)

    def run(self) -> LookupAttempt:
        """Load through a door of its own."""
        with self.world.aws.door(*self.faults, clock=self.clock) as door:
            self.through(door)
        return self

    def through(self, door: Door) -> None:
        """Load through this door."""
        door.impatient = self.impatient
        if self.stop_at is not None:
            stop_at = self.stop_at
            door.before = lambda _: self.stop.set() if len(door.calls) + 1 >= stop_at else None
        ports = lookup_ports(
            door.client,
            self.request,
            stop=self.stop,
            say=self.said.append,
            warn=self.warned.append,
            clock=door.clock,
            around=door.around,
        )
        try:
            reports = LookupReports(self.reports.append)
            self.outcome = run_lookup(self.request, self.source, self.work, ports, reports)
        except (PipelineError, Killed) as error:
            self.outcome = error
        finally:
            self.calls = list(door.calls)
            self.struck = list(door.script.struck)
            door.frozen.set()  # whoever waits for a strike that never came goes on
        assert self.source.closed, "the query was not ended"
        assert not ON_TABLES & set(self.operations), "a load changed a table itself"

    @property
    def operations(self) -> list[str]:
        """The names of the calls."""
        return [call.operation for call in self.calls]

    @property
    def writes(self) -> list[Call]:
        """The calls that may change an item."""
        return [call for call in self.calls if call.operation in MUTATING]

    @property
    def result(self) -> LookupResult:
        """The result of an attempt that must have succeeded."""
        assert isinstance(self.outcome, LookupResult), repr(self.outcome)
        return self.outcome

    def failed(self, kind: type[BaseException], *words: str) -> str:
        """The message of an attempt that must have ended with this error, and said this."""
        assert isinstance(self.outcome, kind), repr(self.outcome)
        message = str(self.outcome)
        assert [] == [word for word in words if word not in message], message
        return message
