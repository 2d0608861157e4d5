"""``dynamo-pipeline``: throttled DynamoDB exports and imports without Airflow."""

from __future__ import annotations

import click

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.cli import (
    completion,
    estimate,
    exit_codes,
    iam_policy,
    lookup,
    spark_bundle,
    table,
    table_export,
    table_import,
    verify,
)
from airflow_dynamo_pipeline.cli.every_command import settle
from airflow_dynamo_pipeline.cli.shell import Shell

HELP = """Export DynamoDB tables to S3 and import them again, at a rate that is held.

\b
dynamo-pipeline estimate --table-name orders
dynamo-pipeline export --table-name orders --s3-uri s3://backups/orders
dynamo-pipeline COMMAND --help

Every option of a command may also be given as an environment variable (DYNAMO_PIPELINE_TABLE_NAME for
--table-name), or in a TOML file that --config or DYNAMO_PIPELINE_CONFIG names (table_name = "orders"). The
command line wins over the environment, and the environment over the file. What import, lookup and table
restore write to must be named for them (DYNAMO_PIPELINE_IMPORT_TABLE_NAME). Endpoints and credentials come
from boto3's own configuration (AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB, ...).

\b
Exit codes:
"""


@click.group(
    cls=Shell,
    help=HELP + "\n".join(exit_codes.lines()),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="dynamo-pipeline")
@click.pass_context
def main(context: click.Context) -> None:
    """Without a command, print the help."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    table_export.command,
    estimate.command,
    verify.command,
    table_import.command,
    lookup.command,
    spark_bundle.command,
):
    main.add_command(_command)
main.add_command(table.group)
main.add_command(iam_policy.group)
main.add_command(completion.command)
settle(main)
