from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.spark.document import Request, SparkJob
from tests.unit.spark.jobs import WORK

EXPORT = ExportRequest(
    table_name="orders",
    s3_uri="s3://backups/orders",
    units_per_second=12.5,
    segments=9,
    filter_expression="#a = :b",
    expression_attribute_names={"#a": "a"},
    expression_attribute_values={":b": {"B": "AAE="}},
    consistent_read=True,
    compression="none",
)
IMPORT = ImportRequest.from_settings(
    {
        "table_name": "orders",
        "s3_uri": ["s3://backups/a", "s3://backups/b"],
        "changes_from": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "attributes": {"id": "S", "n": {"name": "count", "type": "N"}},
        "csv_columns": ["id", "n"],
        "csv_delimiter": "\t",
        "max_rejected": 3,
    }
)


@pytest.mark.parametrize("request_", [EXPORT, IMPORT], ids=["export", "import"])
def test_a_job_read_from_its_text_asks_for_the_same(request_: Request) -> None:
    job = SparkJob.of(request_, WORK, region_name="eu-west-1")

    again = SparkJob.from_json(job.to_text())

    assert request_ == again.request
    assert (job.kind, WORK, "eu-west-1", {}) == (again.kind, again.work, again.region_name, again.endpoints)


def test_the_ranges_of_a_job_differ_by_their_number_alone() -> None:
    parts = SparkJob.of(EXPORT, WORK).parts

    assert [0, 1, 2] == [part.number for part in parts]
    assert 1 == len({json.dumps({**part.to_json(), "number": 0}) for part in parts})


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"kind": "exprot"}, ["kind"]),
        ({"setings": {}}, ["setings"]),
        ({"work": []}, ["work"]),
        ({"kind": "exprot", "endpoints": "http://", "extra": 1}, ["extra", "kind", "endpoints"]),
        ({"settings": {"table_name": "t", "s3_uri": "s3://b/p", "ratio": "2"}}, ["ratio"]),
    ],
)
def test_a_document_that_is_no_job_is_refused_with_all_that_is_wrong(
    changes: dict[str, Any], where: list[str]
) -> None:
    given = SparkJob.of(EXPORT, WORK).to_json() | changes

    with pytest.raises(InvalidRequest) as refused:
        SparkJob.from_json(json.dumps(given))

    assert where == [problem.where for problem in refused.value.problems]


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_text_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        SparkJob.from_json(text)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        SparkJob.from_json("{}")

    assert ["kind", "settings", "work"] == [problem.where for problem in refused.value.problems]
