"""An export of a table, and another table to compare it with."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dynamo_pipeline.adapters.memory import Item, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.manifest import checksum
from airflow_dynamo_pipeline.engine.ports import KeyAttribute, TableDescription
from airflow_dynamo_pipeline.engine.progress import Progress
from airflow_dynamo_pipeline.engine.table_verify import TableVerifyResult, verify_table
from airflow_dynamo_pipeline.engine.verify import layout_of
from airflow_dynamo_pipeline.engine.verify_plan import VerifyPorts
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest
from tests.unit.engine.world import NO_WAITING, SmallPages, World, request

KEY = (KeyAttribute("pk", "S"), KeyAttribute("n", "N"))


def some(count: int = 10) -> list[Item]:
    return [
        {
            "pk": {"S": f"k{number}"},
            "n": {"N": str(number)},
            "state": {"S": "open"},
            "total": {"N": "1.5"},
            "tags": {"SS": ["x", "y"]},
            "inner": {"M": {"a": {"N": "7"}, "b": {"L": []}}},
        }
        for number in range(count)
    ]


class KeyedTable(MemoryTable):
    """A table whose description has its key; scans of consistent readers are told apart by the test."""

    def __init__(self, items: list[Item], key: tuple[KeyAttribute, ...] = KEY, **described: object) -> None:
        super().__init__(items, key=[attribute.name for attribute in key], **described)
        self._attributes = key

    def describe(self) -> TableDescription:
        return replace(super().describe(), key=self._attributes)


@dataclass(kw_only=True)
class Compared:
    """An export made of one table, and the comparison of it with another."""

    source: list[Item] = field(default_factory=some)
    source_key: tuple[KeyAttribute, ...] = KEY
    target: KeyedTable = field(default_factory=lambda: KeyedTable(some()))
    consistent: KeyedTable | None = None  # None: the target itself
    export_settings: dict[str, Any] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)
    reports: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        source = SmallPages(KeyedTable(self.source, self.source_key), most=4)
        asked = {"units_per_second": NO_WAITING, "segments": 2, **self.export_settings}
        self.uri = World(store=self.store, table=source).export(request(**asked)).manifest_uri
        self.layout = layout_of(self.uri)

    def verify(self, **changes: Any) -> TableVerifyResult:
        settings = {
            "manifest_uri": self.uri,
            "table_name": "orders",
            "units_per_second": NO_WAITING,
            "segments": 3,
            **changes,
        }
        ports = World(store=self.store, table=SmallPages(self.target), stop=self.stop, said=self.said).ports
        world = VerifyPorts(ports=ports, consistent=SmallPages(self.consistent or self.target))
        return verify_table(VerifyRequest(**settings), world, Reports(self.reports.append, 0.0))

    def rewrite_summary(self, **changes: Any) -> None:
        """Change keys of the manifest's summary, and its checksum with it; None removes one."""
        summary = json.loads(self.store.objects[self.layout.summary_key].body)
        for name, value in changes.items():
            if value is None:
                del summary[name]
            else:
                summary[name] = value
        body = json.dumps(summary).encode()
        self.store.put(self.layout.summary_key, body)
        self.store.put(self.layout.summary_checksum_key, checksum(body))
