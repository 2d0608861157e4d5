"""What it takes to export a table of a size at a share of its capacity: arithmetic on paper, no AWS.

A table's units are the reads that one scan of it takes. The rate decides how long that takes; workers,
segments and machines are as many as the rate needs. docs/explanation/scale.md says where each figure comes
from, and a simulation (``python -m tests.benchmarks scale``) holds the hours to what the throttles do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from airflow_dynamo_pipeline.engine.capacity import (
    MAX_THREADS,
    PAGE_BYTES,
    PARTITION_BYTES,
    PARTITION_UNITS,
    UNITS_PER_SECOND_PER_SEGMENT,
    ReadRate,
    segments_fed_by,
    segments_for,
)
from airflow_dynamo_pipeline.engine.plan_cost import HOUR, read_units_of
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.engine.ranges import MOST_RANGES
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.shares import Sharing, sharing_of
from airflow_dynamo_pipeline.engine.sizing import BYTES_PER_UNIT
from airflow_dynamo_pipeline.engine.throttle import paced

BUSY_SHARE: Final = 0.8  # of a worker's threads: the rest makes up for replies that are slow
WORKER_UNITS_PER_SECOND: Final = BUSY_SHARE * MAX_THREADS * UNITS_PER_SECOND_PER_SEGMENT
RANGES_PER_WORKER: Final = 4  # one after the other: others go on with them while a worker is lost, or late
ENDS_SHARE: Final = 0.09  # more time where a rate is shared: at its end a range leaves threads without work
RANGES_PER_EXECUTOR: Final = 4  # at a time: one for each of its cores


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Where workers run."""

    name: str
    vcpus: int
    memory_gb: int


