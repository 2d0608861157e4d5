"""When a lookup table's items expire, from a column of the query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping, RowMapping
from airflow_dynamo_pipeline.lookup.source import Column
from tests.unit.lookup.converting import ID, converted

UNSORTED = object()  # beside another value: the column is then converted value by value
TTLS: list[tuple[str, object, object]] = [
    ("timestamp", datetime(2026, 11, 21), {"N": "1795219200"}),  # noqa: DTZ001  without a zone
    ("timestamptz", datetime(2026, 11, 21, 0, 0, 0, 999_999, tzinfo=UTC), {"N": "1795219200"}),
    ("date", date(2026, 11, 21), {"N": "1795219200"}),
    ("number", 1795219200, {"N": "1795219200"}),
    ("number", Decimal("1795219200.9"), {"N": "1795219200"}),
    ("float", 1795219200.9, {"N": "1795219200"}),
    ("text", "2026-11-21T01:00:00+01:00", {"N": "1795219200"}),
    ("text", " 1795219200 ", {"N": "1795219200"}),
    ("date", "2026-11-21", {"N": "1795219200"}),
    ("timestamp", None, None),
]


@pytest.mark.parametrize("beside", [(), (None,), (UNSORTED,)], ids=["alone", "and_null", "mixed"])
@pytest.mark.parametrize(("kind", "value", "expected"), TTLS, ids=range(len(TTLS)))
def test_the_time_to_live_is_epoch_seconds_whatever_its_column_holds(
    kind: str, value: object, expected: object, beside: Sequence[object]
) -> None:
    mapping = RowMapping(
        columns={"until": ColumnMapping(drop=True)}, ttl_attribute="ttl", ttl_column="until", nulls="null"
    )

    found = converted([ID, Column("until", kind)], [("a", value), *(("b", one) for one in beside)], mapping)

    wanted = {"id": {"S": "a"}} if expected is None else {"id": {"S": "a"}, "ttl": expected}
    assert wanted == json.loads(found.items[0])


def test_the_column_of_the_time_to_live_stays_unless_it_is_dropped() -> None:
    mapping = RowMapping(ttl_attribute="ttl", ttl_column="until")

    found = converted([ID, Column("until", "date")], [("a", date(1970, 1, 2))], mapping)

    assert [b'{"id":{"S":"a"},"ttl":{"N":"86400"},"until":{"S":"1970-01-02"}}'] == found.items


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1795219200000, "seconds are expected, not milliseconds"),
        (Decimal(1795219200000), "seconds are expected, not milliseconds"),
        ("soon", "it is no timestamp"),
        (float("nan"), "neither NaN nor infinity"),
        (b"x", "a value of type B is no instant"),
        (True, "a value of type BOOL is no instant"),
    ],
)
def test_a_time_to_live_that_is_no_instant_makes_its_row_a_bad_one(value: object, reason: str) -> None:
    mapping = RowMapping(columns={"until": ColumnMapping(drop=True)}, ttl_attribute="ttl", ttl_column="until")

    (bad,) = converted([ID, Column("until")], [("a", value)], mapping).bad

    assert reason in bad.reason
    assert '["a"]' == bad.key
