"""Every way of reading items, in one table; formats that can only be written are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_dynamo_pipeline.formats.changes import ChangesReader
from airflow_dynamo_pipeline.formats.csv_reader import CsvReader
from airflow_dynamo_pipeline.formats.data_pipeline_reader import DataPipelineReader
from airflow_dynamo_pipeline.formats.dynamodb_json_reader import DynamoDBJsonReader
from airflow_dynamo_pipeline.formats.incremental import IncrementalReader
from airflow_dynamo_pipeline.formats.ion_reader import IonReader
from airflow_dynamo_pipeline.formats.parquet_reader import ParquetReader
from airflow_dynamo_pipeline.formats.plain_json_reader import PlainJsonReader
from airflow_dynamo_pipeline.formats.reading import ItemReader
from airflow_dynamo_pipeline.formats.rejects import RejectsReader

READERS: Final[Mapping[str, ItemReader]] = {
    "dynamodb_json": DynamoDBJsonReader(),
    "data_pipeline": DataPipelineReader(),
    "incremental": IncrementalReader(),
    "ion": IonReader(),
    "plain_json": PlainJsonReader(),
    "csv": CsvReader(),
    "parquet": ParquetReader(),
    "changes": ChangesReader(),
    "rejects": RejectsReader(lambda: READERS),
}
