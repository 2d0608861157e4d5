from __future__ import annotations

import msgspec
import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.keys import KeyReader

PK, SK = KeyAttribute("pk", "S"), KeyAttribute("sk", "N")


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def test_a_key_is_read_out_of_whatever_stands_beside_it() -> None:
    item = raw('{"x":{"M":{"pk":{"S":"inner"}}},"sk":{"N":"1.50"},"L":{"L":[{"N":"1"}]},"pk":{"S":"é"}}')

    assert ("é",) == KeyReader([PK]).of(item)
    assert ("é", "1.50") == KeyReader([PK, SK]).of(item)


@pytest.mark.parametrize(
    "item",
    [
        "{}",
        '{"pk":{"S":""},"sk":{"N":"1"}}',
        '{"pk":{"N":"1"},"sk":{"N":"1"}}',
        '{"pk":{"S":"a"},"sk":{"S":"1"}}',
        '{"pk":{"S":"a"},"sk":{"N":1}}',
        '{"pk":{"S":"a","N":"1"},"sk":{"N":"1"}}',
        '{"pk":{"S":"a"},"sk":{}}',
        '{"pk":"a","sk":{"N":"1"}}',
        '{"pk":{"S":"a"}}',
        "[]",
    ],
)
def test_a_key_that_is_missing_empty_or_of_another_type_is_said(item: str) -> None:
    keys = KeyReader([PK, SK])

    with pytest.raises(UnexpectedReply, match="the key is missing, empty or of another type"):
        keys.of(raw(item))
    with pytest.raises(UnexpectedReply, match="a key is missing"):
        keys.of_all([raw('{"pk":{"S":"a"},"sk":{"N":"1"}}'), raw(item)])


def test_the_keys_of_many_items_come_in_their_order() -> None:
    items = [raw(f'{{"pk":{{"S":"{n}"}}}}') for n in range(5)]

    assert [(str(n),) for n in range(5)] == KeyReader([PK]).of_all(items)


@pytest.mark.parametrize("name", ['a"b', "k0", "also", "é\u2028", "\x00"])
def test_any_name_can_be_a_keys(name: str) -> None:
    item = msgspec.Raw(msgspec.json.encode({name: {"B": "AA=="}, "pk": {"S": "other"}}))

    assert ("AA==",) == KeyReader([KeyAttribute(name, "B")]).of(item)


@pytest.mark.parametrize(
    ("also", "item", "found"),
    [
        ("ttl", '{"pk":{"S":"a"},"ttl":{"N":"7"}}', b'{"N":"7"}'),
        ("ttl", '{"pk":{"S":"a"}}', b""),
        ("ttl", '{"pk":{"S":"a"},"ttl":"odd"}', b'"odd"'),
        ("pk", '{"pk":{"S":"a"}}', b'{"S":"a"}'),
    ],
)
def test_one_more_attribute_is_handed_out_as_it_is(also: str, item: str, found: bytes) -> None:
    assert found == bytes(KeyReader([PK], also).also_of(raw(item)))
