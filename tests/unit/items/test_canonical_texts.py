"""Many items in canonical form at once."""

import msgspec
import pytest

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.canonical import canonical
from airflow_dynamo_pipeline.items.canonical_texts import KeyedTexts, canonical_texts

ODD = {
    "an order of attributes": b'{"b":{"S":"x"},"a":{"S":"y"}}',
    "an escape that is not needed": rb'{"a":{"S":"\u00e9"}}',
    "an escaped slash": rb'{"a":{"S":"\/"}}',
    "white space": b'{"a": {"S": "x"} }',
    "white space inside a value": b'{"a":{"L":[{"S":"x"}, {"S": "y"}]}}',
    "a newline inside a value": b'{"a":{"L":[\n{"S":"x"}]}}',
    "zeros at the end": b'{"a":{"N":"1.50"}}',
    "zeros at the front": b'{"a":{"N":"01"}}',
    "a point and nothing": b'{"a":{"N":"1."}}',
    "an exponent": b'{"a":{"N":"1E2"}}',
    "a plus": b'{"a":{"N":"+1"}}',
    "minus zero": b'{"a":{"N":"-0"}}',
    "zero with a fraction": b'{"a":{"N":"0.0"}}',
    "a number in a list": b'{"a":{"L":[{"N":"1"},{"N":"2.0"}]}}',
    "a set of strings": b'{"a":{"SS":["y","x"]}}',
    "a set of numbers": b'{"a":{"NS":["2","1.0"]}}',
    "a set of binaries": b'{"a":{"BS":["Yg==","YQ=="]}}',
    "a map": b'{"a":{"M":{"z":{"S":"1"},"y":{"N":"1.0"}}}}',
    "text that looks like a number": rb'{"a":{"S":"\"N\":\"1.0\""}}',
}
PLAIN = (b'{"id":{"S":"1"},"n":{"N":"-12.05"},"z":{"N":"0"}}', b'{"id":{"S":"2"},"n":{"N":"0.5"}}')


@pytest.mark.parametrize("item", ODD.values(), ids=ODD.keys())
def test_an_item_becomes_what_canonical_makes_of_it(item: bytes) -> None:
    assert [PLAIN[0], canonical(item), PLAIN[1]] == canonical_texts(
        [PLAIN[0], msgspec.Raw(item), msgspec.Raw(PLAIN[1])]
    )


def test_no_items_are_no_texts() -> None:
    assert [] == canonical_texts([])


def test_what_is_no_item_is_refused() -> None:
    with pytest.raises(UnexpectedReply):
        canonical_texts([*PLAIN, b"[1]"])


KEY = (KeyAttribute("id", "S"), KeyAttribute("n", "N"))
WITH_A_LIST = b'{"n":{"N":"7"},"id":{"S":"3"},"z":{"L":[]}}'


@pytest.mark.parametrize("more", [[], [WITH_A_LIST]], ids=["plain", "with a list"])
@pytest.mark.parametrize("parts", [1, 2])
def test_keys_come_with_the_texts(more: list[bytes], parts: int) -> None:
    items = [*PLAIN, *more]
    keys = [("1", "-12.05"), ("2", "0.5"), ("3", "7")][: len(items)]

    assert ([key[:parts] for key in keys], canonical_texts(items)) == KeyedTexts(KEY[:parts]).of(items)


@pytest.mark.parametrize(
    "item",
    [
        b'{"n":{"N":"1"}}',
        b'{"id":{"S":""},"n":{"N":"1"}}',
        b'{"id":{"N":"1"},"n":{"N":"1"}}',
        b'{"id":{"S":"1"}}',
    ],
    ids=["no key", "an empty key", "a key of another type", "no sort key"],
)
def test_an_item_without_its_key_is_refused(item: bytes) -> None:
    with pytest.raises(UnexpectedReply):
        KeyedTexts(KEY).of([*PLAIN, item])
