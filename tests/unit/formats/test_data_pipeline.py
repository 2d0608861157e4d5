from __future__ import annotations

import json

import msgspec
import pytest

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.formats.data_pipeline import DataPipelineJson, manifest_v3


def line(item: bytes) -> bytes:
    return b"".join(DataPipelineJson().encode([msgspec.Raw(item)]))


def test_all_types_are_spelled_as_the_connector_spells_them() -> None:
    """The line EMR's connector was seen to write, with NULL as connectors 5.x and 2.1.0 name it."""
    item = (
        '{"str":{"S":"a<b>&\'\\"é\u2028"},"num":{"N":"1.50"},"bin":{"B":"AAH/"},"ss":{"SS":["x","y"]},'
        '"ns":{"NS":["1","2"]},"bs":{"BS":["AQ==","Ag=="]},"list":{"L":[{"S":"q"},{"N":"3"}]},'
        '"map":{"M":{"k":{"S":"v"}}},"nul":{"NULL":true},"yes":{"BOOL":true},"emptyL":{"L":[]},'
        '"emptyM":{"M":{}},"emptyS":{"S":""}}'
    )
    expected = (
        '{"str":{"s":"a<b>&\'\\"é\u2028"},"num":{"n":"1.50"},"bin":{"b":"AAH/"},"ss":{"sS":["x","y"]},'
        '"ns":{"nS":["1","2"]},"bs":{"bS":["AQ==","Ag=="]},"list":{"l":[{"s":"q"},{"n":"3"}]},'
        '"map":{"m":{"k":{"s":"v"}}},"nul":{"nULL":true},"yes":{"bOOL":true},"emptyL":{"l":[]},'
        '"emptyM":{"m":{}},"emptyS":{"s":""}}\n'
    )

    assert expected.encode() == line(item.encode())


def test_a_line_from_a_real_backup_is_written_again() -> None:
    assert b'{"amount":{"s":"17"},"Id":{"n":"1"}}\n' == line(b'{"amount":{"S":"17"},"Id":{"N":"1"}}')


def test_attributes_named_like_tags_keep_their_names() -> None:
    item = (
        b'{"S":{"M":{"S":{"S":"S"},"M":{"M":{"BOOL":{"BOOL":true}}},'
        b'"L":{"L":[{"M":{"NULL":{"NULL":true}}}]}}}}'
    )
    expected = (
        b'{"S":{"m":{"S":{"s":"S"},"M":{"m":{"BOOL":{"bOOL":true}}},'
        b'"L":{"l":[{"m":{"NULL":{"nULL":true}}}]}}}}\n'
    )

    assert expected == line(item)


def test_a_string_that_looks_like_a_typed_value_is_untouched() -> None:
    assert b'{"a":{"s":"{\\"S\\":\\"x\\"}"}}\n' == line(b'{"a":{"S":"{\\"S\\":\\"x\\"}"}}')


def test_escapes_in_strings_stay_as_they_were_sent() -> None:
    assert b'{"a":{"s":"\\uD83D\\uDE00\\u000B\\/"}}\n' == line(b'{"a":{"S":"\\uD83D\\uDE00\\u000B\\/"}}')


def test_an_item_of_unknown_types_is_refused() -> None:
    with pytest.raises(UnexpectedReply, match="unknown type 'X'"):
        line(b'{"a":{"X":"x"}}')


def test_the_manifest_has_the_shape_that_the_connector_reads() -> None:
    assert (
        b'{"name":"DynamoDB-export","version":3,\n'
        b'"entries": [\n'
        b'{"url":"s3://my-bucket/path/0e8e0c2c","mandatory":true},\n'
        b'{"url":"s3://my-bucket/path/7d1b","mandatory":true}\n'
        b"]}"
    ) == manifest_v3(["s3://my-bucket/path/0e8e0c2c", "s3://my-bucket/path/7d1b"])


@pytest.mark.parametrize("urls", [[], ['s3://bucket/é "quoted"\\key'], ["s3://b/1", "s3://b/2", "s3://b/3"]])
def test_a_manifest_is_json_that_names_each_file_once(urls: list[str]) -> None:
    manifest = json.loads(manifest_v3(urls))

    assert ("DynamoDB-export", 3) == (manifest["name"], manifest["version"])
    assert [{"url": url, "mandatory": True} for url in urls] == manifest["entries"]
