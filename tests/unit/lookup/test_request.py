from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping
from airflow_dynamo_pipeline.lookup.request import SHAPE, WHAT_IT_DOES, LookupRequest
from tests.unit.lookup.load_world import asked

GIVEN = {
    "sql": "select 1",
    "table_name": "t",
    "key_columns": "id",
    "s3_uri": "s3://lake/loads",
}
GENERATIONS: dict[str, Any] = {"generation_days": 2.0, "ttl_attribute": "gone_at"}


def problems(**changes: Any) -> dict[str, str]:
    """What is wrong, by setting."""
    with pytest.raises(InvalidRequest) as caught:
        asked(**changes)
    return {problem.where: problem.message for problem in caught.value.problems}


def test_a_request_has_careful_defaults() -> None:
    load = LookupRequest.from_settings(GIVEN)

    assert ("mirror", "table", 0.2, 0, False, False) == (
        load.mode,
        load.compare,
        load.max_shrink,
        load.max_rejected,
        load.allow_empty,
        load.allow_protected,
    )
    assert (0.25, None, None) == (load.effective_ratio, load.max_deletes, load.max_changes)
    assert ("omit", "reject", "iso") == (load.nulls, load.not_finite, load.moments)


def test_settings_come_as_text_as_templates_deliver_them() -> None:
    load = LookupRequest.from_settings(
        {
            **GIVEN,
            "key_columns": "id, day",
            "max_shrink": "0.5",
            "max_deletes": "10",
            "segments": "auto",
            "dry_run": "true",
            "columns": '{"price": "N", "note": {"name": "comment", "drop": "no"}}',
            "constants": '{"source": {"S": "redshift"}}',
            "full_compare_days": "3",
        }
    )

    assert ["id", "day"] == list(load.key_columns)
    assert (0.5, 10, None, True, 3.0) == (
        load.max_shrink,
        load.max_deletes,
        load.segments,
        load.dry_run,
        load.full_compare_days,
    )
    assert {"price": ColumnMapping(type="N"), "note": ColumnMapping(name="comment")} == load.columns
    assert {"source": {"S": "redshift"}} == load.constants


def test_what_is_missing_is_named_all_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        LookupRequest.from_settings({"mode": "miror"})

    assert {"sql", "table_name", "key_columns", "s3_uri", "mode"} == {p.where for p in caught.value.problems}


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("sql", " \n", "is empty"),
        ("table_name", "", "is empty"),
        ("key_columns", (), "not one or two columns"),
        ("key_columns", ("a", "b", "c"), "not one or two columns"),
        ("key_columns", ("a", ""), "not one or two columns"),
        ("key_columns", ("a", "a"), "stands twice"),
        ("s3_uri", "/tmp/x", "is not s3://bucket/prefix"),
        ("units_per_second", 0.5, "is not 1 or more"),
        ("read_units_per_second", math.inf, "is not 1 or more"),
        ("segments", 0, "is not 1 to"),
        ("mode", "replace", "is not one of mirror"),
        ("compare", "hash", "is not one of table"),
        ("max_shrink", -0.1, "is not 0 to 1"),
        ("max_shrink", 20, "is not 0 to 1"),
        ("max_shrink", math.nan, "is not 0 to 1"),
        ("max_deletes", -1, "is negative"),
        ("max_changes", -1, "is negative"),
        ("max_rejected", -1, "is negative"),
        ("max_differences", 1001, "is not 0 to 1,000"),
        ("sample_items", 10_001, "is not 0 to 10,000"),
        ("full_compare_days", -1, "is not 0 to 36,500"),
        ("full_compare_days", 1e10, "is not 0 to 36,500"),
        ("full_compare_days", math.nan, "is not 0 to 36,500"),
        ("constants", {"source": "redshift"}, "not a typed value"),
        ("moments", "unix", "is not one of iso"),
        ("nulls", "drop", "is not one of omit"),
        ("not_finite", "keep", "is not one of reject"),
        ("columns", {"price": ColumnMapping(type="DECIMAL")}, "'DECIMAL' is not one of"),
        ("columns", {"id": ColumnMapping(drop=True)}, "is dropped, and is one of key_columns"),
        ("ttl_column", "until", None),
        ("ttl_attribute", "gone_at", None),
    ],
)
def test_a_setting_that_can_never_work_is_refused(setting: str, value: object, said: str | None) -> None:
    found = problems(**{setting: value})

    if said is None:
        (other,) = {"ttl_column", "ttl_attribute"} - {setting}
        assert {other: f"is required with {setting}"} == found
    else:
        assert [setting] == list(found)
        assert said in found[setting]


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.6, math.nan])
def test_a_ratio_is_a_share_of_the_capacity(ratio: float) -> None:
    assert {"ratio"} == problems(ratio=ratio, units_per_second=None).keys()


