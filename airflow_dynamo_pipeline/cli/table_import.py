"""``dynamo-pipeline import``: a backup written into a table that is there."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.import_wiring import import_ports
from airflow_dynamo_pipeline.cli.exit_codes import ExitCode
from airflow_dynamo_pipeline.cli.options import aws_settings, given_settings, import_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.prices_option import prices_option, request_and_prices
from airflow_dynamo_pipeline.cli.running import clients, stopping_on_signals
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.table_import import import_table


@click.command("import")
@click.argument("source", nargs=-1)
@import_settings
@prices_option
@aws_settings
def command(*, profile: str | None, region_name: str | None, prices: str | None, **given: Any) -> None:
    """Import a backup into a table; run again with the same arguments, it resumes what was left unfinished.

    SOURCE is a manifest-summary.json, a folder or a file, as s3://bucket/prefix; several for a full export
    and the incremental ones that follow it. Exit code 3: done, but items were rejected (--max-rejected), or
    would be (--dry-run).

    \b
    dynamo-pipeline import --table-name orders --ratio 0.25 s3://backups/orders
    """  # noqa: D301  \b is click's mark for text to leave alone
    output, stop = Output(), threading.Event()
    with stopping_on_signals(stop, output):
        settings = _settings(given)
        request, prices_of = request_and_prices(lambda: ImportRequest.from_settings(settings), prices)
        ports = import_ports(
            clients(profile, region_name), request, stop=stop, say=output.say, warn=output.warn
        )
        ports = replace(ports, prices=prices_of)
        work = Work(run=None, generation=secrets.token_hex(8), began_at=datetime.now(UTC))
        with output.progress():
            result = import_table(request, work, ports, output.import_reports)
    output.result("dry run" if result.dry_run else "imported", result.to_json())
    if result.rejected:
        raise SystemExit(ExitCode.REJECTED)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings a person gave; a source may stand by itself or after its flag."""
    found = given_settings(given)
    sources = [*found.pop("source", ()), *found.pop("s3_uri", ())]
    return {"s3_uri": sources, **found} if sources else found