EMR_INSTANCE: Final = Machine(name="m5.xlarge", vcpus=4, memory_gb=16)  # of a cluster; one executor on each
SERVERLESS_EXECUTOR: Final = Machine(name="EMR Serverless", vcpus=4, memory_gb=8)
GLUE_WORKER: Final = Machine(name="G.1X", vcpus=4, memory_gb=16)  # one DPU
MWAA_WORKER: Final = Machine(name="mw1.small", vcpus=1, memory_gb=2)
RANGES_PER_MWAA_WORKER: Final = 5  # tasks at a time by default
MOST_MWAA_WORKERS: Final = 25  # of an environment, by default


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What an export was measured to take, with items of about 540 bytes of JSON.

    docs/explanation/performance.md has the measurements.
    """

    cpu_seconds_per_gb: float = 3.07  # of Scan replies, 10^9 bytes, over HTTPS at four segments
    spark_factor: float = 1.3  # the CPU of the Spark job to that of a worker: the most its benchmark allows
    reply_bytes_per_byte: float = 540 / 368  # JSON of a reply to an item's size as DynamoDB counts it
    stored_share: float = 0.26  # of the JSON after gzip at level 1


MEASURED: Final = Measured()


def vcpus_for(units_per_second: float, *, on_spark: bool = False, measured: Measured = MEASURED) -> float:
    """CPU seconds a second that reading at a rate takes, over all workers.

    >>> round(vcpus_for(WORKER_UNITS_PER_SECOND), 2), round(vcpus_for(40_000, on_spark=True), 1)
    (0.14, 1.9)
    """
    gb = units_per_second * BYTES_PER_UNIT * measured.reply_bytes_per_byte / 1e9
    return gb * measured.cpu_seconds_per_gb * (measured.spark_factor if on_spark else 1.0)


def workers_for(units_per_second: float) -> int:
    """Workers at a time that a rate needs: at least 1, at most as many as an export can have ranges.

    >>> workers_for(100), workers_for(3_840), workers_for(40_000), workers_for(1_000_000)
    (1, 1, 11, 261)
    """
    return min(MOST_RANGES, max(1, math.ceil(units_per_second / WORKER_UNITS_PER_SECOND)))


def executors_for(size_bytes: float, units_per_second: float) -> int:
    """Spark executors of four cores that a rate needs; no more than the table has pages for.

    >>> executors_for(1024**4, 1_000), executors_for(1024**4, 40_000), executors_for(1024**2, 40_000)
    (1, 3, 1)
    """
    pages = max(1, math.ceil(size_bytes / PAGE_BYTES))
    return math.ceil(min(workers_for(units_per_second), pages) / RANGES_PER_EXECUTOR)


def partitions_for(size_bytes: float, capacity: float) -> int:
    """Partitions a table has at least: 10 GB each, and 3,000 read units of capacity.

    >>> partitions_for(100 * 1024**3, 12_000), partitions_for(1024**3, 12_000)
    (10, 4)
    """
    return max(1, math.ceil(size_bytes / PARTITION_BYTES), math.ceil(capacity / PARTITION_UNITS))


def ranges_for(units_per_second: float) -> int:
    """How many ranges to share out: 1 where one worker is enough, else the same number for each worker.

    Four for each, so that a worker that is lost, or a range that takes long, delays the end by less; fewer
    where there would be more than an export can have. Each has segments of the whole key space, so few
    partitions are no reason for few ranges.

    >>> ranges_for(3_840), ranges_for(10_000), ranges_for(1_000_000)
    (1, 12, 783)
    """
    workers = workers_for(units_per_second)
    return 1 if workers == 1 else workers * min(RANGES_PER_WORKER, MOST_RANGES // workers)


def segments_at_scale(
    size_bytes: float, units_per_second: float, capacity: float, *, ranges: int, workers: int
) -> int:
    """How many segments: as ``segments="auto"`` plans them for ranges, the same number for each thread.

    A worker reads eight at a time. A ninth of its range would be read alone, at what one thread can. They
    are rounded up for one worker as well, where "auto" does not.

    >>> segments_at_scale(1024**4, 10_000, 10_000, ranges=12, workers=3)
    192
    """
    table = _described(size_bytes)
    request = ExportRequest(table_name=table.name, s3_uri="s3://on/paper")
    planned = segments_for(table, request, ReadRate(units_per_second, capacity, "on paper"))
    share = sharing_of(units_per_second, workers).rate(units_per_second)
    most = planned if ranges == 1 else math.ceil(size_bytes / PAGE_BYTES / ranges) or MAX_THREADS
    at_least = ranges * min(MAX_THREADS, segments_fed_by(share), most)
    return at_least * math.ceil(planned / at_least)


def _described(size_bytes: float) -> TableDescription:
    """A table that is nothing but its size."""
    return TableDescription(
        name="paper",
        arn="",
        table_id=None,
        created_at="",
        region="us-east-1",
        status="ACTIVE",
        on_demand=False,
        size_bytes=int(size_bytes),
        item_count=0,
        throughput=Throughput(),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """An export of a table on paper: ``ratio`` of ``capacity``, which is units per second.

    The capacity of an on-demand table is the least of what bounds it. Reads are eventually consistent.
    """

    size_bytes: int
    item_count: int
    capacity: float
    on_demand: bool
    ratio: float

    @property
    def units(self) -> float:
        """Read units of one scan."""
        return read_units_of(self.size_bytes, consistent_read=False)

    @property
    def rate(self) -> float:
        """Units per second asked for."""
        return self.ratio * self.capacity

    @property
    def workers(self) -> int:
        """Workers at a time."""
        return workers_for(self.rate)

    @property
    def sharing(self) -> Sharing:
        """How the workers share the rate."""
        return sharing_of(self.rate, self.workers)

    @property
    def held(self) -> float:
        """Units per second that all workers together schedule by: a little less than asked for."""
        return self.workers * paced(self.sharing.rate(self.rate))

    @property
    def hours(self) -> float:
        """From the first page to the last. What a share leaves unused nobody else reads."""
        ends = 0.0 if self.workers == 1 else ENDS_SHARE
        return (1.0 + ends) * self.units / self.held / HOUR

    @property
    def partitions(self) -> int:
        """Partitions of the table, at least."""
        return partitions_for(self.size_bytes, self.capacity)

    @property
    def ranges(self) -> int:
        """Ranges shared out; 1: one worker does it all."""
        return ranges_for(self.rate)

    @property
    def segments(self) -> int:
        """Segments of all ranges."""
        return segments_at_scale(
            self.size_bytes, self.rate, self.capacity, ranges=self.ranges, workers=self.workers
        )

    @property
    def executors(self) -> int:
        """Spark executors."""
        return executors_for(self.size_bytes, self.rate)

    @property
    def mwaa_workers(self) -> int | None:
        """MWAA workers of the smallest class; None: more than an environment has by default."""
        needed = math.ceil(self.workers / RANGES_PER_MWAA_WORKER)
        return needed if needed <= MOST_MWAA_WORKERS else None

    def reply_bytes(self, measured: Measured = MEASURED) -> float:
        """Bytes of all Scan replies, which is about what the lines of the export are before compression."""
        return self.size_bytes * measured.reply_bytes_per_byte

    def stored_bytes(self, measured: Measured = MEASURED) -> float:
        """Bytes of the export on S3."""
        return self.reply_bytes(measured) * measured.stored_share
