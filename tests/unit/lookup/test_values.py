"""What a value of a query becomes, for every type of value, column and declaration."""

from __future__ import annotations

import enum
import time as clock
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.lookup.converting import one_value

WEST = timezone(timedelta(hours=-2))
DIGITS_38 = "12345678901234567890.123456789012345678"
BERLIN = ZoneInfo("Europe/Berlin")
UNSORTED = object()  # beside another value: the column is then converted value by value
MOMENT = datetime(2026, 11, 21, 1, 2, 3, 40_000)  # noqa: DTZ001  a timestamp without a zone
HEX = "00ff10"
DEEP = 31  # lists or maps within each other; with the item that makes 32 levels


class Weekday(enum.IntEnum):
    """A number by another name, as an ORM may hand it out."""

    MONDAY = 1


class Somewhere(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, dt: datetime | None) -> None:
        """Say nothing."""

    def dst(self, dt: datetime | None) -> None:
        """Say nothing."""

    def tzname(self, dt: datetime | None) -> None:
        """Say nothing."""


def nested(levels: int, inner: object) -> object:
    """``inner`` within as many lists."""
    for _ in range(levels):
        inner = [inner]
    return inner


def numbered(cases: Sequence[tuple[Any, ...]]) -> list[str]:
    """Names for cases whose values cannot all be written."""
    return [f"{n}-{case[1]}" for n, case in enumerate(cases)]


TYPES: list[tuple[object, str, object]] = [
    (1200, "number", {"N": "1200"}),
    (-7, "number", {"N": "-7"}),
    (0, "other", {"N": "0"}),
    (10**38 - 1, "number", {"N": "9" * 38}),
    (10**125, "number", {"N": "1" + "0" * 125}),
    (Weekday.MONDAY, "number", {"N": "1"}),
    (Decimal("19.50"), "number", {"N": "19.5"}),
    (Decimal(1200), "number", {"N": "1200"}),
    (Decimal("1.2E+3"), "number", {"N": "1200"}),
    (Decimal("-0.00"), "number", {"N": "0"}),
    (Decimal("0.0010"), "number", {"N": "0.001"}),
    (Decimal("1E-130"), "number", {"N": "0." + "0" * 129 + "1"}),
    (Decimal("9." + "9" * 37 + "E+125"), "number", {"N": "9" * 38 + "0" * 88}),
    (Decimal(DIGITS_38), "number", {"N": DIGITS_38}),
    (19.5, "float", {"N": "19.5"}),
    (3.0, "float", {"N": "3"}),
    (-0.0, "float", {"N": "0"}),
    (0.1, "float", {"N": "0.1"}),
    (1e22, "float", {"N": "1" + "0" * 22}),
    (1.5e-7, "float", {"N": "0.00000015"}),
    (True, "boolean", {"BOOL": True}),
    (False, "other", {"BOOL": False}),
    (1, "boolean", {"BOOL": True}),
    ("f", "boolean", {"BOOL": False}),
    ("x", "text", {"S": "x"}),
    ("", "text", {"S": ""}),
    ("pad  ", "text", {"S": "pad  "}),
    ('é"\\\u0001\n\u007f\u2028😀', "text", {"S": 'é"\\\u0001\n\u007f\u2028😀'}),
    ("1.50", "number", {"N": "1.5"}),
    ("2.5e3", "float", {"N": "2500"}),
    (b"\x00\xff\x10", "binary", {"B": "AP8Q"}),
    (bytearray(b"\x00\xff\x10"), "other", {"B": "AP8Q"}),
    (memoryview(b"\x00\xff\x10"), "binary", {"B": "AP8Q"}),
    (HEX, "binary", {"B": "AP8Q"}),
    (HEX.upper(), "binary", {"B": "AP8Q"}),
    ("\\x" + HEX, "binary", {"B": "AP8Q"}),
    (MOMENT, "timestamp", {"S": "2026-11-21T01:02:03.040000Z"}),
    (MOMENT.replace(microsecond=0), "timestamp", {"S": "2026-11-21T01:02:03.000000Z"}),
    (MOMENT.replace(tzinfo=UTC), "timestamptz", {"S": "2026-11-21T01:02:03.040000Z"}),
    (MOMENT.replace(tzinfo=BERLIN), "timestamptz", {"S": "2026-11-21T00:02:03.040000Z"}),
    (MOMENT.replace(tzinfo=WEST), "timestamptz", {"S": "2026-11-21T03:02:03.040000Z"}),
    (MOMENT.replace(tzinfo=Somewhere()), "timestamptz", {"S": "2026-11-21T01:02:03.040000Z"}),
    ("2026-11-21 01:02:03.04", "timestamp", {"S": "2026-11-21T01:02:03.040000Z"}),
    ("2026-11-21 01:02:03+01", "timestamptz", {"S": "2026-11-21T00:02:03.000000Z"}),
    (date(2026, 11, 21), "date", {"S": "2026-11-21"}),
    ("2026-11-21", "date", {"S": "2026-11-21"}),
    (time(12, 30), "time", {"S": "12:30:00.000000"}),
    (time(12, 30, tzinfo=UTC), "time", {"S": "12:30:00.000000Z"}),
    ("12:30", "time", {"S": "12:30:00.000000"}),
    (timedelta(hours=12, minutes=30), "time", {"S": "12:30:00.000000"}),
    (timedelta(hours=30), "time", {"S": "P1DT21600S"}),
    (timedelta(days=1, hours=2), "other", {"S": "P1DT7200S"}),
    (uuid.UUID(int=10), "other", {"S": "00000000-0000-0000-0000-00000000000a"}),
    ([1, None, "x"], "other", {"L": [{"N": "1"}, {"NULL": True}, {"S": "x"}]}),
    ((Decimal("1.50"), b"\x00"), "other", {"L": [{"N": "1.5"}, {"B": "AA=="}]}),
    ([MOMENT], "other", {"L": [{"S": "2026-11-21T01:02:03.040000Z"}]}),
    ({"b": {"x": True}, "a": []}, "json", {"M": {"b": {"M": {"x": {"BOOL": True}}}, "a": {"L": []}}}),
    (["{not json"], "json", {"L": [{"S": "{not json"}]}),
    ('{"b": 1.50, "a": [null, "\\u00e9", 1E2]}', "json",
     {"M": {"b": {"N": "1.5"}, "a": {"L": [{"NULL": True}, {"S": "é"}, {"N": "100"}]}}}),
    (b'{"a":1}', "json", {"M": {"a": {"N": "1"}}}),
    ("12345678901234567890.12345678901234567", "json", {"N": "12345678901234567890.12345678901234567"}),
    ("null", "json", None),
    (None, "text", None),
]  # fmt: skip


