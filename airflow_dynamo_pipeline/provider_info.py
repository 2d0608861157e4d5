"""What Airflow's provider manager is told of this package."""

from __future__ import annotations

from typing import Any

from airflow_dynamo_pipeline import __version__

DYNAMODB = "Amazon DynamoDB"
S3 = "Amazon Simple Storage Service (S3)"  # as the amazon provider names it

OPTIONS = {  # of Airflow's configuration, in its section dynamo_pipeline
    "prices_file": {
        "description": "JSON file with your own prices, put over AWS's list prices when an export or import\n"
        "is planned. Every worker must be able to read it.\n",
        "version_added": "0.1.0",
        "type": "string",
        "example": "/opt/airflow/config/dynamodb-prices.json",
        "default": "",
    }
}
OPERATORS = (
    "operators.capacity",
    "operators.emr_export",
    "operators.emr_import",
    "operators.export_ranges",
    "operators.import_ranges",
    "operators.native_export",
    "operators.native_import",
    "operators.redshift_lookup",
    "operators.sql_lookup",
    "operators.table_export",
    "operators.table_import",
    "operators.verify",
)
# Airflow 2 shows no link whose class is not listed.
LINKS = ("DynamoDBTableLink", "NativeExportJobLink", "NativeImportLogLink", "S3PrefixLink")


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
        "operators": [_modules(DYNAMODB, *OPERATORS)],
        "sensors": [_modules(DYNAMODB, "sensors.dynamodb"), _modules(S3, "sensors.s3")],
        "hooks": [_modules(DYNAMODB, "hooks.dynamodb")],
        "triggers": [_modules(DYNAMODB, "triggers.dynamodb", "triggers.emr", "triggers.native")],
        "config": {"dynamo_pipeline": {"description": "airflow-dynamo-pipeline.\n", "options": OPTIONS}},
        "extra-links": [f"airflow_dynamo_pipeline.operators.links.{name}" for name in LINKS],
    }


def _integration(name: str, url: str) -> dict[str, Any]:
    return {"integration-name": name, "external-doc-url": url, "tags": ["aws"]}


def _modules(integration: str, *modules: str) -> dict[str, Any]:
    return {
        "integration-name": integration,
        "python-modules": [f"airflow_dynamo_pipeline.{module}" for module in modules],
    }
