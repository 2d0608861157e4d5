"""What calls of the Redshift Data API need, with how it logs in to the database in the caller's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.integration.policy_needs import ACCOUNT, KmsKeys, Need, Parameters, Rule
from tests.services.clients import REGION

OWNER = f"{REGION}:{ACCOUNT}"
WORKGROUP = f"arn:aws:redshift-serverless:{OWNER}:workgroup/0f0f0f0f-1111-2222-3333-444444444444"
CALLER = {"redshift-data:statement-owner-iam-userid": ("${aws:userid}",)}


def _execute(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
    cluster = parameters.get("ClusterIdentifier")
    warehouse = f"arn:aws:redshift:{OWNER}:cluster:{cluster}" if cluster else WORKGROUP
    yield Need("redshift-data:ExecuteStatement", warehouse)
    database = f"arn:aws:redshift:{OWNER}:dbname:{cluster}/{parameters['Database']}"
    if "SecretArn" in parameters:
        yield Need("secretsmanager:GetSecretValue", parameters["SecretArn"])
    elif cluster is None:
        yield Need("redshift-serverless:GetCredentials", WORKGROUP)
    elif "DbUser" in parameters:
        user = f"arn:aws:redshift:{OWNER}:dbuser:{cluster}/{parameters['DbUser']}"
        yield Need("redshift:GetClusterCredentials", database)
        yield Need("redshift:GetClusterCredentials", user)
    else:
        yield Need("redshift:GetClusterCredentialsWithIAM", database)


def _of_own_statement(action: str) -> Rule:
    def rule(_: Parameters, __: KmsKeys) -> Iterator[Need]:
        yield Need(action, "*", CALLER)

    return rule


REDSHIFT_CALLS: Mapping[tuple[str, str], Rule] = {
    ("redshift-data", "ExecuteStatement"): _execute,
    **{
        ("redshift-data", name): _of_own_statement(f"redshift-data:{name}")
        for name in ("CancelStatement", "DescribeStatement", "GetStatementResult")
    },
}