@pytest.mark.parametrize("beside", [(), (None,), (UNSORTED,)], ids=["alone", "and_null", "mixed"])
@pytest.mark.parametrize(("value", "kind", "expected"), TYPES, ids=numbered(TYPES))
def test_a_value_becomes_what_the_table_of_types_says_whatever_stands_beside_it(
    value: object, kind: str, expected: object, beside: tuple[object, ...]
) -> None:
    assert expected == one_value(value, kind, beside=beside)


REFUSED: list[tuple[object, str, str]] = [
    (10**38 + 1, "number", "39 significant digits"),
    (10**126, "number", "out of the range"),
    (10**5000, "number", "out of the range"),
    (Decimal("1." + "1" * 38), "number", "39 significant digits"),
    (Decimal("1E+126"), "number", "out of the range"),
    (Decimal("1E-131"), "number", "out of the range"),
    (5e-324, "float", "out of the range"),
    (1e200, "float", "out of the range"),
    (float("nan"), "float", "neither NaN nor infinity"),
    (float("-inf"), "float", "neither NaN nor infinity"),
    (Decimal("NaN"), "number", "neither NaN nor infinity"),
    (Decimal("sNaN"), "number", "neither NaN nor infinity"),
    (Decimal("Infinity"), "number", "neither NaN nor infinity"),
    ("NaN", "float", "neither NaN nor infinity"),
    ("-Infinity", "number", "neither NaN nor infinity"),
    ("12,5", "number", "'12,5': it is no number"),
    ("maybe", "boolean", "neither true nor false"),
    (2, "boolean", "neither true nor false"),
    ("a\ud800", "text", "a lone surrogate, U+D800"),
    ({"a\ud800": 1}, "json", "a lone surrogate"),
    ('"\\ud800"', "json", "it is no JSON"),
    ("0g", "binary", "hexadecimal"),
    ("00 ff", "binary", "it is not hexadecimal"),
    ("abc", "binary", "hexadecimal"),
    ("yesterday", "timestamp", "it is no timestamp as ISO 8601 writes it"),
    (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "timestamptz", "out of the years 1 to 9999"),
    ("{oops", "json", "it is no JSON"),
    ('{"a": 1, "a": 2}', "json", "the name 'a' stands twice"),
    ('{"": 1}', "json", "a name in it is empty"),
    ({1: "x"}, "json", "a name in it is of type int"),
    ("[" * 40 + "]" * 40, "json", "nested deeper than 32 levels"),
    ("[" * 100_000, "json", "nested deeper than 32 levels"),
    (nested(DEEP + 1, 1), "json", "nested deeper than 32 levels"),
    ([float("nan")], "other", "neither NaN nor infinity"),
    ({1, 2}, "other", "the type set has no counterpart in DynamoDB"),
    (1j, "other", "the type complex has no counterpart in DynamoDB"),
    (UNSORTED, "other", "the type object has no counterpart in DynamoDB"),
]


