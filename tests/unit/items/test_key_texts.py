"""Keys as lines of JSON."""

from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.key_texts import key_texts
from airflow_dynamo_pipeline.items.keys import Key


@pytest.mark.parametrize(
    ("keys", "tags", "expected"),
    [
        ([("P1",), ("P2",)], ["S"], [b'["P1"]', b'["P2"]']),
        ([("P1", "AA==")], ["S", "B"], [b'["P1","AA=="]']),
        ([('a\nb"é',)], ["S"], ['["a\\nb\\"é"]'.encode()]),
        ([("1E1",), ("10",), ("10.0",), ("-0",), ("007",)], ["N"],
         [b'["10"]', b'["10"]', b'["10"]', b'["0"]', b'["7"]']),
        ([("1.0", "1.0"), ("x", "1E-3")], ["S", "N"], [b'["1.0","1"]', b'["x","0.001"]']),
        ([("1" + "0" * 39,), ("1E39",)], ["N"], [b'["1' + b"0" * 39 + b'"]'] * 2),
        ([], ["S"], []),
        ([], ["N", "S"], []),
    ],
)  # fmt: skip
def test_each_key_is_one_line_and_equal_keys_are_equal_lines(
    keys: list[Key], tags: list[str], expected: list[bytes]
) -> None:
    assert expected == key_texts(keys, tags)


@pytest.mark.parametrize("text", ["x", "٣", ""])
def test_a_number_that_is_none_is_told_of(text: str) -> None:
    with pytest.raises(UnexpectedReply, match="not a number"):
        key_texts([(text,)], ["N"])
