"""A look at what a table's users leave of its capacity: CloudWatch, and for on-demand tables the quota."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.capacity import PERIOD_SECONDS, AwsCapacity
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.conditions_look import Clients
from airflow_dynamo_pipeline.adapters.dynamodb import described
from airflow_dynamo_pipeline.engine import conditions_units as conditions
from airflow_dynamo_pipeline.engine.capacity import on_demand_capacity
from airflow_dynamo_pipeline.engine.conditions import Verdict
from airflow_dynamo_pipeline.engine.conditions_units import LOOK_BACK_MINUTES, Place, UnitsWanted


def units_available(clients: Clients, arguments: Mapping[str, Any]) -> Verdict:
    """Look at a table's capacity and at what was consumed of it in the last minutes."""
    wanted = UnitsWanted.from_settings(arguments)
    table = described(clients["dynamodb"], wanted.table_name)
    place = conditions.place_of(wanted, table)
    if place is None:
        return conditions.not_readable_yet(wanted, table)
    consumed = consumed_units_per_second(clients["cloudwatch"], wanted, place.metric_index)
    if table.on_demand:
        capacity, bound = _on_demand(clients, wanted, place)
    else:
        capacity, bound = place.throughput.provisioned, "provisioned"
    return conditions.units_available(wanted, capacity=capacity, bound=bound, consumed=consumed)


def consumed_units_per_second(client: Any, wanted: UnitsWanted, metric_index: str | None) -> float:
    """The most of the last minutes' means; 0 when nothing was recorded."""
    dimensions = [{"Name": "TableName", "Value": wanted.table_name}]
    if metric_index is not None:
        dimensions.append({"Name": "GlobalSecondaryIndexName", "Value": metric_index})
    end = datetime.now(UTC)
    with translated("cloudwatch:GetMetricStatistics", f"the consumed capacity of {wanted}"):
        reply = client.get_metric_statistics(
            Namespace="AWS/DynamoDB",
            MetricName=f"Consumed{wanted.operation.capitalize()}CapacityUnits",
            Dimensions=dimensions,
            StartTime=end - timedelta(minutes=LOOK_BACK_MINUTES),
            EndTime=end,
            Period=PERIOD_SECONDS,
            Statistics=["Sum"],
        )
    return max((point["Sum"] / PERIOD_SECONDS for point in reply["Datapoints"]), default=0.0)


def _on_demand(clients: Clients, wanted: UnitsWanted, place: Place) -> tuple[float, str]:
    """The least bound, and its name with what could not be read of it."""
    notes: list[str] = []
    source = AwsCapacity(
        lambda: clients["cloudwatch"], lambda: clients["service-quotas"], SystemClock(), notes.append
    )
    quota = source.table_read_quota() if wanted.operation == "read" else source.table_write_quota()
    capacity, bound = on_demand_capacity(place.throughput, quota)
    return capacity, "; ".join([bound, *notes])
