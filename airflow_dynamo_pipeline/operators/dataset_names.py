"""What OpenLineage calls the datasets that are read and written.

OpenLineage's naming rules name buckets, and tables of AWS Glue by ARN; they do not name tables of DynamoDB.
Those are named as Glue's are: the namespace is the ARN up to the account, the name is what follows it, so
that both joined by a colon are the table's ARN.
"""

from __future__ import annotations

from airflow_dynamo_pipeline.engine.requests import S3Location

ROOT = "/"  # the name of a whole bucket, as the amazon provider has it


def s3_dataset(uri: str) -> tuple[str, str]:
    """Namespace and name of a bucket's prefix or object; raises InvalidSetting.

    >>> s3_dataset("s3://backups/orders/")
    ('s3://backups', 'orders')
    """
    place = S3Location.parse(uri)
    return f"s3://{place.bucket}", place.prefix or ROOT


def dynamodb_dataset(table_arn: str) -> tuple[str, str]:
    """Namespace and name of the table that an ARN is of: its own, or an index's, an export's or an import's.

    Raises ValueError for anything else: a name without its account is no dataset's name.

    >>> dynamodb_dataset("arn:aws:dynamodb:eu-west-1:123456789012:table/orders/export/0163-cafe")
    ('arn:aws:dynamodb:eu-west-1:123456789012', 'table/orders')
    """
    head, found, rest = table_arn.partition(":table/")
    table = rest.split("/", 1)[0]
    fields = head.split(":")
    if not (found and table and len(fields) == 5 and fields[2] == "dynamodb" and all(fields)):  # noqa: PLR2004
        raise ValueError(f"{table_arn!r} is not the ARN of a DynamoDB table")
    return head, f"table/{table}"
