from __future__ import annotations

import msgspec
import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.sizes import item_bytes, write_units


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (b'{"S":""}', 0),
        (b'{"S":"a\\u00e9\\ud83d\\ude00"}', 7),
        (b'{"N":"0.00"}', 1),
        (b'{"N":"-1"}', 3),
        (b'{"N":"100"}', 2),
        (b'{"N":"123"}', 3),
        (b'{"N":"1.23"}', 3),
        (b'{"N":"-12345678901234567890123456789012345678"}', 21),
        (b'{"B":"AQI="}', 2),
        (b'{"SS":["a","bc"]}', 3),
        (b'{"NS":["1","-23"]}', 5),
        (b'{"BS":["AQI=","AQ=="]}', 3),
        (b'{"BOOL":false}', 1),
        (b'{"NULL":true}', 1),
        (b'{"L":[]}', 3),
        (b'{"M":{}}', 3),
        (b'{"L":[{"S":"ab"},{"L":[]}]}', 10),
        (b'{"M":{"ab":{"S":"c"}}}', 7),
    ],
)
def test_each_type_has_its_size(value: bytes, size: int) -> None:
    assert 2 + size == item_bytes(msgspec.Raw(b'{"\xc3\xa9":' + value + b"}"))


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (409_600, 400)])
def test_a_write_costs_a_unit_for_each_begun_kib(size: int, units: int) -> None:
    assert units == write_units(size)


@pytest.mark.parametrize(
    "item",
    [b"[]", b'{"a":"x"}', b'{"a":{}}', b'{"a":{"X":1}}', b'{"a":{"N":"x"}}', b'{"a":{"L":{"b":1}}}', b"{"],
)
def test_what_cannot_be_measured_is_refused(item: bytes) -> None:
    with pytest.raises(UnexpectedReply):
        item_bytes(item)
