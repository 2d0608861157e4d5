"""The query's rows as items in buckets, and those that cannot be items as rejects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.collector import give_free_memory_back, old_objects_set_aside
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.lookup.columns import ConvertedBatch, RowConverter
from airflow_dynamo_pipeline.lookup.partition import Partition, digests_of
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.progress import Meter
from airflow_dynamo_pipeline.lookup.rejects import Rejects
from airflow_dynamo_pipeline.lookup.source import RowSource

MOST_BEYOND = 10_000  # rejected rows beyond those allowed: what is this wrong is not read to its end


@dataclass(kw_only=True)
class Staging:
    """Reads a query's rows once, in the calling thread. ``check`` raises what was met meanwhile."""

    plan: LookupPlan
    converter: RowConverter
    partition: Partition
    rejects: Rejects
    meter: Meter
    check: Callable[[], None]

    def run(self, source: RowSource, is_stopped: Callable[[], bool]) -> bool:
        """Take rows to the end; False: so many were rejected that it makes no sense to go on."""
        with old_objects_set_aside():
            for batch in source.batches():
                self.check()
                if is_stopped():
                    raise Stopped("told to stop while fetching rows")
                self._take(self.converter.convert(batch), batch.rows)
                self.meter.tick()
                if self.rejects.count > self.plan.load.max_rejected + MOST_BEYOND:
                    break
            self.partition.close()
        give_free_memory_back()
        self.rejects.write()
        return self.rejects.count <= self.plan.load.max_rejected

    def _take(self, converted: ConvertedBatch, rows: int) -> None:
        first = self.meter.rows + 1
        for bad in converted.bad:
            self.rejects.add(first + bad.row, bad)
        if converted.items:
            self.partition.add(converted.keys, digests_of(converted.items), converted.items)
        self.meter.rows += rows
        self.meter.rejected = self.rejects.count
