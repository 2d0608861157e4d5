from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.items.shapes import MOST_NAMES, Shapes

NAMES = [
    "pk",
    "sk",
    "é",
    "a b",
    'q"',
    "back\\slash",
    "\n",
    "S",
    "Item",
    "f0",
    "k0",
    "k1",
    "class",
    "\u2028",
    "😀",
]


def text(attributes: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(attributes, separators=(",", ":"), ensure_ascii=False).encode())


def an_item(number: int, names: list[str]) -> msgspec.Raw:
    return text({name: {"S": f"{name}{number}"} for name in names})


def hashed(shapes: Shapes, items: list[msgspec.Raw]) -> list[tuple[int, int]]:
    return list(shapes.hashed(items))


@pytest.mark.parametrize("key", [["pk"], ["pk", "sk"], ["sk", "pk"]])
@pytest.mark.parametrize("name", NAMES)
def test_an_item_has_the_same_hashes_however_much_was_learned(key: list[str], name: str) -> None:
    first = [an_item(n, ["pk", "sk", "x", "y"]) for n in range(3)]
    other = [an_item(n, ["y", "sk", name, "pk"]) for n in range(3)]
    learned = Shapes(key)
    hashed(learned, first)
    again = hashed(learned, [*first, *other])

    assert hashed(Shapes(key), [*first, *other]) == again
    assert again == hashed(learned, [*first, *other])


@pytest.mark.parametrize("key", [["pk"], ["pk", "sk"]])
def test_items_of_many_shapes_have_the_same_hashes_as_alone(key: list[str]) -> None:
    items = [an_item(n, ["pk", "sk", *(f"a{m}" for m in range(n % (2 * MOST_NAMES)))]) for n in range(500)]
    learned = Shapes(key)
    found = [one for start in range(0, 500, 7) for one in hashed(learned, items[start : start + 7])]

    assert [one for item in items for one in hashed(Shapes(key), [item])] == found
    assert 500 == len(set(found))


@pytest.mark.parametrize("key", [["pk"], ["pk", "sk"]])
def test_items_that_lack_a_key_have_hashes_too(key: list[str]) -> None:
    items = [an_item(1, ["pk", "sk"]), an_item(1, ["sk"]), an_item(1, ["x"]), text({})]
    learned = Shapes(key)
    before = hashed(learned, items)

    assert before == hashed(learned, items)
    assert 4 == len({item for _, item in before})


def test_nothing_is_no_item() -> None:
    assert [] == hashed(Shapes(["pk"]), [])


@pytest.mark.parametrize("odd", [b"[]", b"7", b'{"pk":', b"null"])
def test_what_is_no_object_is_refused_before_and_after_learning(odd: bytes) -> None:
    shapes = Shapes(["pk"])
    for _ in range(2):
        with pytest.raises(msgspec.DecodeError):
            hashed(shapes, [msgspec.Raw(odd)])
        hashed(shapes, [an_item(1, ["pk"])])
