"""What a query's rows are compared with: the whole table, some of its items, its digests, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.lookup.digest_files import DigestSide
from airflow_dynamo_pipeline.lookup.digest_trust import believed_digests
from airflow_dynamo_pipeline.lookup.key_side import KeySide, is_cheaper, units_per_key
from airflow_dynamo_pipeline.lookup.partition import Partition
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.sampling import ReadBack
from airflow_dynamo_pipeline.lookup.table_side import TableSide


class OtherSide:
    """Looks at the table in the way that is asked, or the cheaper one. All reads share one throttle."""

    def __init__(
        self,
        plan: LookupPlan,
        ports: LookupPorts,
        reports: LookupReports,
        *,
        attempt: str,
        lease: Lease | None,
        check: Callable[[], None],
    ) -> None:
        """``check`` raises what ends the work."""
        self._plan = plan
        self._ports = ports
        self._reports = reports
        self._attempt = attempt
        self._lease = lease
        self._check = check
        self._throttle = Throttle(plan.rate.units_per_second, ports.clock, ports.stop)
        self.full_compared_at: datetime | None = plan.state.full_compared_at if plan.state else None

    @property
    def consumed_units(self) -> float:
        """Read units so far."""
        return self._throttle.consumed

    def digests(self, expected: int) -> DigestSide | None:
        """The last load's digests, if they were asked for and can be believed of ``expected`` items."""
        return believed_digests(self._plan, self._ports, self._reading, expected, self._attempt)

    def table(self, rows: Partition, spilled: Partition) -> Partition | KeySide:
        """The table itself: items by the keys of the rows where no other item matters and that is cheaper.

        ``spilled`` is what the whole table is read into.
        """
        load = self._plan.load
        by_keys = load.mode != "mirror" and load.compare == "table"
        table = self._plan.table
        if by_keys and is_cheaper(
            rows.count, table.item_count, table.size_bytes, consistent_read=load.consistent_read
        ):
            self._ports.say(f"reading {rows.count:,} items by their keys, not the whole table")
            return KeySide(rows, self._reading, self._plan.key, self._check)
        self.full_compared_at = self._ports.clock.now()
        side = TableSide(
            self._plan,
            self._ports,
            self._reports,
            lease=self._lease,
            throttle=self._throttle,
            partition=spilled,
        )
        side.read()
        return spilled

    @property
    def _reading(self) -> ReadBack:
        return ReadBack(
            self._ports.getter,
            self._plan.load.table_name,
            self._plan.key,
            units_per_key=units_per_key(self._plan.table.item_count, self._plan.table.size_bytes),
            throttle=self._throttle,
            clock=self._ports.clock,
            stop=self._ports.stop,
            warn=self._ports.warn,
        )
