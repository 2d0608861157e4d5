from __future__ import annotations

import json
from decimal import Decimal

import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.numbers import json_number


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "5",
        "-1E-128",
        "1E+100",
        "1e5",
        "9.9999999999999999999999999999999999999E+125",
        "12345678901234567890.123456789012345678",
        "1.500",
        "0.000",
        "100000000000000000000000000000000000000",
    ],
)
def test_a_json_number_is_left_as_it_was_sent(text: str) -> None:
    assert text == json_number(text)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("+5", "5"),
        ("+0", "0"),
        (".5", "0.5"),
        ("-.50", "-0.50"),
        ("5.", "5"),
        ("5.E3", "5E3"),
        ("007", "7"),
        ("-00", "-0"),
        ("00.10e-07", "0.10e-07"),
        ("+.5E+1", "0.5E+1"),
    ],
)
def test_only_what_json_forbids_is_respelled(text: str, spelled: str) -> None:
    assert spelled == json_number(text)
    assert Decimal(text) == json.loads(spelled, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "-", "+", "E5", ".E5", "NaN", "Infinity", "0x10", "1_000", "1,5", "1 ", "\u0661", "1\n"],
)
def test_what_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(UnexpectedReply, match="not a number"):
        json_number(text)


def test_the_message_shows_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(UnexpectedReply) as caught:
        json_number("x" * 400_000)

    assert len(str(caught.value)) < 150
