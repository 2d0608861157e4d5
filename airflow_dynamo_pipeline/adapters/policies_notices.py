"""What a role must be allowed to send notices through the amazon provider's SnsNotifier.

Encrypted topics: Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs".
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_dynamo_pipeline.adapters.arns import Place
from airflow_dynamo_pipeline.adapters.policies_statements import Given, Policy, Statement, use_key
from airflow_dynamo_pipeline.adapters.policy_settings import PLACE


def _publish(given: Given, place: Place) -> Iterator[Statement]:
    yield Statement("Publish", ("sns:Publish",), given["topic_arn"])
    actions = ("kms:Decrypt", "kms:GenerateDataKey")
    yield from use_key(given, place, *actions, setting="topic_kms_key_id", service="Sns")


NOTICE_POLICY = Policy(
    command="sns-notice",
    required=(("topic_arn",),),
    optional=("topic_kms_key_id", *PLACE),
    statements=_publish,
)
