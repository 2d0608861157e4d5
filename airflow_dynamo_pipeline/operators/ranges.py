"""Exports and imports that several tasks share out: the public names of their operators."""

from __future__ import annotations

from airflow_dynamo_pipeline.operators.export_ranges import (
    DynamoDBExportCommitOperator,
    DynamoDBExportPlanOperator,
    DynamoDBExportRangeOperator,
)
from airflow_dynamo_pipeline.operators.import_ranges import (
    DynamoDBImportCommitOperator,
    DynamoDBImportPlanOperator,
    DynamoDBImportRangeOperator,
)

__all__ = [
    "DynamoDBExportCommitOperator",
    "DynamoDBExportPlanOperator",
    "DynamoDBExportRangeOperator",
    "DynamoDBImportCommitOperator",
    "DynamoDBImportPlanOperator",
    "DynamoDBImportRangeOperator",
]
