"""Make a lookup table equal a query's rows: the public names of its operators."""

from __future__ import annotations

from airflow_dynamo_pipeline.operators.redshift_lookup import RedshiftToDynamoDBOperator
from airflow_dynamo_pipeline.operators.sql_lookup import SqlToDynamoDBOperator

__all__ = ["RedshiftToDynamoDBOperator", "SqlToDynamoDBOperator"]
