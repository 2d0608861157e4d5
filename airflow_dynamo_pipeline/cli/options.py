"""Command line options: one for each setting of a request, under the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from airflow_dynamo_pipeline.cli.lookup_help import LOOKUP_HELP, LOOKUP_WORDS, REDSHIFT_HELP, SOURCE_HELP
from airflow_dynamo_pipeline.cli.origins import STRONGEST_FIRST, weakness
from airflow_dynamo_pipeline.engine.import_request import AUTO, EXPIRED_ITEMS, ON_CONFLICT
from airflow_dynamo_pipeline.engine.requests import METHODS, ON_EXISTING
from airflow_dynamo_pipeline.engine.settings import is_given
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.formats.readers import READERS

Command = Callable[..., Any]

HELP: Mapping[str, str] = {
    "table_name": "Table to read.",
    "s3_uri": "Where exports go: s3://bucket/prefix.",
    "ratio": "Share of the read capacity, above 0 and at most 1.5.  [default: 0.25]",
    "units_per_second": "Absolute rate in read capacity units, instead of --ratio.",
    "segments": "Segments of the parallel scan, or auto.  [default: auto]",
    "index_name": "Read this secondary index instead of the table.",
    "filter_expression": "DynamoDB's FilterExpression; filtered items cost units all the same.",
    "projection_expression": "DynamoDB's ProjectionExpression.",
    "expression_attribute_names": 'JSON, as {"#n": "name"}.',
    "expression_attribute_values": 'JSON with typed values, as {":v": {"S": "x"}}.',
    "consistent_read": "Strongly consistent reads, at twice the cost.",
    "file_format": f"{', '.join(FORMATS)}.  [default: dynamodb_json]",
    "compression": f"{', '.join(COMPRESSIONS)}.  [default: gzip]",
    "part_bytes": "About how large a file gets before compression.  [default: 134217728]",
    "on_existing": f"{', '.join(ON_EXISTING)}: about an export by the same arguments.  [default: resume]",
    "resume_within_seconds": "An unfinished export untouched for longer is not resumed.  [default: 86400]",
    "keep_checkpoint": "Keep _checkpoint/ after the manifest is written.",
    "save_table_definition": "Write table-definition.json beside the manifest.",
    "method": f"{', '.join(METHODS)}: how to export; auto picks the cheapest way.  [default: scan]",
    "finish_within_seconds": "With auto: a scan that is expected to take longer is not picked.",
    "s3_sse_kms_key_id": "Encrypt what is written with this KMS key.",
}
VERIFY_HELP: Mapping[str, str] = {
    "table_name": "Compare the items with those of this table, too.",
    "ratio": HELP["ratio"],
    "units_per_second": HELP["units_per_second"],
    "segments": HELP["segments"],
    "consistent_read": "Strongly consistent reads from the beginning, at twice the cost.",
    "max_differences": "How many items that differ are named; all are counted.  [default: 20]",
}
IMPORT_HELP: Mapping[str, str] = {
    "table_name": "Table to write to; it must exist.",
    "s3_uri": "A source, as SOURCE; may be given several times.",
    "ratio": "Share of the write capacity, above 0 and at most 1.5.  [default: 0.25]",
    "units_per_second": "Absolute rate in write capacity units of table and indexes, instead of --ratio.",
    "segments": "Batches under way at the same time, 1 to 32, or auto.  [default: auto]",
    "file_format": f"{', '.join((AUTO, *READERS))}.  [default: {AUTO}]",
    "on_conflict": f"{', '.join(ON_CONFLICT)}: about items that are there.  [default: overwrite]",
    "version_attribute": "With newer: the attribute that grows with each version.",
    "condition_expression": "With condition: DynamoDB's ConditionExpression.",
    "expression_attribute_names": HELP["expression_attribute_names"],
    "expression_attribute_values": HELP["expression_attribute_values"],
    "max_rejected": "How many items may be rejected before the import fails.  [default: 0]",
    "rejects_s3_uri": "Where rejected items, checkpoint and record go.  [default: the source's folder]",
    "dry_run": "Read and judge everything, write nothing, say what it would take.",
    "on_existing": f"{', '.join(ON_EXISTING)}: about earlier imports of this backup.  [default: resume]",
    "expired_items": f"{', '.join(EXPIRED_ITEMS)}: items whose time to live is over.  [default: keep]",
    "allow_protected": "Import although the table looks like one in production.",
    "expected_backup_id": "Refuse another backup: the backup_id that a dry run returned.",
    "changes_from": "For incremental exports without a full one: the moment the table is of.",
    "attributes": 'JSON, what columns become, as {"id": "S", "n": {"name": "count", "type": "N"}}.',
    "csv_columns": "Columns of CSV files without a header, with commas between.",
    "csv_delimiter": "Between the fields of CSV files.  [default: a comma]",
    "null_text": "The CSV field that means: no such attribute.  [default: an empty one]",
    "s3_sse_kms_key_id": HELP["s3_sse_kms_key_id"],
}
FLAGS = (
    "consistent_read",
    "keep_checkpoint",
    "save_table_definition",
    "dry_run",
    "allow_protected",
    "trim_text",
    "allow_empty",
)
ALSO = {"table_name": ("--table",)}
TABLES = (  # JSON text
    "expression_attribute_names",
    "expression_attribute_values",
    "attributes",
    "columns",
    "constants",
)
LISTS = ("csv_columns", "key_columns")  # text with commas between
FILES = ("sql_file",)
MAY_BE_EMPTY = ("null_text",)
RIVALS = (  # ways of saying one thing
    ("ratio", "units_per_second"),
    ("source", "s3_uri"),
    ("manifest_uri", "s3_uri", "export_arn"),
    ("instance_role", "job_role"),
    ("sql", "sql_file"),
    ("source_uri", "cluster_identifier", "workgroup_name"),
)
ONLY_WITH = {  # refused beside another word of the setting named here
    "finish_within_seconds": ("method", "auto"),
    "version_attribute": ("on_conflict", "newer"),
    "condition_expression": ("on_conflict", "condition"),
    "expression_attribute_names": ("on_conflict", "condition"),
    "expression_attribute_values": ("on_conflict", "condition"),
}
EXPORT_WORDS: Mapping[str, Sequence[str]] = {
    "file_format": tuple(FORMATS),
    "compression": tuple(COMPRESSIONS),
    "on_existing": ON_EXISTING,
    "method": METHODS,
}
IMPORT_WORDS: Mapping[str, Sequence[str]] = {
    "file_format": (AUTO, *READERS),
    "on_conflict": ON_CONFLICT,
    "on_existing": ON_EXISTING,
    "expired_items": EXPIRED_ITEMS,
}


def export_settings(command: Command) -> Command:
    """Add every setting of an export; values stay text, the engine coerces and refuses them all at once."""
    return _settings(command, HELP, EXPORT_WORDS)


def verify_settings(command: Command) -> Command:
    """Add every setting of a verification but the manifest's URI, likewise."""
    return _settings(command, VERIFY_HELP, {})


