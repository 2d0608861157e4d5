from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.import_request import MAX_SEGMENTS, ImportRequest
from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.formats.reading import Attribute

GIVEN: dict[str, Any] = {"table_name": "orders", "s3_uri": "s3://backups/daily"}


def request(**settings: Any) -> ImportRequest:
    return ImportRequest.from_settings({**GIVEN, **settings})


def problems(**settings: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        request(**settings)
    return [(problem.where, problem.message) for problem in caught.value.problems]


def test_what_is_needed_is_a_table_and_a_place() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ImportRequest.from_settings({})

    assert {"table_name", "s3_uri"} == {problem.where for problem in caught.value.problems}


def test_the_usual_settings_are_careful_ones() -> None:
    found = request()

    assert ("auto", "overwrite", 0, "resume", "keep") == (
        found.file_format,
        found.on_conflict,
        found.max_rejected,
        found.on_existing,
        found.expired_items,
    )
    assert (False, False, 0.25) == (found.dry_run, found.allow_protected, found.effective_ratio)


@pytest.mark.parametrize(
    "given",
    ["s3://a/x,s3://a/y", " s3://a/x , s3://a/y ,", '["s3://a/x", "s3://a/y"]', ["s3://a/x", "s3://a/y"]],
)
def test_several_places_can_be_text_json_or_a_list(given: object) -> None:
    assert ("s3://a/x", "s3://a/y") == request(s3_uri=given).s3_uri


def test_everything_can_be_text_as_templates_deliver_it() -> None:
    found = request(
        units_per_second="100",
        segments="auto",
        max_rejected="7",
        dry_run="true",
        allow_protected="false",
        changes_from="2026-01-31T12:00:00Z",
        attributes='{"id": "N", "note": {"name": "remark", "type": "S"}}',
        csv_columns="id, note",
        csv_delimiter=";",
        null_text="",
        on_conflict="condition",
        condition_expression="#v = :v",
        expression_attribute_names='{"#v": "v"}',
        expression_attribute_values='{":v": {"N": "1"}}',
    )

    assert (100.0, None, 7, True, False) == (
        found.units_per_second,
        found.segments,
        found.max_rejected,
        found.dry_run,
        found.allow_protected,
    )
    assert datetime(2026, 1, 31, 12, tzinfo=UTC) == found.changes_from
    assert {"id": Attribute("id", "N"), "note": Attribute("remark", "S")} == found.attributes
    assert (("id", "note"), ";") == (found.csv_columns, found.csv_delimiter)
    assert {":v": {"N": "1"}} == found.expression_attribute_values


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"ratio": 0}, "ratio"),
        ({"ratio": -1}, "ratio"),
        ({"ratio": 0.5, "units_per_second": 5}, "ratio, units_per_second"),
        ({"units_per_second": 0.5}, "units_per_second"),
        ({"units_per_second": "inf"}, "units_per_second"),
        ({"segments": 0}, "segments"),
        ({"segments": MAX_SEGMENTS + 1}, "segments"),
        ({"max_rejected": -1}, "max_rejected"),
        ({"file_format": "xml"}, "file_format"),
        ({"on_conflict": "merge"}, "on_conflict"),
        ({"on_existing": "append"}, "on_existing"),
        ({"expired_items": "hide"}, "expired_items"),
        ({"s3_uri": "backups/daily"}, "s3_uri"),
        ({"s3_uri": []}, "s3_uri"),
        ({"table_name": " "}, "table_name"),
        ({"rejects_s3_uri": "backups"}, "rejects_s3_uri"),
        ({"on_conflict": "newer"}, "version_attribute"),
        ({"version_attribute": "v"}, "version_attribute"),
        ({"on_conflict": "condition"}, "condition_expression"),
        ({"condition_expression": "x = y"}, "condition_expression"),
        ({"expression_attribute_names": {"#a": "a"}}, "expression_attribute_names"),
        ({"attributes": {"id": "NUMBER"}}, "attributes"),
        ({"attributes": {"id": {"type": "N", "nmae": "x"}}}, "attributes"),
        ({"changes_from": "yesterday"}, "changes_from"),
        ({"csv_delimiter": "ab"}, "csv_delimiter"),
        ({"no_such_setting": 1}, "no_such_setting"),
    ],
)
def test_what_cannot_work_is_refused_by_its_name(settings: dict[str, Any], where: str) -> None:
    assert [where] == [each for each, _ in problems(**settings)]


def test_values_of_a_condition_have_types() -> None:
    found = problems(
        on_conflict="condition", condition_expression="a = :v", expression_attribute_values={":v": "x"}
    )

    assert [("expression_attribute_values", ":v is 'x', not a typed value")] == found


def test_all_problems_are_named_at_once() -> None:
    found = problems(table_name="", ratio=5, units_per_second=0, max_rejected=-1, on_conflict="newer")

    wanted = ["table_name", "ratio, units_per_second", "ratio", "units_per_second", "max_rejected"]
    assert [*wanted, "version_attribute"] == [where for where, _ in found]


@pytest.mark.parametrize(
    "settings",
    [
        {"on_conflict": "skip"},
        {"on_conflict": "newer", "version_attribute": "v"},
        {"expired_items": "drop"},
        {"attributes": {"id": "N"}},
        {"csv_delimiter": ";"},
        {"null_text": "-"},
        {"csv_columns": "a"},
        {"table_name": "other"},
    ],
)
def test_what_an_import_does_to_the_table_is_in_its_fingerprint(settings: dict[str, Any]) -> None:
    assert request().fingerprint() != request(**settings).fingerprint()


@pytest.mark.parametrize(
    "settings",
    [
        {"ratio": 0.5},
        {"units_per_second": 5},
        {"segments": 3},
        {"max_rejected": 9},
        {"on_existing": "new"},
        {"allow_protected": True},
        {"s3_uri": "s3://elsewhere/copied"},
        {"rejects_s3_uri": "s3://elsewhere/rejects"},
        {"expected_backup_id": "0123"},
    ],
)
def test_how_fast_and_where_from_is_not(settings: dict[str, Any]) -> None:
    assert request().fingerprint() == request(**settings).fingerprint()


def test_a_condition_with_binary_values_has_a_fingerprint_too() -> None:
    given = {"on_conflict": "condition", "condition_expression": "b = :b"}
    one, other = ({":b": {"B": value}} for value in (b"\x00", b"\x01"))

    found = {request(**given, expression_attribute_values=value).fingerprint() for value in (one, other)}

    assert 2 == len(found)


def test_a_tab_is_a_delimiter() -> None:
    given = {"table_name": "orders", "s3_uri": "s3://backups/x", "file_format": "csv", "csv_delimiter": "\t"}

    assert "\t" == ImportRequest.from_settings(given).csv_delimiter
