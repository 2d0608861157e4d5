"""``dynamo-pipeline iam-policy``: what a role must be allowed, printed as JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.policies import POLICIES, Policy
from airflow_dynamo_pipeline.adapters.policies_native_export import NATIVE_EXPORT_POLICY
from airflow_dynamo_pipeline.adapters.policies_native_import import NATIVE_IMPORT_POLICY
from airflow_dynamo_pipeline.adapters.policies_tables import TABLE_POLICIES
from airflow_dynamo_pipeline.adapters.policy_settings import SETTINGS
from airflow_dynamo_pipeline.cli.options import ALSO
from airflow_dynamo_pipeline.cli.running import exiting_by_code


@click.group("iam-policy")
def group() -> None:
    """Print the least-privilege IAM policy of an operator or sensor as JSON; AWS is not called.

    \b
    dynamo-pipeline iam-policy export --table orders --s3-uri s3://backups/orders
    """  # noqa: D301  \b is click's mark for text to leave alone


def _command(of: str, policy: Policy) -> click.Command:
    """The command that prints one policy; values stay text, the policy refuses them all at once."""

    def run(**given: Any) -> None:
        with exiting_by_code():
            click.echo(json.dumps(policy.document(given), indent=2))

    options: list[click.Parameter] = [_option(name) for name in policy.settings]
    return click.Command(policy.command, callback=run, params=options, help=f"The policy of {of}.")


def _option(name: str) -> click.Option:
    setting = SETTINGS[name]
    flags = [f"--{name.replace('_', '-')}", *ALSO.get(name, ()), name]
    return click.Option(flags, help=setting.help, is_flag=setting.is_flag, multiple=setting.many)


for _of, _policy in {
    **POLICIES,
    "DynamoDBPointInTimeExportOperator": NATIVE_EXPORT_POLICY,
    "DynamoDBTableImportOperator": NATIVE_IMPORT_POLICY,
    **TABLE_POLICIES,
}.items():
    group.add_command(_command(_of, _policy))