@pytest.mark.parametrize("beside", [(), (None,), ("x",)], ids=["alone", "and_null", "mixed"])
@pytest.mark.parametrize(("value", "kind", "reason"), REFUSED, ids=numbered(REFUSED))
def test_a_value_that_dynamodb_would_refuse_makes_its_row_a_bad_one(
    value: object, kind: str, reason: str, beside: tuple[object, ...]
) -> None:
    found = one_value(value, kind, beside=beside)

    assert found.startswith("column 'v': ")
    assert reason in found


@pytest.mark.parametrize("how", [{}, {"moments": "epoch_seconds"}], ids=["iso", "epoch"])
def test_the_zone_of_the_machine_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    moments = [MOMENT, MOMENT.replace(tzinfo=BERLIN), MOMENT.replace(tzinfo=Somewhere())]
    expected = [one_value(moment, **how) for moment in moments]

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        clock.tzset()
        found = [one_value(moment, **how) for moment in moments]
    clock.tzset()

    assert expected == found


def test_lists_are_taken_as_deep_as_dynamodb_takes_them() -> None:
    found = one_value(nested(DEEP, 1))

    assert DEEP == str(found).count("'L'")


MAPPED: list[tuple[object, str, dict[str, Any], object]] = [
    (MOMENT, "timestamp", {"moments": "epoch_seconds"}, {"N": "1795222923"}),
    (MOMENT, "timestamp", {"moments": "epoch_milliseconds"}, {"N": "1795222923040"}),
    (MOMENT.replace(tzinfo=BERLIN), "timestamptz", {"moments": "epoch_seconds"}, {"N": "1795219323"}),
    (datetime(1969, 12, 31, 23, 59, 58, 1), "timestamp", {"moments": "epoch_seconds"}, {"N": "-2"}),  # noqa: DTZ001
    (datetime(1969, 12, 31, 23, 59, 59, 999_999), "timestamp", {"moments": "epoch_milliseconds"}, {"N": "-1"}),  # noqa: DTZ001, E501
    (date(1970, 1, 2), "date", {"moments": "epoch_seconds"}, {"N": "86400"}),
    (date(1969, 12, 31), "date", {"moments": "epoch_milliseconds"}, {"N": "-86400000"}),
    (date(1970, 1, 2), "date", {"type": "N"}, {"N": "86400"}),
    (MOMENT, "timestamp", {"type": "N"}, {"N": "1795222923"}),
    (MOMENT, "timestamp", {"type": "S", "moments": "epoch_seconds"}, {"S": "1795222923"}),
    ("2026-11-21 01:02:03", "timestamp", {"moments": "epoch_seconds"}, {"N": "1795222923"}),
    (None, "text", {"nulls": "null"}, {"NULL": True}),
    ("null", "json", {"nulls": "null"}, {"NULL": True}),
    (float("nan"), "float", {"not_finite": "null"}, None),
    (float("nan"), "float", {"not_finite": "null", "nulls": "null"}, {"NULL": True}),
    (float("nan"), "float", {"not_finite": "text"}, {"S": "NaN"}),
    (float("-inf"), "float", {"not_finite": "text"}, {"S": "-Infinity"}),
    (Decimal("Infinity"), "number", {"not_finite": "text"}, {"S": "Infinity"}),
    (Decimal("sNaN"), "number", {"not_finite": "text"}, {"S": "NaN"}),
    ("inf", "float", {"not_finite": "text"}, {"S": "Infinity"}),
    ([float("nan"), 1], "other", {"not_finite": "text"}, {"L": [{"S": "NaN"}, {"N": "1"}]}),
    (12, "number", {"type": "S"}, {"S": "12"}),
    (Decimal("12.50"), "number", {"type": "S"}, {"S": "12.5"}),
    (1e3, "float", {"type": "S"}, {"S": "1000"}),
    (True, "boolean", {"type": "S"}, {"S": "true"}),
    (b"caf\xc3\xa9", "text", {"type": "S"}, {"S": "café"}),
    (b"\x00\xff\x10", "binary", {"type": "S"}, {"S": HEX}),
    (HEX, "binary", {"type": "S"}, {"S": HEX}),
    ('{"a": 1.50}', "json", {"type": "S"}, {"S": '{"a": 1.50}'}),
    ("012.50", "text", {"type": "N"}, {"N": "12.5"}),
    ("AP8Q", "text", {"type": "B"}, {"B": "AP8Q"}),
    ("T", "text", {"type": "BOOL"}, {"BOOL": True}),
    (0, "number", {"type": "BOOL"}, {"BOOL": False}),
    ("NULL", "text", {"type": "NULL", "nulls": "null"}, {"NULL": True}),
    ('{"a": [1]}', "text", {"type": "M"}, {"M": {"a": {"L": [{"N": "1"}]}}}),
    ('{"a": [1]}', "text", {"type": "json"}, {"M": {"a": {"L": [{"N": "1"}]}}}),
    (b"[1]", "other", {"type": "json"}, {"L": [{"N": "1"}]}),
    ("[1]", "json", {"type": "L"}, {"L": [{"N": "1"}]}),
    (["b", "a", "b", "é"], "other", {"type": "SS"}, {"SS": ["a", "b", "é"]}),
    ('["b", "a"]', "json", {"type": "SS"}, {"SS": ["a", "b"]}),
    ([10, Decimal("1E1"), Decimal("2.0")], "other", {"type": "NS"}, {"NS": ["10", "2"]}),
    ("[10, 1E1, 2.0]", "text", {"type": "NS"}, {"NS": ["10", "2"]}),
    ([1, 2], "other", {"type": "SS"}, {"SS": ["1", "2"]}),
    ([b"\x01", b"\x00", b"\x01"], "other", {"type": "BS"}, {"BS": ["AA==", "AQ=="]}),
    ([], "other", {"type": "SS"}, None),
    ("null", "json", {"type": "NS"}, None),
    ("[]", "json", {"type": "NS", "nulls": "null"}, {"NULL": True}),
]  # fmt: skip


