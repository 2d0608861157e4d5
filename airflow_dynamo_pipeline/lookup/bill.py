"""What a change set costs, for whoever looks before it is applied."""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.plan_cost import cost_of_writing, duration
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.write_capacity import write_rate
from airflow_dynamo_pipeline.lookup.applying import import_request
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.records import Counts


def bill_of(plan: LookupPlan, ports: LookupPorts, counts: Counts) -> JsonObject:
    """Units, seconds and dollars, and the same as a ``line`` for a log.

    An item that changes may leave its entry in a global index as it is, or cost two units there: so
    ``write_units_at_least`` are the table's, and an index is counted, not priced.
    """
    rate = write_rate(import_request(plan, max_rejected=0), plan.table, ports.writing.capacity)
    prices = ports.writing.prices(plan.table.region).of_class(plan.table.table_class)
    cost = cost_of_writing(counts.write_units, prices, on_demand=plan.table.on_demand)
    indexes = sum(index.is_global for index in plan.table.indexes.values())
    seconds = round(counts.write_units * rate.first_factor / rate.units_per_second, 1)
    more = f", and more for {indexes} global indexes" if indexes else ""
    return {
        "write_units_at_least": counts.write_units,
        "global_indexes": indexes,
        "units_per_second": rate.units_per_second,
        "seconds_at_least": seconds,
        "region": prices.region,
        **{f"{name}_at_least": value for name, value in cost.to_json().items()},
        "prices": prices.source,
        "prices_as_of": prices.as_of,
        "line": f"at least {counts.write_units:,} write units for the table{more}; at least "
        f"{duration(seconds)}; at least {cost} ({prices.source})",
    }
