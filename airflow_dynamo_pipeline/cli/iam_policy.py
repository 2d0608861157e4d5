"""``dynamo-pipeline iam-policy``: what a role must be allowed, printed as JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from airflow_dynamo_pipeline.adapters.policies import ALL_POLICIES, SHARED_POLICIES
from airflow_dynamo_pipeline.adapters.policies_statements import Policy
from airflow_dynamo_pipeline.adapters.policy_settings import SETTINGS
from airflow_dynamo_pipeline.cli.options import ALSO, given_settings

EXAMPLE = {
    "table_name": "orders",
    "s3_uri": "s3://backups/orders",
    "bucket_key": "s3://backups/orders/ready",
    "topic_arn": "arn:aws:sns:eu-west-1:111122223333:exports",
    "instance_role": "EMR_EC2_DefaultRole",
    "code_s3_uri": "s3://backups/code",
}


@click.group("iam-policy")
def group() -> None:
    """Print the least-privilege IAM policy of an operator or sensor as JSON; AWS is not called.

    \b
    dynamo-pipeline iam-policy export --table orders --s3-uri s3://backups/orders
    """  # noqa: D301  \b is click's mark for text to leave alone


def _command(of: str, policy: Policy) -> click.Command:
    """The command that prints one policy; values stay text, the policy refuses them all at once."""

    def run(**given: Any) -> None:
        click.echo(json.dumps(policy.document(given_settings(given)), indent=2))

    options: list[click.Parameter] = [_option(name) for name in policy.settings]
    shown = [f" --{name.replace('_', '-')} {EXAMPLE[name]}" for name in policy.settings if name in EXAMPLE]
    example = f"dynamo-pipeline iam-policy {policy.command}{''.join(shown)}"
    parts = [part for part, whole in SHARED_POLICIES.items() if whole == of]
    also = f"\n\nAlso of what shares it out: {', '.join(parts)}." if parts else ""
    said = f"The policy of {of}.{also}\n\n\b\n{example}"
    return click.Command(policy.command, callback=run, params=options, help=said)


def _option(name: str) -> click.Option:
    setting = SETTINGS[name]
    flags = [f"--{name.replace('_', '-')}", *ALSO.get(name, ()), name]
    return click.Option(flags, help=setting.help, is_flag=setting.is_flag, multiple=setting.many)


for _of, _policy in ALL_POLICIES.items():
    group.add_command(_command(_of, _policy))