def test_a_ratio_beside_both_absolute_rates_says_nothing() -> None:
    assert "both absolute rates are given" in problems(ratio=0.5)["ratio"]
    assert 0.5 == asked(ratio=0.5, units_per_second=None).effective_ratio
    assert 0.5 == asked(ratio=0.5, read_units_per_second=None).effective_ratio


@pytest.mark.parametrize("mode", ["insert_only", "update_existing"])
def test_digests_are_not_kept_of_a_table_that_need_not_hold_the_rows(mode: str) -> None:
    assert "cannot be used with mode" in problems(mode=mode, compare="digests")["compare"]
    assert "digests" == asked(mode="upsert", compare="digests").compare


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"generation_days": 0.0}, "generation_days"),
        ({"generation_days": -1.0}, "generation_days"),
        ({"generation_days": 1e7}, "generation_days"),
        ({"generation_days": math.inf}, "generation_days"),
        ({"generation_days": math.nan}, "generation_days"),
        ({"mode": "upsert"}, "generation_days"),
        ({"compare": "digests"}, "generation_days"),
        ({"ttl_attribute": None}, "ttl_attribute"),
    ],
)
def test_a_generation_is_whole_and_expires(changes: dict[str, Any], setting: str) -> None:
    assert {setting} == problems(**{**GENERATIONS, **changes}).keys()


def test_a_generation_expires_as_a_whole_and_not_by_a_column() -> None:
    assert "expires as a whole" in problems(**GENERATIONS, ttl_column="until")["ttl_column"]


def test_only_a_mirror_in_place_deletes() -> None:
    assert asked().deletes
    assert not asked(mode="upsert").deletes
    assert not asked(**GENERATIONS).deletes


def test_the_load_itself_says_when_an_item_of_a_generation_expires() -> None:
    assert asked(**GENERATIONS).mapping.ttl_attribute is None
    assert "gone_at" == asked(ttl_attribute="gone_at", ttl_column="until").mapping.ttl_attribute


OTHER: dict[str, Any] = {
    "sql": "select 2",
    "table_name": "others",
    "mode": "upsert",
    "generation_days": 3.0,
    "key_columns": ("sku",),
    "columns": {"name": ColumnMapping(drop=True)},
    "constants": {"source": {"S": "x"}},
    "ttl_attribute": "until",
    "ttl_column": "until",
    "moments": "epoch_seconds",
    "nulls": "null",
    "not_finite": "text",
    "trim_text": True,
}


def changed(name: str) -> LookupRequest:
    """A request in which one setting is another, and what that setting requires."""
    more = {"ttl_attribute": "ttl", "ttl_column": "until"} if name.startswith("ttl_") else {}
    more = {"ttl_attribute": "gone_at"} if name == "generation_days" else more
    return asked(**{**more, name: OTHER[name]})


@pytest.mark.parametrize("name", WHAT_IT_DOES)
def test_what_a_load_does_is_in_its_fingerprint(name: str) -> None:
    assert asked().fingerprint() != changed(name).fingerprint()


@pytest.mark.parametrize("name", SHAPE)
def test_what_rows_become_is_their_shape(name: str) -> None:
    assert asked().shape() != changed(name).shape()


@pytest.mark.parametrize("name", sorted(set(WHAT_IT_DOES) - set(SHAPE) - {"generation_days"}))
def test_the_query_and_the_mode_are_not_the_shape_of_rows(name: str) -> None:
    assert asked().shape() == changed(name).shape()


def test_how_fast_and_how_careful_a_load_is_does_not_change_what_it_does() -> None:
    load = asked()
    other = replace(load, units_per_second=7.0, max_shrink=1.0, max_rejected=5, dry_run=True, segments=3)

    assert (load.fingerprint(), load.shape()) == (other.fingerprint(), other.shape())


def test_the_order_in_which_columns_are_declared_is_not_part_of_the_shape() -> None:
    one, two = ColumnMapping(type="N"), ColumnMapping(type="S")

    assert asked(columns={"a": one, "b": two}).shape() == asked(columns={"b": two, "a": one}).shape()
    assert asked(columns={"a": one, "b": two}).shape() != asked(columns={"a": two, "b": one}).shape()


def test_key_columns_as_a_list_or_a_tuple_are_the_same() -> None:
    assert asked(key_columns=["id"]).fingerprint() == asked(key_columns=("id",)).fingerprint()
