"""One file format per module behind one protocol, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_dynamo_pipeline.formats.data_pipeline import DataPipelineJson
from airflow_dynamo_pipeline.formats.dynamodb_json import DynamoDBJson
from airflow_dynamo_pipeline.formats.plain_json import PlainJson
from airflow_dynamo_pipeline.formats.protocol import Format

__all__ = ["FORMATS", "Format"]

FORMATS: Final[Mapping[str, Format]] = {
    "dynamodb_json": DynamoDBJson(),
    "data_pipeline": DataPipelineJson(),
    "plain_json": PlainJson(),
}
