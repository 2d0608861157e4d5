"""What Airflow's provider manager is told of this package."""

from __future__ import annotations

from typing import Any

from airflow_dynamo_pipeline import __version__

DYNAMODB = "Amazon DynamoDB"
S3 = "Amazon Simple Storage Service (S3)"  # as the amazon provider names it


def get_provider_info() -> dict[str, Any]:
    """The record of the entry point ``apache_airflow_provider``.

    It is asked for while Airflow itself is being imported, so this module imports nothing of Airflow.
    """
    return {
        "package-name": "airflow-dynamo-pipeline",
        "name": "DynamoDB pipelines",
        "description": "Throttled, resumable DynamoDB exports and imports.\n",
        "versions": [__version__],
        "integrations": [
            _integration(DYNAMODB, "https://aws.amazon.com/dynamodb/"),
            _integration(S3, "https://aws.amazon.com/s3/"),
        ],
        "operators": [
            _modules(
                DYNAMODB,
                "operators.capacity",
                "operators.native_export",
                "operators.native_import",
                "operators.table_export",
                "operators.table_import",
                "operators.verify",
            )
        ],
        "sensors": [_modules(DYNAMODB, "sensors.dynamodb"), _modules(S3, "sensors.s3")],
        "hooks": [_modules(DYNAMODB, "hooks.dynamodb")],
        "triggers": [_modules(DYNAMODB, "triggers.dynamodb", "triggers.native")],
    }


def _integration(name: str, url: str) -> dict[str, Any]:
    return {"integration-name": name, "external-doc-url": url, "tags": ["aws"]}


def _modules(integration: str, *modules: str) -> dict[str, Any]:
    return {
        "integration-name": integration,
        "python-modules": [f"airflow_dynamo_pipeline.{module}" for module in modules],
    }
