"""``dynamo-pipeline export``: a table written to S3 under a throttle."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.auto_wiring import auto_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.cli.options import aws_settings, export_settings, given_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.prices_option import prices_option, request_and_prices
from airflow_dynamo_pipeline.cli.running import clients, stopping_on_signals
from airflow_dynamo_pipeline.engine.auto_export import export_by_choice
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.table_export import export_table


@click.command("export")
@export_settings
@prices_option
@aws_settings
def command(*, profile: str | None, region_name: str | None, prices: str | None, **given: Any) -> None:
    """Export a table to S3; run again with the same arguments, it resumes what was left unfinished.

    \b
    dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders --ratio 0.25
    """  # noqa: D301  \b is click's mark for text to leave alone
    output, stop = Output(), threading.Event()
    with stopping_on_signals(stop, output):
        settings = given_settings(given)
        request, prices_of = request_and_prices(lambda: ExportRequest.from_settings(settings), prices)
        ports = export_ports(
            clients(profile, region_name), request, stop=stop, say=output.say, warn=output.warn
        )
        ports = replace(ports, prices=prices_of)
        work = Work(run=None, generation=secrets.token_hex(8), began_at=datetime.now(UTC))
        with output.progress():
            if request.method == "auto":
                auto = auto_ports(clients(profile, region_name), request, ports)
                result = export_by_choice(request, work, auto, output.reports)
            else:
                result = export_table(request, work, ports, output.reports).to_json()
    output.result("exported", result)
