"""Keep the events of a lookup table's ids: files on S3 in, the same files with fewer lines out.

### What it does

Press Trigger: the form asks for the lookup table, the folder of the events and the folder of the results.
`filter_events` reads each file of events (JSON lines, with gzip where its name ends with `.gz`), looks up the
`product_id` of each line, and writes the lines whose id is in the table to a file of the same name. Lines are
kept as they are, in their order. Ids are asked for by 100 at once, and each only once a minute.

### What it needs

The connection `aws_default` with `dynamodb:DescribeTable` and `dynamodb:BatchGetItem` on the table,
`s3:ListBucket` on the buckets, `s3:GetObject` on the events and `s3:PutObject` on the results. The table's
key is `product_id`, of type S.

### Results

* One file for each file of events. It appears whole or not at all, and a run that is repeated with the same
  events and the same table writes the same bytes again.
* `filter_events` returns how many lines of each file were kept; its log says how many reads of the table
  that took.

### If it fails

The first line of the error says what to do: a line that is not JSON, an id of another type than the table's
key, a table that is not there. Then press Clear on the task: it does all files again.
"""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

import pendulum
from airflow.providers.amazon.aws.hooks.s3 import S3Hook

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task  # type: ignore[attr-defined]

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.lookup.reader import Lookup

log = logging.getLogger(__name__)
IN_MEMORY = 64 * 1024 * 1024  # bytes of a result; what is more goes to a temporary file


# --8<-- [start:filter]
def product_id(line: bytes) -> Any:
    """What an event is about; None for an event of nothing, which is not in the table."""
    return json.loads(line).get("product_id")


def kept(lookup: Lookup, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines whose product is in the table; never more than 1000 of them are held."""
    return lookup.filter((line for line in lines if line.strip()), key=product_id, batch=1000)


# --8<-- [end:filter]


def write_lines(lines: Iterable[bytes], file: IO[bytes]) -> int:
    """Write lines and count them."""
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007  the last count is what is returned
        file.write(line)
    return count


def filter_file(lookup: Lookup, body: Any, result: IO[bytes], *, packed: bool) -> int:
    """Filter the lines of one file into another; returns how many were kept."""
    if not packed:
        return write_lines(kept(lookup, body.iter_lines(keepends=True)), result)
    with gzip.GzipFile(filename="", fileobj=result, mode="wb", compresslevel=6, mtime=0) as out:
        return write_lines(kept(lookup, gzip.GzipFile(fileobj=body)), cast("IO[bytes]", out))


@task
def filter_events(table_name: str, inputs_uri: str, s3_uri: str, units_per_second: str) -> dict[str, int]:
    """Filter all files of a folder by one lookup; returns how many lines of each were kept."""
    s3 = S3Hook()
    events, results = S3Location.parse(inputs_uri), S3Location.parse(s3_uri)
    if f"{results.uri()}/".startswith(f"{events.uri()}/"):
        raise ValueError(f"results below {inputs_uri} would be taken for events: give another folder")
    lookup = DynamoDBPipelineHook().lookup(table_name, units_per_second=units_per_second)
    folder = f"{events.prefix}/" if events.prefix else ""
    counts = {}
    for key in s3.list_keys(events.bucket, prefix=folder) or ():
        name = key.removeprefix(folder)
        if name.endswith("/") or not name:
            continue  # what the console makes for an empty folder
        body = s3.get_key(key, events.bucket).get()["Body"]
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as result:
            counts[name] = filter_file(lookup, body, cast("IO[bytes]", result), packed=name.endswith(".gz"))
            result.seek(0)
            s3.load_file_obj(cast("Any", result), results.key(name), results.bucket, replace=True)
        log.info("%s: %s lines kept", name, counts[name])
    log.info("%s", lookup.stats)
    return counts


with DAG(
    "filter_events_by_lookup",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("product_lookup", "The lookup table; it is only read"),
        "inputs_uri": params.s3_uri(
            "s3://backups/events", "Events on S3", "The folder of the files of events"
        ),
        "s3_uri": params.s3_uri(
            "s3://backups/kept-events", "Results on S3", "Files of the same names are written here"
        ),
        "units_per_second": params.units_per_second(1000),
    },
):
    filter_events(
        table_name="{{ params.table_name }}",
        inputs_uri="{{ params.inputs_uri }}",
        s3_uri="{{ params.s3_uri }}",
        units_per_second="{{ params.units_per_second }}",
    )
