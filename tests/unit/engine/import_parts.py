"""Parts of an import for tests of one module: items on their way, and a table that answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.import_records import FileState
from airflow_dynamo_pipeline.engine.ledger import BlockAccount, Entry, FileAccount, Ledger
from airflow_dynamo_pipeline.engine.paying import WriteCalls
from airflow_dynamo_pipeline.engine.ports import KeyAttribute, TableDescription
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate
from airflow_dynamo_pipeline.items.keys import KeyReader
from tests.clock import ManualClock
from tests.unit.engine.world import described

Item = dict[str, Any]
KEY = (KeyAttribute("pk", "S"),)
Answer = Mapping[str, Any] | BaseException


@dataclass
class ScriptedTable:
    """Answers each write with the next of ``answers``, and then with nothing special."""

    answers: list[Answer] = field(default_factory=list)
    calls: list[tuple[str, Item]] = field(default_factory=list)
    told: TableDescription = field(default_factory=lambda: described(key=["pk"]))

    def describe(self) -> TableDescription:
        return self.told

    def ttl_attribute(self) -> str | None:
        return None

    def tags(self) -> Mapping[str, str]:
        return {}

    def write(self, operation: str, body: bytes) -> bytes:
        self.calls.append((operation, json.loads(body)))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, BaseException):
            raise answer
        return json.dumps(answer).encode()

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


def keys_of(body: Item) -> list[str]:
    """The keys that a BatchWriteItem puts or deletes."""
    ((requests),) = body["RequestItems"].values()
    found = [
        request.get("PutRequest", {}).get("Item") or request["DeleteRequest"]["Key"] for request in requests
    ]
    return [item["pk"]["S"] for item in found]


@dataclass
class Parts:
    """A ledger, a throttle and what else a writing thread needs."""

    table: ScriptedTable = field(default_factory=ScriptedTable)
    rate: WriteRate = field(default_factory=lambda: WriteRate(units_per_second=1e9, reason="asked"))
    clock: ManualClock = field(default_factory=ManualClock)
    warned: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.ledger = Ledger(())
        self.calls = WriteCalls(
            table=self.table,
            throttle=Throttle(self.rate.units_per_second, self.clock, self.stop),
            rate=self.rate,
            clock=self.clock,
            stop=self.stop,
            before_call=lambda: False,
            warn=self.warned.append,
        )

    def entries(self, *items: Item, deletes: Sequence[int] = ()) -> list[Entry]:
        """Items of one block of one file, accounted for."""
        blocks = self.ledger.file("part-1").blocks
        first = blocks[-1].lines + 1 if blocks else 1
        return opened(self.ledger, "part-1", items, first=first, deletes=deletes)


def opened(
    ledger: Ledger, file: str, items: Sequence[Item], *, first: int = 1, deletes: Sequence[int] = ()
) -> list[Entry]:
    """One more block of a file."""
    account: FileAccount = ledger.file(file)
    block = BlockAccount(account, first + len(items) - 1, len(items), read=len(items))
    keys = KeyReader(KEY)
    texts = [msgspec.Raw(json.dumps(item).encode()) for item in items]
    found = [Entry(text, keys.of(text), first + n, block, n in deletes) for n, text in enumerate(texts)]
    ledger.open_block(block)
    ledger.has_deletes = ledger.has_deletes or bool(deletes)
    return found


def some(count: int, **more: Any) -> list[Item]:
    return [{"pk": {"S": f"{n:03}"}, **more} for n in range(count)]


def states(ledger: Ledger) -> dict[str, FileState]:
    return {state.key: state for state in ledger.take()[0]}
