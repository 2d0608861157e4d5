from __future__ import annotations

import msgspec
import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.canonical import canonical, canonical_number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":{"S":"x"},"b":{"NULL":true}}', b'{ "b" : {"NULL":true},\n"a":{"S":"x"}}'),
        (b'{"a":{"M":{"x":{"S":""},"y":{"L":[]}}}}', b'{"a":{"M":{"y":{"L":[ ]},"x":{"S":""}}}}'),
        (b'{"a":{"SS":["x","y"]}}', b'{"a":{"SS":["y","\\u0078"]}}'),
        (b'{"a":{"NS":["1.50","-0","2"]}}', b'{"a":{"NS":["2.0","0","15E-1"]}}'),
        (b'{"a":{"BS":["AQ==","AA=="]}}', b'{"a":{"BS":["AA==","AQ=="]}}'),
        (b'{"a":{"N":"1.50"}}', b'{"a":{"N":"+01.5"}}'),
        (b'{"a":{"N":"100"}}', b'{"a":{"N":"1e2"}}'),
        (b'{"a":{"B":"AA=="}}', b'{"a":{"B":"AB=="}}'),
        (b'{"a":{"S":"/\xc3\xa9\xf0\x9f\x98\x80"}}', b'{"\\u0061":{"S":"\\/\\u00e9\\ud83d\\uDE00"}}'),
    ],
)
def test_equal_items_have_one_spelling(one: bytes, other: bytes) -> None:
    assert canonical(one) == canonical(msgspec.Raw(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":{"S":"1"}}', b'{"a":{"N":"1"}}'),
        (b'{"a":{"N":"1"}}', b'{"a":{"N":"-1"}}'),
        (b'{"a":{"N":"10"}}', b'{"a":{"N":"1"}}'),
        (b'{"a":{"L":[{"S":"x"},{"S":"y"}]}}', b'{"a":{"L":[{"S":"y"},{"S":"x"}]}}'),
        (b'{"a":{"L":[]}}', b'{"a":{"M":{}}}'),
        (b'{"a":{"SS":["x"]}}', b'{"a":{"L":[{"S":"x"}]}}'),
        (b'{"a":{"S":"e\xcc\x81"}}', b'{"a":{"S":"\xc3\xa9"}}'),
        (b'{"a":{"BOOL":true}}', b'{"a":{"BOOL":false}}'),
        (b'{"a":{"S":""}}', b"{}"),
    ],
)
def test_different_items_have_different_spellings(one: bytes, other: bytes) -> None:
    assert canonical(one) != canonical(other)


def test_the_spelling_is_this() -> None:
    """Digests that were kept somewhere stay good only as long as this does not change."""
    item = b'{"b":{"NS":["2.0","1e3"]},"a":{"M":{"y":{"S":"\\u00e9\\n"},"x":{"N":"-0.0"}}}}'

    assert '{"a":{"M":{"x":{"N":"0"},"y":{"S":"é\\n"}}},"b":{"NS":["1000","2"]}}'.encode() == canonical(item)


def test_a_number_keeps_its_38_digits() -> None:
    assert "12345678.901234567890123456789012345678" == canonical_number(
        "12345678.901234567890123456789012345678"
    )
    assert "-0." + "0" * 129 + "1" == canonical_number("-0.1E-129")


@pytest.mark.parametrize(
    "item",
    [
        b"[]",
        b'{"a":"x"}',
        b'{"a":{"X":"x"}}',
        b'{"a":{"N":"x"}}',
        b'{"a":{"N":1}}',
        b'{"a":{"B":"A"}}',
        b'{"a":{"BOOL":"x"}}',
        b'{"a":{"S":"\\ud800"}}',
    ],
)
def test_what_is_not_an_item_is_refused(item: bytes) -> None:
    with pytest.raises(UnexpectedReply):
        canonical(item)