@pytest.mark.parametrize("beside", [(), (UNSORTED,)], ids=["alone", "mixed"])
@pytest.mark.parametrize(("value", "kind", "how", "expected"), MAPPED, ids=numbered(MAPPED))
def test_a_value_becomes_what_its_columns_mapping_says(
    value: object, kind: str, how: dict[str, Any], expected: object, beside: tuple[object, ...]
) -> None:
    assert expected == one_value(value, kind, beside=beside, **how)


@pytest.mark.parametrize(
    ("value", "kind", "tag", "reason"),
    [
        ("x", "text", "N", "not of type N: no number"),
        ("NaN", "text", "N", "not of type N: no number"),
        ("x", "text", "B", "no base64"),
        ("x", "text", "BOOL", "neither true nor false"),
        ("x", "text", "SS", "no JSON"),
        (["a", None], "other", "SS", "a value of type NULL cannot become one"),
        ([True], "other", "SS", "a value of type BOOL cannot become one"),
        (["x"], "other", "NS", "not of type NS: no number"),
        ({"a": 1}, "json", "L", "a value of type M cannot become one"),
        (True, "boolean", "N", "a value of type BOOL cannot become one"),
        (b"\xff", "text", "S", "'utf-8' codec can't decode"),
        (2, "number", "BOOL", "neither true nor false"),
    ],
)
def test_a_value_that_cannot_be_of_the_declared_type_makes_its_row_a_bad_one(
    value: object, kind: str, tag: str, reason: str
) -> None:
    assert reason in one_value(value, kind, type=tag)


def test_a_reason_shows_the_beginning_of_a_value_and_no_more() -> None:
    reason = one_value("2026-" + "x" * 1000, "timestamp")

    assert len(reason) < 150
    assert "2026-xxx" in reason
