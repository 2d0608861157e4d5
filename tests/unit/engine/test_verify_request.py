from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.verify_request import COERCIONS, VerifyRequest
from airflow_dynamo_pipeline.errors import InvalidRequest

URI = "s3://backups/daily/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/manifest-summary.json"


def problems(**given: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        VerifyRequest.from_settings({"manifest_uri": URI, **given})
    return {problem.where: str(problem) for problem in caught.value.problems}


def test_only_the_manifest_is_needed() -> None:
    made = VerifyRequest.from_settings({**dict.fromkeys(COERCIONS), "manifest_uri": URI, "segments": "auto"})

    assert VerifyRequest(manifest_uri=URI) == made
    assert (None, False, 20) == (made.table_name, made.consistent_read, made.max_differences)


def test_the_table_is_read_as_an_export_would_read_it() -> None:
    made = VerifyRequest.from_settings(
        {"manifest_uri": URI, "table_name": "orders", "ratio": "0.5", "segments": "4", "max_differences": "0"}
    )
    same = ExportRequest(table_name="orders", s3_uri="s3://backups/daily", ratio=0.5, segments=4)

    assert same == made.reading
    assert (False, True) == (made.reading.consistent_read, made.consistent_reading.consistent_read)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    found = problems(
        manifest_uri="s3://backups/daily", table_name=7, max_differences=-1, segmints=2, consistent_read="x"
    )

    assert {"manifest_uri", "table_name", "max_differences", "segmints", "consistent_read"} == set(found)
    assert "is not a setting of a verification" in found["segmints"]
    assert "did you mean 'segments'?" in found["segmints"]


def test_rates_are_refused_as_an_export_refuses_them() -> None:
    assert {"ratio"} == set(problems(table_name="orders", ratio=2))
    assert {"ratio, units_per_second"} == set(problems(table_name="orders", ratio=1, units_per_second=5))
    assert {"segments"} == set(problems(table_name="orders", segments=0))


@pytest.mark.parametrize("name", ["ratio", "units_per_second", "segments"])
def test_a_rate_without_a_table_is_refused(name: str) -> None:
    assert {name: f"{name}: says how a table is read, and none is named\nHINT: give table_name, too"} == (
        problems(**{name: 1})
    )


@pytest.mark.parametrize("number", [-1, 1001])
def test_the_number_of_names_has_bounds(number: int) -> None:
    assert {"max_differences"} == set(problems(max_differences=number))
