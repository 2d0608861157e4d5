"""``dynamo-pipeline estimate``: what an export would take."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.auto_wiring import auto_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.cli.options import aws_settings, export_settings, given_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.prices_option import prices_option, request_and_prices
from airflow_dynamo_pipeline.cli.running import clients
from airflow_dynamo_pipeline.engine.auto_export import choose
from airflow_dynamo_pipeline.engine.estimate import Estimate, estimate_export
from airflow_dynamo_pipeline.engine.export_method import Choice
from airflow_dynamo_pipeline.engine.plan_cost import duration
from airflow_dynamo_pipeline.engine.requests import ExportRequest

UNKNOWN_TARGET = "s3://not-needed"
NOT_KNOWN = "not known"


@click.command("estimate")
@export_settings
@prices_option
@aws_settings
def command(*, profile: str | None, region_name: str | None, prices: str | None, **given: Any) -> None:
    """Say what an export would take, without reading an item.

    \b
    dynamo-pipeline estimate --table-name orders --ratio 0.25
    """  # noqa: D301
    output = Output()
    settings = {"s3_uri": UNKNOWN_TARGET, **given_settings(given)}
    request, prices_of = request_and_prices(lambda: ExportRequest.from_settings(settings), prices)
    made = clients(profile, region_name)
    ports = replace(
        export_ports(made, request, stop=threading.Event(), say=output.say, warn=output.warn),
        prices=prices_of,
    )
    found = estimate_export(request, ports.table, ports.capacity, prices_of)
    auto = auto_ports(made, request, ports, knows_target=given["s3_uri"] is not None)
    choice = choose(request, auto)
    if found.uncounted:
        output.warn(found.uncounted)
    is_json = Manner.asked_for().json
    output.result("estimate", found.to_json() | choice.to_json() if is_json else _shown(found, choice))


def _shown(found: Estimate, choice: Choice) -> dict[str, Any]:
    """The same in words."""
    return {
        "table": found.table_name + (f", index {found.index_name}" if found.index_name else ""),
        "items": found.items,
        "bytes": found.bytes,
        "read units": NOT_KNOWN if found.read_units is None else found.read_units,
        "rate": f"{found.units_per_second:,.1f} read units per second ({found.reason})",
        "segments": found.segments,
        "time": NOT_KNOWN if found.seconds is None else f"about {duration(found.seconds)}",
        "price": f"{found.cost} ({found.prices.source})",
        "method": f"{choice.method}: {choice.reason}",
        **{f"- {way.method}": str(way).removeprefix(f"{way.method}: ") for way in choice.ways},
        "cheapest": choice.cheapest or NOT_KNOWN,
        "fastest": ", ".join(choice.fastest or [NOT_KNOWN]),
    }
