"""The state behind the API: tables, streams, and the one way in which an item changes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from airflow_dynamo_pipeline.engine.ports import Clock
from tests.faults.dynamodb.admission import Admission
from tests.faults.dynamodb.errors import Refused, no_table
from tests.faults.dynamodb.keys import place
from tests.faults.dynamodb.metering import Metering
from tests.faults.dynamodb.rows import item_of
from tests.faults.dynamodb.streams import FIRST_SEQUENCE, Change, Stream
from tests.faults.dynamodb.tables import Replacement, Table

Json = dict[str, Any]
ACCOUNT = "123456789012"


class Database:
    """All of one account in one region. ``tick`` counts effects: it orders what a clock may not."""

    def __init__(self, clock: Clock, *, region: str, settle_seconds: float) -> None:
        self.clock = clock
        self.region = region
        self.lock = threading.RLock()
        self.tables: dict[str, Table] = {}
        self.metering = Metering(clock)
        self.admission = Admission(clock, self.metering)
        self.watchers: list[Callable[[Change], None]] = []
        self.tick = 0
        self.page_items: int | None = None  # the most that a page holds
        self._settle_seconds = settle_seconds
        self._settling: dict[str, tuple[float, str]] = {}  # table: when, and to which state
        self._streams: dict[str, Stream] = {}
        self._sequences = itertools.count(FIRST_SEQUENCE)
        self._table_numbers = itertools.count(1)

    # --- tables -----------------------------------------------------------------------------------

    def create(self, request: Json) -> Table:
        """Make a table; raises Refused for a name that is taken."""
        name = request["TableName"]
        if self._find(name) is not None:
            raise Refused("ResourceInUseException", f"Table already exists: {name}")
        number = next(self._table_numbers)
        table = Table(
            request,
            arn=f"arn:aws:dynamodb:{self.region}:{ACCOUNT}:table/{name}",
            table_id=f"{number:08x}-0000-4000-8000-{number:012x}",
            created_at=self.clock.now(),
        )
        specification = request.get("StreamSpecification") or {}
        if specification.get("StreamEnabled"):
            self.enable_stream(table, specification.get("StreamViewType", ""))
        self.tables[name] = table
        self.settle(table, "CREATING", "ACTIVE")
        return table

    def delete(self, table: Table) -> None:
        """Take a table away; its stream stays readable for a day."""
        self.settle(table, "DELETING", "DELETED")

    def active_table(self, name_or_arn: str) -> Table:
        """A table whose items can be read and written; raises Refused."""
        table = self._find(name_or_arn.rpartition("/")[2])
        if table is None or table.status in ("CREATING", "DELETING"):
            raise Refused("ResourceNotFoundException", "Requested resource not found")
        return table

    def table(self, name_or_arn: str) -> Table:
        """A table that exists, in whatever state; raises Refused."""
        name = name_or_arn.rpartition("/")[2]
        table = self._find(name)
        if table is None:
            raise no_table(name)
        return table

    def settle(self, table: Table, meanwhile: str, finally_: str, *, seconds: float | None = None) -> None:
        """Let a table be in one state for as long as things take here, or these seconds, then in another."""
        table.status = meanwhile
        duration = self._settle_seconds if seconds is None else seconds
        self._settling[table.name] = (self.clock.monotonic() + duration, finally_)

    def _find(self, name: str) -> Table | None:
        when, state = self._settling.get(name, (float("inf"), ""))
        if self._settling and when <= self.clock.monotonic():
            del self._settling[name]
            if state == "DELETED":
                self._drop(name)
            else:
                self.tables[name].status = state
        return self.tables.get(name)

    def _drop(self, name: str) -> None:
        table = self.tables.pop(name)
        self.admission.unmeter(name)
        if table.stream is not None:
            self.disable_stream(table)

    def names(self) -> list[str]:
        """The names of all tables in order."""
        return sorted(name for name in list(self.tables) if self._find(name) is not None)

    # --- streams ----------------------------------------------------------------------------------

    def enable_stream(self, table: Table, view_type: str) -> Stream:
        """Begin a new stream of a table."""
        now = self.clock.now()
        label = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}"
        while f"{table.arn}/stream/{label}" in self._streams:
            label = f"{label[:-3]}{(int(label[-3:]) + 1) % 1000:03}"
        stream = Stream(
            arn=f"{table.arn}/stream/{label}",
            table=table.name,
            key_schema=table.schema.describe(),
            view_type=view_type,
            created_at=now,
            sequences=self._sequences,
        )
        table.stream = table.latest_stream = self._streams[stream.arn] = stream
        return stream

    def disable_stream(self, table: Table) -> None:
        """End a table's stream; it stays readable for a day."""
        assert table.stream is not None
        table.stream.disable(self.clock.now())
        table.stream = None

    def streams(self) -> list[Stream]:
        """All streams that can be read, the oldest first."""
        now = self.clock.now()
        self._streams = {arn: stream for arn, stream in self._streams.items() if not stream.is_gone(now)}
        return list(self._streams.values())

    def stream(self, arn: str) -> Stream:
        """A stream that can be read; raises Refused."""
        self.streams()
        if arn not in self._streams:
            raise Refused(
                "ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found"
            )
        return self._streams[arn]

    # --- items ------------------------------------------------------------------------------------

    def change(self, table: Table, replacement: Replacement, *, by_ttl: bool = False) -> None:
        """Make one change and tell everybody; a change to the same item tells nobody."""
        if not replacement.is_change:
            return
        table.apply(replacement)
        self.tick += 1
        present = replacement.new or replacement.old
        assert present is not None
        change = Change(
            tick=self.tick,
            at=self.clock.now(),
            table_name=table.name,
            key=table.schema.cut(present.item),
            old=item_of(replacement.old),
            new=item_of(replacement.new),
            by_ttl=by_ttl,
        )
        if table.stream is not None:
            table.stream.record(change, place(replacement.position), self.region)
        for watcher in self.watchers:
            watcher(change)


Operation = Callable[[Database, Json], Json | bytes]
