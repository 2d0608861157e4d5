"""The world as a lookup load sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airflow_dynamo_pipeline.engine.import_plan import ImportPorts
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import Clock, ObjectStore
from airflow_dynamo_pipeline.items.page import ReplyText


class ItemGetter(Protocol):
    """One table, asked for single items. Bodies and replies are the JSON text of DynamoDB's API."""

    def get(self, body: bytes) -> ReplyText:
        """Call BatchGetItem, once; raises Throttled and the rest of the error tree."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupPorts:
    """``reading`` has the table as a source of pages, ``writing`` as a place for items; one bucket serves.

    Clock, stop event and log are those of ``reading``, and the same as those of ``writing``.
    """

    reading: Ports
    writing: ImportPorts
    getter: ItemGetter

    @property
    def store(self) -> ObjectStore:
        """The bucket of work files, change sets and records."""
        return self.reading.store

    @property
    def clock(self) -> Clock:
        """Time."""
        return self.reading.clock

    @property
    def stop(self) -> threading.Event:
        """Ends everything."""
        return self.reading.stop

    @property
    def say(self) -> Callable[[str], None]:
        """One line for the log."""
        return self.reading.say

    @property
    def warn(self) -> Callable[[str], None]:
        """One line for the log that wants attention."""
        return self.reading.warn
