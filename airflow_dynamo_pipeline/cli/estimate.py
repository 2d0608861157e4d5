"""``dynamo-pipeline estimate``: what an export would take."""

from __future__ import annotations

import threading
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.auto_wiring import auto_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.cli.options import as_json, aws_settings, export_settings, given_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.running import clients, exiting_by_code
from airflow_dynamo_pipeline.engine.auto_export import choose
from airflow_dynamo_pipeline.engine.estimate import estimate_export
from airflow_dynamo_pipeline.engine.requests import ExportRequest

UNKNOWN_TARGET = "s3://not-needed"


@click.command("estimate")
@export_settings
@aws_settings
@as_json
def command(*, profile: str | None, region_name: str | None, json_output: bool, **given: Any) -> None:
    """Say what an export would take, without reading an item.

    \b
    dynamo-pipeline estimate --table-name orders --ratio 0.25
    """  # noqa: D301
    output = Output(json_output=json_output)
    with exiting_by_code():
        request = ExportRequest.from_settings({"s3_uri": UNKNOWN_TARGET, **given_settings(given)})
        made = clients(profile, region_name)
        ports = export_ports(made, request, stop=threading.Event(), say=output.say, warn=output.warn)
        found = estimate_export(request, ports.table, ports.capacity)
        auto = auto_ports(made, request, ports, knows_target=given["s3_uri"] is not None)
        output.result("estimate", found.to_json() | choose(request, auto).to_json())
