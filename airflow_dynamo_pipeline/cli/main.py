"""``dynamo-pipeline``: throttled DynamoDB exports and imports without Airflow."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime
from typing import Any

import click

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.adapters.auto_wiring import auto_ports
from airflow_dynamo_pipeline.adapters.verify_wiring import verify_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports, reading_store
from airflow_dynamo_pipeline.cli import iam_policy, table, table_import
from airflow_dynamo_pipeline.cli.options import (
    HELP,
    as_json,
    aws_settings,
    export_settings,
    verify_settings,
)
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.running import clients, exiting_by_code, stopping_on_signals
from airflow_dynamo_pipeline.engine.auto_export import choose, export_by_choice
from airflow_dynamo_pipeline.engine.estimate import estimate_export
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.table_export import export_table
from airflow_dynamo_pipeline.engine.table_verify import verify_table
from airflow_dynamo_pipeline.engine.verify import verify_files
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest

UNKNOWN_TARGET = "s3://not-needed"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynamo-pipeline")
def main() -> None:
    """Export DynamoDB tables to S3 and import them again, at a rate that is held.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 10 refused before starting, 11 locked by another run,
    12 a table was restored but for what is listed, 130 interrupted. Endpoints and credentials come from
    boto3's own configuration (AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB, ...).
    """


@main.command()
@export_settings
@aws_settings
@as_json
def export(*, profile: str | None, region_name: str | None, json_output: bool, **given: Any) -> None:
    """Export a table to S3; run again with the same arguments, it resumes what was left unfinished.

    \b
    dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders --ratio 0.25
    """  # noqa: D301  \b is click's mark for text to leave alone
    output, stop = Output(json_output=json_output), threading.Event()
    with exiting_by_code(), stopping_on_signals(stop):
        request = ExportRequest.from_settings(_settings(given))
        ports = export_ports(
            clients(profile, region_name), request, stop=stop, say=output.say, warn=output.warn
        )
        work = Work(run=None, generation=secrets.token_hex(8), began_at=datetime.now(UTC))
        with output.progress():
            if request.method == "auto":
                auto = auto_ports(clients(profile, region_name), request, ports)
                result = export_by_choice(request, work, auto, output.reports)
            else:
                result = export_table(request, work, ports, output.reports).to_json()
        output.result("exported", result)


@main.command()
@export_settings
@aws_settings
@as_json
def estimate(*, profile: str | None, region_name: str | None, json_output: bool, **given: Any) -> None:
    """Say what an export would take, without reading an item.

    \b
    dynamo-pipeline estimate --table-name orders --ratio 0.25
    """  # noqa: D301
    output = Output(json_output=json_output)
    with exiting_by_code():
        request = ExportRequest.from_settings({"s3_uri": UNKNOWN_TARGET, **_settings(given)})
        made = clients(profile, region_name)
        ports = export_ports(made, request, stop=threading.Event(), say=output.say, warn=output.warn)
        found = estimate_export(request, ports.table, ports.capacity)
        auto = auto_ports(made, request, ports, knows_target=given["s3_uri"] is not None)
        output.result("estimate", found.to_json() | choose(request, auto).to_json())


@main.command()
@click.argument("manifest_uri")
@verify_settings
@aws_settings
@as_json
def verify(*, profile: str | None, region_name: str | None, json_output: bool, **given: Any) -> None:
    """Compare every file of an export with its manifest, and its items with those of a table.

    \b
    dynamo-pipeline verify s3://backups/orders/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/manifest-summary.json
    """  # noqa: D301
    output, stop = Output(json_output=json_output), threading.Event()
    with exiting_by_code():
        request = VerifyRequest.from_settings(given)
        made = clients(profile, region_name)
        if request.table_name is None:
            store = reading_store(made, request.layout.location, output.warn)
            output.result("verified", verify_files(request.manifest_uri, store).to_json())
            return
        with stopping_on_signals(stop), output.progress():
            ports = verify_ports(made, request, stop=stop, say=output.say, warn=output.warn)
            found = verify_table(request, ports, output.reports)
        output.result("identical", found.to_json())


main.add_command(table_import.command)
main.add_command(table.group)
main.add_command(iam_policy.group)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings a person gave, in the order of the help."""
    return {name: given[name] for name in HELP if given[name] not in (None, False)}
