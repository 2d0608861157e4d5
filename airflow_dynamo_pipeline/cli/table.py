"""``dynamo-pipeline table``: what a table is apart from its items, saved and made again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.arns import bucket_and_key
from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.table_definition import read_complete, read_definition
from airflow_dynamo_pipeline.adapters.table_restore import restore_table
from airflow_dynamo_pipeline.adapters.wiring import Clients, reading_store
from airflow_dynamo_pipeline.cli.exit_codes import ExitCode
from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.cli.options import aws_settings, files
from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.cli.own_settings import is_passed_over
from airflow_dynamo_pipeline.cli.running import clients, stopping_on_signals
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.table_definition import FILE_NAME, TableDefinition, decode_definition
from airflow_dynamo_pipeline.engine.table_restore import RestoreRequest
from airflow_dynamo_pipeline.engine.table_restored import RestoreResult
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, NotFound, Problem, Stopped

S3 = "s3://"
ENDING = "what is under way is ended, and nothing more begun"


@click.group("table")
def group() -> None:
    """Save what a table is apart from its items, and make it again.

    \b
    dynamo-pipeline table save orders --to orders.json
    dynamo-pipeline table restore orders.json --table-name orders-restored
    """  # noqa: D301


@group.command()
@click.argument("table_name")
@click.option(
    "--to",
    required=True,
    help="A file, or s3://bucket/key; what is there is overwritten.",
    shell_complete=files,
)
@click.option(
    "--allow-incomplete/--no-allow-incomplete", help="Save what can be read, and name in it what cannot."
)
@aws_settings
def save(
    *,
    table_name: str,
    to: str,
    allow_incomplete: bool,
    profile: str | None,
    region_name: str | None,
) -> None:
    """Write the definition of a table to a file or to S3.

    \b
    dynamo-pipeline table save orders --to orders.json
    """  # noqa: D301  \b is click's mark for text to leave alone
    output, stop = Output(), threading.Event()
    read = read_definition if allow_incomplete else read_complete
    with stopping_on_signals(stop, output, ENDING):
        made = clients(profile, region_name)
        definition = read(_calls(made, output, stop), table_name)
        if stop.is_set():
            raise Stopped("told to stop before the definition was written")
        _write(made, to, definition.to_json(), output, stop)
    for each in definition.not_carried:
        output.warn(f"not in the definition: {each.what}, {each.why}")
    for each in definition.not_read:
        output.warn(f"could not be read: {each.what}, {each.why}")
    output.result("saved", _saved(definition, to))


@group.command()
@click.argument("source", shell_complete=files)
@click.option("--table-name", "--table", help="Name of the new table.  [default: the definition's]")
@click.option("--kms-key-id", help="Encrypt by this KMS key instead of the definition's.")
@click.option(
    "--onto-existing/--no-onto-existing",
    help="Add to a table that is there what it has not; what it has otherwise is left, and printed. Time to"
    " live may be switched on: DynamoDB then deletes expired items.",
)
@aws_settings
def restore(
    *,
    source: str,
    table_name: str | None,
    kms_key_id: str | None,
    onto_existing: bool,
    profile: str | None,
    region_name: str | None,
) -> None:
    """Make a table from its definition; run again, it goes on with what was left unfinished.

    SOURCE is a file or s3://bucket/key. Exit code 12: the table is there, but not everything could be put
    back; each such thing is printed.

    \b
    dynamo-pipeline table restore orders.json --table-name orders-restored
    """  # noqa: D301
    output, stop = Output(), threading.Event()
    if is_passed_over("table_name"):
        raise InvalidRequest([Problem("table_name", "is not clear: it may be the definition's, or another")])
    with stopping_on_signals(stop, output, ENDING):
        made = clients(profile, region_name)
        definition = decode_definition(_read(made, source, output, stop), source)
        if table_name is None:
            table_name = definition.table.table_name
            output.say(f"table_name is from {source}: {table_name}")
        request = RestoreRequest(
            definition=definition, table_name=table_name, kms_key_id=kms_key_id, onto_existing=onto_existing
        )
        with output.progress():
            result = restore_table(request, _calls(made, output, stop), output.say)
    for each in result.not_put_back:
        output.warn(f"not put back: {each.line()}")
    output.result("restored", result.to_json() if Manner.asked_for().json else _shown(result))
    if result.not_put_back:
        raise SystemExit(ExitCode.NOT_ALL_PUT_BACK)


def _calls(made: Clients, output: Output, stop: threading.Event) -> AwsCalls:
    return AwsCalls(made, clock=SystemClock(), stop=stop, warn=output.warn)


def _saved(definition: TableDefinition, to: str) -> dict[str, Any]:
    return {
        "table_name": definition.table.table_name,
        "definition": to,
        "not_carried": [each.what for each in definition.not_carried],
        "not_read": [each.what for each in definition.not_read],
    }


def _shown(result: RestoreResult) -> dict[str, Any]:
    """For people, to whom every difference has been printed by then."""
    record = {"done": ", ".join(result.done) or "nothing", "not_put_back": len(result.not_put_back)}
    return {**result.to_json(), **record}


def _write(made: Clients, to: str, body: bytes, output: Output, stop: threading.Event) -> None:
    if to.startswith(S3):
        bucket, key = _object(to)
        reading_store(made, S3Location(bucket, ""), output.warn, stop=stop).put(key, body)
        return
    try:
        Path(to).write_bytes(body)
    except OSError as error:
        raise InvalidSetting("to", to, f"a file that can be written ({error.strerror})") from error


def _read(made: Clients, source: str, output: Output, stop: threading.Event) -> bytes:
    if source.startswith(S3):
        bucket, key = _object(source)
        stored = reading_store(made, S3Location(bucket, ""), output.warn, stop=stop).get(key)
        if stored is None:
            raise NotFound("key", source)
        return stored.body
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InvalidSetting("source", source, f"a file that can be read ({error.strerror})") from error


def _object(uri: str) -> tuple[str, str]:
    """Bucket and key; a folder, with a slash at its end, means the file an export puts there."""
    bucket, key = bucket_and_key(uri)
    if not bucket or not key:
        raise InvalidSetting(
            "s3_uri", uri, f"s3://bucket/key, or a folder of {FILE_NAME} as s3://bucket/folder/"
        )
    return bucket, key + FILE_NAME if key.endswith("/") else key
