"""What unit tests of sensors and triggers share."""

import pytest

from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from tests.unit.scripted_aws import Reply, Scripted, Scripts


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """Give every hook a client that answers from a script."""

    def use(*replies: Reply) -> Scripted:
        aws = Scripted("dynamodb", *replies)
        monkeypatch.setattr(DynamoDBPipelineHook, "dynamodb_client", lambda _: aws.client)
        return aws

    return use
