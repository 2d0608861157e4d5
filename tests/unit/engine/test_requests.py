from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.requests import COERCIONS, WHAT_IT_HOLDS, ExportRequest, S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting
from tests.unit.engine.world import request

NEEDED = {"table_name": "orders", "s3_uri": "s3://backups/daily"}


def problems(**given: object) -> dict[str, str]:
    """Each finding's text under the name of its setting."""
    with pytest.raises(InvalidRequest) as caught:
        ExportRequest.from_settings({**NEEDED, **given})
    return {problem.where: str(problem) for problem in caught.value.problems}


def test_a_request_needs_only_a_table_and_a_target() -> None:
    made = ExportRequest.from_settings(NEEDED)

    assert 0.25 == made.effective_ratio
    assert made.segments is None
    assert S3Location("backups", "daily") == made.location


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_none_and_empty_text_count_as_not_given(nothing: object) -> None:
    empty = dict.fromkeys(COERCIONS.keys() - NEEDED.keys(), nothing)

    assert ExportRequest.from_settings(NEEDED) == ExportRequest.from_settings({**NEEDED, **empty})


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_what_is_required_must_say_something(nothing: object) -> None:
    assert {"table_name": "table_name: is required"} == problems(table_name=nothing)


def test_text_is_turned_into_typed_values() -> None:
    made = ExportRequest.from_settings(
        {
            **NEEDED,
            "units_per_second": "120.5",
            "segments": "16",
            "consistent_read": "true",
            "part_bytes": "2097152",
            "keep_checkpoint": "no",
            "resume_within_seconds": "60",
            "filter_expression": "#s = :s",
            "expression_attribute_names": '{"#s": "state"}',
            "expression_attribute_values": '{":s": {"S": "open"}}',
        }
    )

    expected = request(
        units_per_second=120.5,
        segments=16,
        consistent_read=True,
        part_bytes=2097152,
        resume_within_seconds=60.0,
        filter_expression="#s = :s",
        expression_attribute_names={"#s": "state"},
        expression_attribute_values={":s": {"S": "open"}},
    )
    assert expected == made


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("ratio", "abc", "'abc' is not a number"),
        ("ratio", 0, "0 is not above 0"),
        ("ratio", -0.1, "-0.1 is not above 0"),
        ("ratio", "1.6", "1.6 is not above 0 and at most 1.5"),
        ("units_per_second", 0.5, "0.5 is not 1 or more"),
        ("segments", 0, "0 is not 1 to 1,000,000"),
        ("segments", 2_000_000, "2,000,000 is not 1 to 1,000,000"),
        ("segments", "some", "'some' is not a whole number or 'auto'"),
        ("s3_uri", "s3:///daily", "is not s3://bucket/prefix"),
        ("s3_uri", "backups/daily", "is not s3://bucket/prefix"),
        ("s3_uri", "https://backups/daily", "is not s3://bucket/prefix"),
        ("part_bytes", 1024, "1,024 is not 1,048,576"),
        ("part_bytes", 65 * 1024**3, "is not 1,048,576"),
        ("on_existing", "replace", "'replace' is not one of resume, fail, new"),
        ("file_format", "xml", "'xml' is not one of dynamodb_json"),
        ("compression", "lzma", "'lzma' is not one of gzip"),
        ("resume_within_seconds", -1, "-1 is negative"),
        ("consistent_read", "perhaps", "'perhaps' is not true or false"),
        ("expression_attribute_names", "{", "'{' is not a JSON object"),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_its_value(name: str, value: object, text: str) -> None:
    found = problems(**{name: value})

    assert [name] == list(found)
    assert text in found[name]


@pytest.mark.parametrize(
    ("name", "value"), [("ratio", 1.5), ("segments", 1_000_000), ("units_per_second", 1)]
)
def test_a_bound_itself_is_allowed(name: str, value: float) -> None:
    assert value == getattr(ExportRequest.from_settings({**NEEDED, name: value}), name)


def test_segments_auto_leaves_the_number_to_the_plan() -> None:
    assert ExportRequest.from_settings({**NEEDED, "segments": "auto"}).segments is None


def test_ratio_and_units_contradict_each_other() -> None:
    assert "contradict" in problems(ratio="0.5", units_per_second="100")["ratio, units_per_second"]


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    assert "HINT: did you mean 'segments'?" in problems(segmnts=4)["segmnts"]


def test_an_unknown_setting_unlike_any_other_gets_no_hint() -> None:
    assert "HINT" not in problems(zzz=4)["zzz"]


def test_all_problems_come_at_once() -> None:
    found = problems(
        table_name="",
        s3_uri="nowhere",
        ratio="abc",
        segments=0,
        part_bytes="1.5",
        colour="red",
        on_existing="x",
    )

    assert {"table_name", "s3_uri", "ratio", "segments", "part_bytes", "colour", "on_existing"} == set(found)


