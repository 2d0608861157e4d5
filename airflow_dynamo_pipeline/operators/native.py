"""What DynamoDB does by itself: the public names of its export and its import as operators."""

from __future__ import annotations

from airflow_dynamo_pipeline.operators.native_export import DynamoDBPointInTimeExportOperator
from airflow_dynamo_pipeline.operators.native_import import DynamoDBTableImportOperator

__all__ = ["DynamoDBPointInTimeExportOperator", "DynamoDBTableImportOperator"]
