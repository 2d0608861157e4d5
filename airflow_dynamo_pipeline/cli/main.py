"""``dynamo-pipeline``: throttled DynamoDB exports and imports without Airflow."""

from __future__ import annotations

import click

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.cli import estimate, iam_policy, table, table_export, table_import, verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynamo-pipeline")
def main() -> None:
    """Export DynamoDB tables to S3 and import them again, at a rate that is held.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 10 refused before starting, 11 locked by another run,
    12 a table was restored but for what is listed, 130 interrupted. Endpoints and credentials come from
    boto3's own configuration (AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB, ...).
    """


for _command in (table_export.command, estimate.command, verify.command, table_import.command):
    main.add_command(_command)
main.add_command(table.group)
main.add_command(iam_policy.group)
