"""What the calling thread does while segments run: lease, rate, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airflow_dynamo_pipeline.engine.capacity import read_rate
from airflow_dynamo_pipeline.engine.lease import Held
from airflow_dynamo_pipeline.engine.own_use import OwnUse, SharedRate
from airflow_dynamo_pipeline.engine.plan import READABLE_STATES, Ports
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.engine.progress import Progress, Totals
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import Stopped, TableChanged, Temporary

CAPACITY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reports:
    """Where records of progress go, and how often."""

    to: Callable[[Progress], None]
    every_seconds: float = 10.0
    at_stop: Callable[[Progress], None] = lambda _: None  # what there is after a stop; not for people


class WhatIsRead(Protocol):
    """The part of a plan that this looks at."""

    @property
    def request(self) -> ExportRequest:
        """How the table is read."""
        ...

    @property
    def table(self) -> TableDescription:
        """As it was described at the beginning."""
        ...

    @property
    def item_count(self) -> int:
        """About how many items there are to read."""
        ...


class Housekeeping:
    """Called every half second from one thread; each duty has its own interval."""

    def __init__(
        self,
        plan: WhatIsRead,
        ports: Ports,
        lease: Held | None,
        throttle: Throttle,
        totals: Totals,
        reports: Reports,
        *,
        shared: SharedRate | None = None,
    ) -> None:
        """``shared``: the throttle holds a share of this rate, of which the plan's request is for all."""
        self._plan = plan
        self._shared = shared
        self._ports = ports
        self._lease = lease
        self._throttle = throttle
        self._totals = totals
        self._reports = reports
        now = ports.clock.monotonic()
        self._began_at = self._reported_at = self._capacity_at = now
        self._units_at_report = self._units_at_capacity = throttle.consumed
        self._share_at_start: float | None = None

    def tick(self) -> None:
        """Do what is due; raises StaleAttempt or TableChanged."""
        if self._share_at_start is None:
            self._share_at_start = self._totals.share(self._plan.item_count)
        if self._ports.stop.is_set():
            self._throttle.wake()
            return
        if self._lease is not None:
            self._lease.beat()
        now = self._ports.clock.monotonic()
        if now - self._reported_at >= self._reports.every_seconds:
            self.report_now()
        if now - self._capacity_at >= CAPACITY_SECONDS:
            self._follow_the_table(now)

    def report_now(self) -> None:
        """Make a record of progress and hand it over."""
        now = self._ports.clock.monotonic()
        interval = now - self._reported_at
        units = self._throttle.consumed - self._units_at_report
        self._reports.to(self._progress(now, units / interval if interval > 0 else 0.0))
        self._reported_at, self._units_at_report = now, self._throttle.consumed

    def report_end(self) -> None:
        """Make the last record: its rate is that of the whole attempt."""
        self._reports.to(self._progress(self._ports.clock.monotonic(), self._throttle.held))

    def report_stop(self) -> None:
        """Say what is done, and in the checkpoint, after a stop."""
        self._reports.at_stop(self._progress(self._ports.clock.monotonic(), self._throttle.held))

    def _progress(self, now: float, held: float) -> Progress:
        totals, throttle = self._totals, self._throttle
        share = totals.share(self._plan.item_count)
        return Progress(
            items=totals.items,
            bytes=totals.bytes,
            stored_bytes=totals.stored_bytes,
            parts=totals.parts,
            segments=totals.segments,
            segments_done=totals.segments_done,
            share_done=share,
            consumed_units=totals.units + throttle.consumed,
            units_per_second_asked=throttle.target,
            units_per_second_held=held,
            elapsed_seconds=now - self._began_at,
            eta_seconds=self._eta(share, now - self._began_at),
        )

    def _eta(self, share: float, elapsed: float) -> float | None:
        gained = share - (self._share_at_start or 0.0)
        if share >= 1.0:
            return 0.0
        return elapsed * (1.0 - share) / gained if gained > 0 else None

    def _follow_the_table(self, now: float) -> None:
        """Read the capacity again: autoscaling and people change it, up and down."""
        seconds, self._capacity_at = now - self._capacity_at, now
        own = (self._throttle.consumed - self._units_at_capacity) / seconds
        self._units_at_capacity = self._throttle.consumed
        try:
            table = self._ports.table.describe()
            ours = OwnUse.exactly(own) if self._shared is None else self._shared.own
            rate = read_rate(self._plan.request, table, self._ports.capacity, own=ours)
        except Stopped:
            return
        except Temporary as error:
            self._ports.warn(f"could not read the capacity again, keeping the rate: {error}")
            return
        if table.identity != self._plan.table.identity or table.status not in READABLE_STATES:
            raise TableChanged(
                f"table {table.name} is {table.status}, or was deleted and made anew, while it was read"
            )
        asked = rate.units_per_second
        target = asked if self._shared is None else self._shared.decided(asked)
        if target != self._throttle.target:
            self._ports.say(f"rate now {target:,.1f} read units per second ({rate.reason})")
            self._throttle.set_target(target)
