"""``dynamo-pipeline import``: a backup written into a table that is there."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.cli.options import as_json, aws_settings, import_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.running import clients, exiting_by_code, stopping_on_signals
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.table_import import import_table


@click.command("import")
@click.argument("source", nargs=-1)
@import_settings
@aws_settings
@as_json
def command(*, profile: str | None, region_name: str | None, json_output: bool, **given: Any) -> None:
    """Import a backup into a table; run again with the same arguments, it resumes what was left unfinished.

    SOURCE is a manifest-summary.json, a folder or a file, as s3://bucket/prefix; several for a full export
    and the incremental ones that follow it.

    \b
    dynamo-pipeline import --table-name orders --ratio 0.25 s3://backups/orders
    """  # noqa: D301  \b is click's mark for text to leave alone
    output, stop = Output(json_output=json_output), threading.Event()
    with exiting_by_code(), stopping_on_signals(stop):
        request = ImportRequest.from_settings(_settings(given))
        ports = import_ports(
            clients(profile, region_name), request, stop=stop, say=output.say, warn=output.warn
        )
        work = Work(run=None, generation=secrets.token_hex(8), began_at=datetime.now(UTC))
        with output.progress():
            result = import_table(request, work, ports, output.import_reports)
        output.result("dry run" if result.dry_run else "imported", result.to_json())


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings a person gave; a source may stand by itself or after its flag."""
    named = {name: value for name, value in given.items() if name not in ("source", "s3_uri")}
    sources = {"s3_uri": [*given["source"], *given["s3_uri"]]} if given["source"] or given["s3_uri"] else {}
    return sources | {name: value for name, value in named.items() if value not in (None, False)}
