"""``dynamo-pipeline verify``: an export compared with its manifest, and with a table."""

from __future__ import annotations

import threading
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.verify_wiring import verify_ports
from airflow_dynamo_pipeline.adapters.wiring import reading_store
from airflow_dynamo_pipeline.cli.options import aws_settings, given_settings, verify_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.running import clients, stopping_on_signals
from airflow_dynamo_pipeline.engine.table_verify import verify_table
from airflow_dynamo_pipeline.engine.verify import verify_files
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest


@click.command("verify")
@click.argument("manifest_uri")
@verify_settings
@aws_settings
def command(*, profile: str | None, region_name: str | None, **given: Any) -> None:
    """Compare every file of an export with its manifest, and its items with those of a table.

    \b
    dynamo-pipeline verify s3://backups/orders/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/manifest-summary.json
    """  # noqa: D301
    output, stop = Output(), threading.Event()
    request = VerifyRequest.from_settings(given_settings(given))
    made = clients(profile, region_name)
    if request.table_name is None:
        store = reading_store(made, request.layout.location, output.warn)
        with output.progress():
            checked = verify_files(request.manifest_uri, store)
        output.result("verified", checked.to_json())
        return
    with stopping_on_signals(stop, output), output.progress():
        ports = verify_ports(made, request, stop=stop, say=output.say, warn=output.warn)
        found = verify_table(request, ports, output.reports)
    output.result("identical", found.to_json())