def import_settings(command: Command) -> Command:
    """Add every setting of an import, likewise; the source may be given several times."""
    return _settings(command, IMPORT_HELP, IMPORT_WORDS, many=("s3_uri",))


def lookup_settings(command: Command) -> Command:
    """Add every setting of a lookup load and of where its rows come from, likewise."""
    return _settings(command, {**SOURCE_HELP, **LOOKUP_HELP, **REDSHIFT_HELP}, LOOKUP_WORDS)


def aws_settings(command: Command) -> Command:
    """Add where credentials and endpoints come from."""
    command = click.option("--profile", help="Profile of the AWS configuration files.")(command)
    return click.option("--region-name", help="AWS region.  [default: boto3's own]")(command)


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


def given_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a request that a person gave, without what a stronger origin rules out."""
    context = click.get_current_context()
    found = {name: value for name, value in given.items() if value not in (False, ()) and is_given(value)}
    for origin in range(len(STRONGEST_FIRST)):
        stronger = {name: value for name, value in found.items() if weakness(context, name) <= origin}
        weaker = {name: value for name, value in found.items() if name not in stronger}
        found = without_rivals(weaker, stronger) | stronger
    return found


def without_rivals(weaker: Mapping[str, object], stronger: Mapping[str, object]) -> dict[str, object]:
    """What stays of weaker settings beside stronger ones that say the same in another way, or rule them out.

    >>> without_rivals({"ratio": 0.5, "segments": 4}, {"units_per_second": 100})
    {'segments': 4}
    >>> without_rivals({"method": "auto", "finish_within_seconds": 60}, {"method": "scan"})
    {'method': 'auto'}
    """
    beaten = {name for group in RIVALS if not stronger.keys().isdisjoint(group) for name in group}
    beaten |= {name for name, (of, word) in ONLY_WITH.items() if stronger.get(of, word) != word}
    return {name: value for name, value in weaker.items() if name not in beaten}


def says_nothing(name: str, value: object) -> bool:
    """Whether a value is empty, as a request would take it, or one of several is."""
    if isinstance(value, tuple | list):
        return any(says_nothing(name, each) for each in value)
    return value is not None and not is_given(value) and not (name in MAY_BE_EMPTY and value == "")


def _settings(
    command: Command,
    settings: Mapping[str, str],
    words: Mapping[str, Sequence[str]],
    many: Sequence[str] = (),
) -> Command:
    for name, text in reversed(list(settings.items())):
        flag = name.replace("_", "-")
        flags = (f"--{flag}/--no-{flag}" if name in FLAGS else f"--{flag}", *ALSO.get(name, ()), name)
        command = click.option(
            *flags,
            help=text,
            default=None,
            multiple=name in many,
            metavar="JSON" if name in TABLES else "FILE" if name in FILES else None,
            shell_complete=_completing(words[name]) if name in words else files if name in FILES else None,
        )(command)
    return command


def _completing(
    words: Sequence[str],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Known words are completed; click does not check them, so that the engine refuses all at once."""

    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    return complete
