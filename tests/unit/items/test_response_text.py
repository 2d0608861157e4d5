from __future__ import annotations

import json
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
import botocore.parsers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.response_text import scan_response_json

# Taken from DynamoDB Local: every control character, every type of value.
ITEMS = {
    "control characters": (
        rb'{"ctl":{"S":"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000B\f\r\u000E\u000F\u0010\u0011'
        rb'\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F !\"#"}}'
    ),
    "characters beyond ASCII": (
        '{"x":{"S":"\x7f\x80\x9f\xa0\xad/<>&\'\\"\\\\=\u0600\u200b\u2028\u2029\ufeff\ufffd\uffff\ue000\ud7ff'
        '\\uD83D\\uDE00\\uDBFF\\uDFFF\\uD800\\uDC00e\u0301"}}'
    ).encode(),
    "types": (
        rb'{"b2":{"B":"+//+"},"mm":{"M":{"q":{"N":"1"},"S":{"S":"x"},"\n\u000B\uD83D\uDE00":{"NULL":true},'
        rb'"BOOL":{"BOOL":false}}},"bs":{"BS":["YQ==","/w=="]},"ns":{"NS":["0","0.5","1.5"]},"L":{"L":[]},'
        rb'"M":{"M":{}},"n":{"N":"-0.00000000000000000000000000000000000001"}}'
    ),
    "backslashes": rb'{"a":{"S":"\\u000b\\\\u001f\\\u000B\\\uD83D\uDE00"}}',
    "botocore's own name": rb'{"SDK_UNKNOWN_MEMBER":{"M":{"name":{"S":"X"}}}}',
    "nothing": b"{}",
}
KEY = (
    rb'{"Items":[],"Count":0,"ScannedCount":1,"LastEvaluatedKey":{"pk":{"S":"k0\uD83D\uDE00"}},'
    rb'"ConsumedCapacity":{"TableName":"tbl","CapacityUnits":0.5,"Table":{"CapacityUnits":0.5}}}'
)


@cache
def scan_output() -> Any:
    model = botocore.loaders.Loader().load_service_model("dynamodb", "service-2")
    return botocore.model.ServiceModel(model, "dynamodb").operation_model("Scan").output_shape


def parsed_by_botocore(body: bytes) -> dict[str, Any]:
    parser = botocore.parsers.create_parser("json")
    response: dict[str, Any] = parser.parse({"body": body, "headers": {}, "status_code": 200}, scan_output())
    return response


def page(item: bytes) -> bytes:
    return b'{"Items":[' + item + b'],"Count":1,"ScannedCount":1}'


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_an_item_that_botocore_parsed_is_written_byte_for_byte(item: bytes) -> None:
    assert page(item) == scan_response_json(parsed_by_botocore(page(item)))


def test_key_and_capacity_that_botocore_parsed_are_written_byte_for_byte() -> None:
    assert KEY == scan_response_json(parsed_by_botocore(KEY))


def spelled(text: str) -> str:
    """Spell a string as DynamoDB Local does, a character at a time."""
    short = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    characters = []
    for character in text:
        units = character.encode("utf-16-be").hex().upper()
        if character in short:
            characters.append(short[character])
        elif len(units) == 8:
            characters.append(f"\\u{units[:4]}\\u{units[4:]}")
        else:
            characters.append(f"\\u{units}" if character < " " else character)
    return '"' + "".join(characters) + '"'


strings = st.text(st.characters(exclude_categories=["Cs"])) | st.text("\\u01bf\x0b\x1f\n😀\"'")


@given(strings, strings)
def test_any_string_and_name_is_written_as_it_came(name: str, text: str) -> None:
    body = page(f'{{{spelled(name)}:{{"SS":[{spelled(text)}]}}}}'.encode())

    assert body == scan_response_json(parsed_by_botocore(body))


def test_metadata_is_left_out() -> None:
    assert b'{"Count":0}' == scan_response_json({"Count": 0, "ResponseMetadata": {"RequestId": "x"}})


@pytest.mark.parametrize(
    "value",
    [
        {"VECTOR": "x"},
        {"L": [{"S": "x"}, {"VECTOR": "x"}]},
        {"M": {"a": {"M": {"b": {"VECTOR": "x"}}}}},
    ],
)
def test_a_type_that_botocore_drops_is_refused(value: Any) -> None:
    body = json.dumps({"Items": [{"ok": {"S": "x"}, "a": value}], "Count": 1}).encode()

    with pytest.raises(UnexpectedReply, match="upgrade botocore"):
        scan_response_json(parsed_by_botocore(body))


def test_a_type_that_botocore_marks_as_unknown_is_refused() -> None:
    """As it would if its model called the value a union."""
    with pytest.raises(UnexpectedReply, match="upgrade botocore"):
        scan_response_json({"Items": [{"a": {"SDK_UNKNOWN_MEMBER": {"name": "VECTOR"}}}]})


def test_values_that_botocore_does_not_make_are_refused() -> None:
    with pytest.raises(TypeError, match="set is not part"):
        scan_response_json({"Items": [{"a": {"SS": {"x"}}}]})
