"""The settings of a native import, and the token by which it is known again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.native_import import (
    NativeImportRequest,
    client_token,
    token_root,
)
from airflow_dynamo_pipeline.errors import InvalidRequest
from tests.clock import EPOCH

TABLE: Mapping[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
GIVEN = {"table_name": "copy", "s3_uri": "s3://b/p", "table_definition": TABLE}


def request(**settings: Any) -> NativeImportRequest:
    return NativeImportRequest.from_settings({**GIVEN, **settings})


def work(run: str = "run", generation: str = "0") -> Work:
    return Work(run=run, generation=generation, began_at=EPOCH)


@pytest.mark.parametrize(
    ("settings", "where", "words"),
    [
        ({"table_name": None}, "table_name", "is required"),
        ({"s3_uri": None}, "s3_uri, manifest_uri", "neither is given"),
        (
            {"manifest_uri": "s3://b/AWSDynamoDB/1/manifest-summary.json"},
            "s3_uri, manifest_uri",
            "both are given",
        ),
        ({"s3_uri": "b/p"}, "s3_uri", "'b/p' is not s3://bucket/key"),
        (
            {"s3_uri": None, "manifest_uri": "s3://b/AWSDynamoDB/1/"},
            "manifest_uri",
            "does not end in /manifest-summary.json",
        ),
        ({"definition_s3_uri": "s3://b/d"}, "table_definition, definition_s3_uri", "both are given"),
        ({"table_definition": "[]"}, "table_definition", "a mapping or the JSON text of one"),
        ({"table_definition": {**TABLE, "TableName": "x"}}, "table_definition", "TableName is 'x'"),
        ({"table_definition": {"KeySchema": TABLE["KeySchema"]}}, "table_definition", "no AttributeDef"),
        ({"table_definition": {**TABLE, "Tags": []}}, "table_definition", "Tags is not one of"),
        (
            {"table_definition": {**TABLE, "LocalSecondaryIndexes": []}},
            "table_definition",
            "filled by DynamoDBImportOperator",
        ),
        ({"file_format": "parquet"}, "file_format", "'parquet'"),
        ({"compression": "lzo"}, "compression", "'lzo'"),
        ({"csv_delimiter": "#"}, "csv_delimiter", "'#' cannot be used"),
        ({"csv_columns": "a,b", "file_format": "ion"}, "csv_columns", "is of CSV files"),
        ({"csv_columns": ["x"] * 256}, "csv_columns", "256 are more than 255"),
        ({"s3_bucket_owner": "12"}, "s3_bucket_owner", "12 digits"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(**settings)

    assert any(where == problem.where and words in str(problem) for problem in caught.value.problems)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(s3_uri=None, file_format="x", csv_delimiter="#", table_definition={"Tags": []}, colour=1)

    wheres = [problem.where for problem in caught.value.problems]
    assert {"s3_uri, manifest_uri", "file_format", "csv_delimiter", "table_definition", "colour"} == set(
        wheres
    )


def test_a_definition_may_be_json_text() -> None:
    assert TABLE == request(table_definition=json.dumps(TABLE)).table_definition


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"csv_delimiter": " ", "csv_columns": "a, b", "file_format": "csv"},
        {"csv_delimiter": r"\t", "delete_partial": "yes", "s3_bucket_owner": "012345678901"},
        {
            "s3_uri": None,
            "manifest_uri": "s3://b/AWSDynamoDB/1/manifest-summary.json",
            "table_definition": None,
            "definition_s3_uri": "s3://b/d",
            "restore_settings": True,
        },
    ],
)
def test_a_request_is_made_again_of_its_settings_after_they_were_json(given: dict[str, Any]) -> None:
    first = request(**given)

    assert first == NativeImportRequest.from_settings(json.loads(json.dumps(first.to_settings())))


@pytest.mark.parametrize(
    ("word", "found"), [(r"\t", "\t"), ("\t", "\t"), (" ", " "), ("space", " "), (";", ";")]
)
def test_a_delimiter_may_be_white_space(word: str, found: str) -> None:
    assert found == request(csv_delimiter=word).csv_delimiter


def test_attempts_at_one_run_have_one_token_and_clear_another_of_the_same_root() -> None:
    first, retried, cleared = (client_token(request(), work(generation=each)) for each in "001")

    assert first == retried
    assert first != cleared
    assert all(token.startswith(token_root(request(), work())) for token in (first, cleared))


@pytest.mark.parametrize(
    "settings", [{"s3_uri": "s3://b/q"}, {"compression": "gzip"}, {"table_name": "other"}]
)
def test_another_import_has_another_token(settings: dict[str, Any]) -> None:
    assert token_root(request(), work()) != token_root(request(**settings), work())


def test_another_run_has_another_token() -> None:
    assert token_root(request(), work()) != token_root(request(), work(run="another"))


def test_what_happens_after_a_failure_is_not_in_the_token() -> None:
    assert client_token(request(), work()) == client_token(request(delete_partial=True), work())


def test_a_token_is_one_that_import_table_takes() -> None:
    token = client_token(request(), work(generation="12"))

    assert len(token) <= 36
    assert "$" not in token
