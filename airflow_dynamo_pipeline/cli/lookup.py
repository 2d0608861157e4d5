"""``dynamo-pipeline lookup``: a table made equal to the rows of a query."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from airflow_dynamo_pipeline.adapters import redshift_settings
from airflow_dynamo_pipeline.adapters.lookup_settings import both, unload_folder
from airflow_dynamo_pipeline.adapters.lookup_wiring import lookup_ports
from airflow_dynamo_pipeline.adapters.redshift_settings import RedshiftSettings
from airflow_dynamo_pipeline.adapters.redshift_source import redshift_source
from airflow_dynamo_pipeline.adapters.source_uri import SourceUri
from airflow_dynamo_pipeline.adapters.sql_source import SqlSource
from airflow_dynamo_pipeline.cli.exit_codes import ExitCode
from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.cli.options import aws_settings, given_settings, lookup_settings
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.own_settings import SOURCE_PASSWORD
from airflow_dynamo_pipeline.cli.prices_option import prices_option, request_and_prices
from airflow_dynamo_pipeline.cli.running import clients, stopping_on_signals
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.result import LookupResult
from airflow_dynamo_pipeline.lookup.run import run_lookup
from airflow_dynamo_pipeline.lookup.source import RowSource

Asked = tuple[LookupRequest, tuple[RedshiftSettings, SourceUri | None]]


@click.command("lookup")
@lookup_settings
@prices_option
@aws_settings
def command(*, profile: str | None, region_name: str | None, prices: str | None, **given: Any) -> None:
    """Make a table equal a query's rows: write what changed, delete what vanished.

    The rows come from a database that --source-uri names, or by Redshift's Data API (--workgroup-name or
    --cluster-identifier, --database). The password is taken from DYNAMO_PIPELINE_SOURCE_PASSWORD, or by the
    driver's own means. Exit code 3: done, but rows were rejected (--max-rejected), or would be (--dry-run).

    \b
    dynamo-pipeline lookup --sql-file products.sql --source-uri postgresql://me@db/shop --table products --key-columns id --s3-uri s3://b
    """  # noqa: D301, E501  \b is click's mark for text to leave alone; a line can be copied
    output, stop = Output(), threading.Event()
    with stopping_on_signals(stop, output):
        settings = given_settings(given)
        (load, (redshift, uri)), prices_of = request_and_prices(lambda: _asked(settings), prices)
        client = clients(profile, region_name)
        ports = lookup_ports(client, load, stop=stop, say=output.say, warn=output.warn)
        ports = replace(ports, writing=replace(ports.writing, prices=prices_of))
        source = _source(load, redshift, uri, client, ports)
        work = Work(run=None, generation=secrets.token_hex(8), began_at=datetime.now(UTC))
        with output.progress():
            result = run_lookup(load, source, work, ports, output.lookup_reports)
    _tell(output, result)
    if result.rejected or result.refused:
        raise SystemExit(ExitCode.REJECTED)


def _tell(output: Output, result: LookupResult) -> None:
    """The differences have been messages already, unless those are off."""
    record = result.to_json()
    if not Manner.asked_for().json:
        named = record.pop("differences")
        if Manner.asked_for().quiet:
            for line in named:
                click.echo(line)
    output.result("dry run" if result.dry_run else "loaded", record)


def _asked(given: Mapping[str, Any]) -> Asked:
    """The load, how Redshift is asked, and the database; raises InvalidRequest with all problems."""
    of_redshift = {name: value for name, value in given.items() if name in redshift_settings.COERCIONS}
    uri = given.get("source_uri")
    rest = {name: value for name, value in given.items() if name not in (*of_redshift, "source_uri")}
    return both(
        lambda: LookupRequest.from_settings(_with_sql(rest)),
        lambda: both(lambda: RedshiftSettings.from_settings(of_redshift), lambda: _uri(uri, of_redshift)),
    )


def _with_sql(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the text of the query's file in its place."""
    found = dict(given)
    file = found.pop("sql_file", None)
    if file is None:
        return found
    if "sql" in found:
        raise InvalidRequest([Problem("sql, sql_file", "both are given", "leave one of them out")])
    try:
        return {**found, "sql": Path(file).read_text("utf-8")}
    except OSError as error:
        raise InvalidRequest([Problem("sql_file", f"{file} cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest([Problem("sql_file", f"{file} is not UTF-8: {error.reason}")]) from error


def _uri(uri: str | None, of_redshift: Mapping[str, Any]) -> SourceUri | None:
    """The database of the URI, which goes with other settings; None: the Data API."""
    names = [name for name in ("cluster_identifier", "workgroup_name") if name in of_redshift]
    if uri is None and names:
        return None
    if uri is None:
        hint = "or name a cluster_identifier or a workgroup_name for Redshift's Data API"
        raise InvalidRequest([Problem("source_uri", "is required for a lookup load", hint)])
    found = SourceUri.parse(uri)
    if names:
        what = "both are given: rows come by a connection or by the Data API"
        raise InvalidRequest([Problem(f"source_uri, {names[0]}", what, "leave one of them out")])
    if found.dialect != "redshift" and of_redshift:
        raise InvalidRequest(
            Problem(name, f"says nothing with {found.dialect}://", "it is for Redshift")
            for name in of_redshift
        )
    return found


def _source(
    load: LookupRequest,
    settings: RedshiftSettings,
    uri: SourceUri | None,
    client: Callable[[str], Any],
    ports: LookupPorts,
) -> RowSource:
    password = os.environ.get(SOURCE_PASSWORD)
    if uri is not None and uri.dialect != "redshift":
        return SqlSource(uri.connecting(password), load.sql, uri.dialect, name=uri.name, stop=ports.stop)
    return redshift_source(
        settings,
        load.sql,
        connect=None if uri is None else uri.connecting(password),
        client=client("redshift-data") if uri is None else None,
        store=ports.store,
        location=unload_folder(load),
        region=ports.store.region() if settings.iam_role else None,
        kms_key_id=load.s3_sse_kms_key_id,
        name="Redshift" if uri is None else uri.name,
        clock=ports.clock,
        stop=ports.stop,
        warn=ports.warn,
    )
