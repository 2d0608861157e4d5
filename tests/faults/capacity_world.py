"""A fake AWS with one table whose capacity is changed and put back, killed wherever a test likes."""

from __future__ import annotations

import contextlib
import copy
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow_dynamo_pipeline.adapters.capacity_mode import capacity_ports
from airflow_dynamo_pipeline.engine.capacity_mode import CapacityChange
from airflow_dynamo_pipeline.engine.capacity_request import CapacityModeRequest
from airflow_dynamo_pipeline.engine.capacity_state import Run
from airflow_dynamo_pipeline.errors import PipelineError
from tests.clock import EPOCH, ManualClock
from tests.faults.calls import Call
from tests.faults.endpoint import Door, FakeAws, Killed
from tests.faults.script import Fault

if TYPE_CHECKING:
    from tests.step_clock import StepClock

TABLE = "orders"
INDEXES = ("by_date", "by_name")
BUCKET = "records"
RECORDS = f"s3://{BUCKET}/capacity"
SETTLE_SECONDS = 40.0
OF_THE_DAY = {"NumberOfDecreasesToday", "LastDecreaseDateTime"}  # history, as the time of the last switch is
OF_AWS = {"PolicyARN", "CreationTime", "Alarms", "RoleARN", "ResponseMetadata"}
Json = dict[str, Any]


@dataclass
class CapacityWorld:
    """One table with two global indexes, on-demand or provisioned, with autoscaling or without."""

    on_demand: bool = False
    scaled: bool = False
    aws: FakeAws = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self._stop = threading.Event()  # of the attempt that began last
        self._planned: dict[str, Callable[[], object]] = {}
        self.aws = FakeAws(cast("StepClock", self.clock))  # one thread waits, so a manual clock will do
        self.aws.dynamodb._database._settle_seconds = SETTLE_SECONDS
        self.aws.s3.create_bucket(BUCKET)
        units: Json = {} if self.on_demand else {"read": 5, "write": 6}
        indexes = [self._index(name, 7 + number) for number, name in enumerate(INDEXES)]
        names = [{"AttributeName": name, "AttributeType": "S"} for name in INDEXES]
        self.aws.dynamodb.create_table(
            TABLE, **units, GlobalSecondaryIndexes=indexes, AttributeDefinitions=names
        )
        if self.scaled:
            self._scale()

    def _index(self, name: str, units: int) -> Json:
        index: Json = {
            "IndexName": name,
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        if not self.on_demand:
            index["ProvisionedThroughput"] = {"ReadCapacityUnits": units, "WriteCapacityUnits": units + 10}
        return index

    def _scale(self) -> None:
        """Autoscaling of the table's writes and of one index's reads, as a person set it up."""
        with self.aws.door() as door:
            client = door.client("application-autoscaling")
            for spot, metric in (
                (("table/orders", "dynamodb:table:WriteCapacityUnits"), "DynamoDBWriteCapacityUtilization"),
                (
                    ("table/orders/index/by_name", "dynamodb:index:ReadCapacityUnits"),
                    "DynamoDBReadCapacityUtilization",
                ),
            ):
                where = dict(zip(("ResourceId", "ScalableDimension"), spot, strict=True))
                client.register_scalable_target(
                    ServiceNamespace="dynamodb",
                    **where,
                    MinCapacity=2,
                    MaxCapacity=50,
                    SuspendedState={"DynamicScalingInSuspended": True},
                )
                client.put_scaling_policy(
                    ServiceNamespace="dynamodb",
                    **where,
                    PolicyName=f"by-hand-{metric}",
                    PolicyType="TargetTrackingScaling",
                    TargetTrackingScalingPolicyConfiguration={
                        "TargetValue": 55.0,
                        "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
                        "ScaleInCooldown": 120,
                    },
                )

    # --- what is done -------------------------------------------------------------------------------

    def run(
        self, *faults: Fault, run: str = "dag|run", began_at: datetime = EPOCH, **settings: Any
    ) -> Attempt:
        """One attempt of a task; what was planned with ``just_before`` happens in its midst."""
        request = CapacityModeRequest(table_name=TABLE, **settings)
        attempt = Attempt()
        self._stop = threading.Event()
        with self.aws.door(*faults) as door:
            door.before = self._before
            ports = capacity_ports(
                door.client,
                request,
                stop=self._stop,
                say=attempt.said.append,
                warn=attempt.warned.append,
                clock=self.clock,
            )
            change = CapacityChange(request, Run(name=run, began_at=began_at), ports)
            try:
                attempt.outcome = change.finish(poll_seconds=15.0, wait_seconds=3600.0)
            except (PipelineError, Killed) as error:
                attempt.outcome = error
            attempt.operations = door.operations()
        return attempt

    def just_before(self, operation: str, action: Callable[[], object]) -> None:
        """Do something once, just before the next call of an operation arrives."""
        self._planned[operation] = action

    def _before(self, call: Call) -> None:
        self._planned.pop(call.operation, lambda: None)()

    def tell_to_stop(self) -> None:
        """The attempt that began last."""
        self._stop.set()

    def add_index(self, name: str) -> None:
        """As a person does, who waits until it is ACTIVE."""
        with self.aws.door() as door:
            door.client("dynamodb").update_table(
                TableName=TABLE,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}],
                GlobalSecondaryIndexUpdates=[{"Create": self._index(name, 1)}],
            )
        self.clock.advance(SETTLE_SECONDS + 1)

    def change(self, *faults: Fault, **settings: Any) -> Attempt:
        """With a record."""
        return self.run(*faults, record_s3_uri=RECORDS, **settings)

    def restore(self, *faults: Fault, **settings: Any) -> Attempt:
        """Put back what was found."""
        return self.run(*faults, record_s3_uri=RECORDS, restore=True, **settings)

    # --- what there is ------------------------------------------------------------------------------

    @cached_property
    def _eyes(self) -> Door:
        """A door of the test's own."""
        stack = contextlib.ExitStack()
        weakref.finalize(self, stack.close)
        return stack.enter_context(self.aws.door())

    def seen(self) -> Json:
        """DescribeTable, DescribeScalableTargets and DescribeScalingPolicies, as a person sees them."""
        door = self._eyes
        table = door.client("dynamodb").describe_table(TableName=TABLE)["Table"]
        scaling = door.client("application-autoscaling")
        targets = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
        policies = scaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"]
        mode = table.pop("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        return {
            "mode": mode,
            "table": _without(table, OF_THE_DAY),
            "targets": [_without(one, OF_AWS) for one in targets],
            "policies": [_without(one, OF_AWS) for one in policies],
        }

    def units(self, index: str | None = None) -> tuple[int, int]:
        """Read and write units of the table or an index now."""
        table = self.seen()["table"]
        place = (
            table
            if index is None
            else next(one for one in table["GlobalSecondaryIndexes"] if one["IndexName"] == index)
        )
        units = place["ProvisionedThroughput"]
        return units["ReadCapacityUnits"], units["WriteCapacityUnits"]

    @property
    def mode(self) -> str:
        """In AWS's words."""
        return str(self.seen()["mode"])


@dataclass
class Attempt:
    """How an attempt ended, what it said and which calls it made."""

    outcome: Json | BaseException | None = None
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)

    @property
    def result(self) -> Json:
        """Of an attempt that must have succeeded."""
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome


def _without(value: Any, names: set[str]) -> Any:
    """A copy without members that no restore can, or should, put back."""
    if isinstance(value, Mapping):
        return {name: _without(one, names) for name, one in value.items() if name not in names}
    return [_without(one, names) for one in value] if isinstance(value, list) else copy.copy(value)
