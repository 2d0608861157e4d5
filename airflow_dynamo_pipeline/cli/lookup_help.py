"""The options of ``dynamo-pipeline lookup``: a line of help for each setting, and known words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_dynamo_pipeline.adapters.redshift_settings import METHODS
from airflow_dynamo_pipeline.lookup.mapping import MOMENTS, NOT_FINITE, NULLS
from airflow_dynamo_pipeline.lookup.request import COMPARISONS, MODES

SOURCE_HELP: Mapping[str, str] = {
    "sql_file": "File with the query.",
    "source_uri": "Database of the query: postgresql://user@host:5432/database, redshift://, mysql:// or "
    "sqlite:///file. It may hold no password.",
}
LOOKUP_HELP: Mapping[str, str] = {
    "sql": "Query whose rows the table shall equal: one SELECT.",
    "table_name": "Table to write to; it must exist.",
    "key_columns": "Columns that are the table's key, with commas between: partition key, sort key.",
    "s3_uri": "Where work files, change sets and records go: s3://bucket/prefix.",
    "mode": f"{', '.join(MODES)}.  [default: mirror]",
    "ratio": "Share of the read and write capacity, above 0 and at most 1.5.  [default: 0.25]",
    "units_per_second": "Absolute rate in write capacity units of table and indexes.",
    "read_units_per_second": "Absolute rate in read capacity units, for the comparison.",
    "segments": "Batches under way at the same time, 1 to 32, or auto.  [default: auto]",
    "columns": 'JSON, what columns become, as {"price": "N", "note": {"name": "text"}, "x": {"drop": true}}.',
    "constants": 'JSON, attributes that every item gets, as {"source": {"S": "shop"}}.',
    "ttl_attribute": "Attribute that gets the time to live, from --ttl-column or --generation-days.",
    "ttl_column": "Column with a timestamp, a date or epoch seconds.",
    "moments": f"{', '.join(MOMENTS)}: timestamps and dates.  [default: iso]",
    "nulls": f"{', '.join(NULLS)}: what NULL becomes.  [default: omit]",
    "not_finite": f"{', '.join(NOT_FINITE)}: what NaN and infinities become.  [default: reject]",
    "trim_text": "Drop trailing blanks.",
    "compare": f"{', '.join(COMPARISONS)}: what the rows are compared with.  [default: table]",
    "sample_items": "Items read back before digests are believed.  [default: 1000]",
    "full_compare_days": "Digests of an older full comparison are not believed.  [default: 7]",
    "consistent_read": "Read the table strongly consistently, at twice the cost.",
    "max_shrink": "Share by which the rows may be fewer than the table's items.  [default: 0.2]",
    "max_deletes": "How many items may be deleted.  [default: any number]",
    "max_changes": "How many items may be written or deleted.  [default: any number]",
    "allow_empty": "A query without rows is no mistake.",
    "max_rejected": "How many rows may be rejected before the load fails.  [default: 0]",
    "generation_days": "Load all rows under a new generation that lives so long, and flip to it.",
    "dry_run": "Run the query, compare, name the differences, write no item.",
    "max_differences": "How many changes a dry run names.  [default: 20]",
    "allow_protected": "Write although the table looks like one in production.",
    "s3_sse_kms_key_id": "Encrypt what is written to S3 with this KMS key.",
}
REDSHIFT_HELP: Mapping[str, str] = {
    "method": f"{', '.join(METHODS)}: how rows come out of Redshift.  [default: auto]",
    "unload_above_rows": "With auto and --iam-role: more rows than these are unloaded.  [default: 500000]",
    "iam_role": "Role by which Redshift writes to S3: an ARN, or default.",
    "kms_key_id": "KMS key that encrypts what is unloaded.",
    "database": "For the Data API: the database.",
    "cluster_identifier": "For the Data API: the provisioned cluster.",
    "workgroup_name": "For the Data API: the workgroup of Redshift Serverless.",
    "db_user": "For the Data API: the database user of a cluster.",
    "secret_arn": "For the Data API: a secret with user and password.",
}
LOOKUP_WORDS: Mapping[str, Sequence[str]] = {
    "mode": MODES,
    "moments": MOMENTS,
    "nulls": NULLS,
    "not_finite": NOT_FINITE,
    "compare": COMPARISONS,
    "method": METHODS,
}