def test_a_problem_is_reported_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        ExportRequest.from_settings({**NEEDED, "ratio": "abc", "segments": 0})

    assert ["ratio", "segments"] == sorted(problem.where for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"n": "name"}, "'n' does not begin with '#'"),
        ({"#n": "name"}, "'#n' is used in no expression"),
    ],
)
def test_names_dynamodb_would_refuse_are_refused_first(names: dict[str, str], text: str) -> None:
    found = problems(filter_expression="a = :a", expression_attribute_names=names)

    assert text in found["expression_attribute_names"]


def test_a_name_may_be_used_in_either_expression() -> None:
    made = request(projection_expression="#a", expression_attribute_names={"#a": "x"})

    assert {"#a": "x"} == made.expression_attribute_names


@pytest.mark.parametrize("key", [1, None])
def test_a_name_that_is_no_text_is_a_problem_and_no_crash(key: Any) -> None:
    found = problems(filter_expression="a = b", expression_attribute_names={key: "name"})

    assert "expression_attribute_names" in found


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_request_made_directly_refuses_a_rate_that_is_no_number(value: float) -> None:
    with pytest.raises(InvalidRequest):
        request(units_per_second=value)


def test_a_request_made_directly_is_checked_alike() -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(table_name=" ", s3_uri="x", ratio=2.0, units_per_second=0.0, segments=-1, compression="rar")

    assert {
        "table_name",
        "s3_uri",
        "ratio",
        "ratio, units_per_second",
        "units_per_second",
        "segments",
        "compression",
    } == {problem.where for problem in caught.value.problems}


FAST_OR_SLOW: dict[str, Any] = {
    "ratio": 0.5,
    "segments": 9,
    "part_bytes": 1 << 21,
    "on_existing": "new",
    "resume_within_seconds": 5.0,
    "keep_checkpoint": True,
    "save_table_definition": True,
    "method": "auto",
    "finish_within_seconds": 60.0,
}
WHAT: dict[str, Any] = {
    "table_name": "other",
    "s3_uri": "s3://backups/other",
    "index_name": "by_date",
    "filter_expression": "a = b",
    "projection_expression": "a",
    "consistent_read": True,
    "file_format": "plain_json",
    "compression": "none",
    "s3_sse_kms_key_id": "alias/key",
}


@pytest.mark.parametrize("name", [*FAST_OR_SLOW, "units_per_second"])
def test_how_fast_an_export_is_made_does_not_change_what_it_is(name: str) -> None:
    auto = {"method": "auto"} if name == "finish_within_seconds" else {}

    changed = request(**{**auto, name: FAST_OR_SLOW.get(name, 12.0)})

    assert request().fingerprint() == changed.fingerprint()


@pytest.mark.parametrize("name", WHAT)
def test_what_an_export_holds_changes_its_fingerprint(name: str) -> None:
    assert request().fingerprint() != request(**{name: WHAT[name]}).fingerprint()


@pytest.mark.parametrize("uri", ["s3://backups/daily/", "s3a://backups/daily", "s3://backups//daily"])
def test_the_same_place_written_otherwise_is_the_same_export(uri: str) -> None:
    assert request().fingerprint() == request(s3_uri=uri).fingerprint()


def test_every_setting_is_either_what_or_how() -> None:
    expressions = {"expression_attribute_names", "expression_attribute_values"}

    assert set(COERCIONS) == {*FAST_OR_SLOW, "units_per_second", *WHAT, *expressions}
    assert {*WHAT, *expressions} == set(WHAT_IT_HOLDS)


def test_expression_values_are_part_of_the_fingerprint_in_any_order() -> None:
    def made(values: str) -> str:
        given = json.loads(values)
        return request(filter_expression="a = :a OR b = :b", expression_attribute_values=given).fingerprint()

    one = made('{":a": {"S": "x"}, ":b": {"N": "1"}}')
    assert one == made('{":b": {"N": "1"}, ":a": {"S": "x"}}')
    assert one != made('{":a": {"S": "x"}, ":b": {"N": "2"}}')


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix"),
    [
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/p/q/", "b", "p/q"),
        ("s3a://b//p", "b", "p"),
        ("s3n://b/p", "b", "p"),
    ],
)
def test_a_location_has_a_bucket_and_a_prefix_without_slashes_around(
    uri: str, bucket: str, prefix: str
) -> None:
    assert S3Location(bucket, prefix) == S3Location.parse(uri)


def test_keys_below_an_empty_prefix_have_no_leading_slash() -> None:
    assert "data/x" == S3Location("b", "").key("data", "x")
    assert "s3://b/data/x" == S3Location("b", "").uri("data", "x")


def test_a_location_without_a_bucket_names_the_setting() -> None:
    with pytest.raises(InvalidSetting, match="manifest_uri is 's3:///x'"):
        S3Location.parse("s3:///x", "manifest_uri")
