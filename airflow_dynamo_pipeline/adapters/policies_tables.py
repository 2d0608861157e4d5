"""What a role must be allowed to save and restore the definition of a table.

What autoscaling needs is in ``policies_capacity``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_dynamo_pipeline.adapters.arns import ANY, Place
from airflow_dynamo_pipeline.adapters.policies_capacity import look_at_scaling, set_scaling
from airflow_dynamo_pipeline.adapters.policies_statements import Given, Policy, Statement
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE

READS = (
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:ListTagsOfResource",
)
NAMED_READS = ("dynamodb:DescribeKinesisStreamingDestination", "dynamodb:GetResourcePolicy")
WRITES = (
    "dynamodb:CreateTable",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
)
SCALING_NAMED_READS = ("application-autoscaling:DescribeScheduledActions",)


def _read(given: Given, place: Place) -> Iterator[Statement]:
    yield Statement("ReadTable", READS, place.table(given["table_name"]))
    yield look_at_scaling()
    yield Statement("ReadOwnerOfKey", ("kms:DescribeKey",), place.kms_key(ANY)[0])


def save_definition(given: Given, place: Place) -> Iterator[Statement]:
    """Read all that a table is apart from its items, and name what a definition does not hold."""
    yield from _read(given, place)
    yield Statement("NameTheRest", NAMED_READS, place.table(given["table_name"]))
    yield Statement("NameInsights", ("dynamodb:ListContributorInsights",), ANY)
    yield Statement("NameScheduledActions", SCALING_NAMED_READS, ANY)


def _restore(given: Given, place: Place) -> Iterator[Statement]:
    yield from _read(given, place)
    yield Statement("MakeTable", WRITES, place.table(given["table_name"]))
    yield from set_scaling(given, place, removing=False)


TABLE_POLICIES: Mapping[str, Policy] = {
    f"dynamo-pipeline table {verb}": Policy(
        command=f"table-{verb}", required=(("table_name",),), optional=PLACE, statements=statements
    )
    for verb, statements in (("save", save_definition), ("restore", _restore))
}
