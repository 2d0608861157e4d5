from __future__ import annotations

import msgspec

from airflow_dynamo_pipeline.formats.dynamodb_json import DynamoDBJson


def lines(*items: bytes) -> bytes:
    return b"".join(DynamoDBJson().encode([msgspec.Raw(item) for item in items]))


def test_an_item_is_wrapped_and_otherwise_untouched() -> None:
    item = b'{"a": {"S":"\\uD83D\\uDE00\\/\xe2\x80\xa8"},"a2":{"N":"1.50"}}'

    assert b'{"Item":' + item + b"}\n" == lines(item)


def test_every_item_has_its_line() -> None:
    assert b'{"Item":{}}\n{"Item":{"n":{"N":"1"}}}\n{"Item":{}}\n' == lines(b"{}", b'{"n":{"N":"1"}}', b"{}")


def test_no_items_give_no_chunks() -> None:
    assert [] == list(DynamoDBJson().encode([]))


def test_the_items_are_joined_once_and_not_copied_again() -> None:
    chunks = list(DynamoDBJson().encode([msgspec.Raw(b'{"n":{"N":"1"}}')] * 3))

    assert 3 == len(chunks)
    assert [len(b'{"Item":'), len(b"}\n")] == [len(chunks[0]), len(chunks[2])]
