"""Exports and imports by Spark jobs on EMR: the public names."""

from __future__ import annotations

from airflow_dynamo_pipeline.operators.emr_export import EmrDynamoDBExportOperator
from airflow_dynamo_pipeline.operators.emr_import import EmrDynamoDBImportOperator

__all__ = ["EmrDynamoDBExportOperator", "EmrDynamoDBImportOperator"]
