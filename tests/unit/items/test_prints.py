from __future__ import annotations

import msgspec
import pytest

from airflow_dynamo_pipeline.items.prints import Print, differing_names, shown_key


def made(text: bytes) -> Print:
    return Print(msgspec.Raw(text), ["id"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"id":{"N":"10"},"a":{"NS":["1","2"]}}', b'{"a":{"NS":["2.0","1E0"]},"id":{"N":"1E1"}}'),
        (b'{"id":{"S":"\xc3\xa9"}}', b'{"id":{"S":"\\u00e9"}}'),
        (
            b'{"id":{"S":"a"},"m":{"M":{"x":{"N":"1"},"y":{"S":""}}}}',
            b'{"m":{"M":{"y":{"S":""},"x":{"N":"1.0"}}},"id":{"S":"a"}}',
        ),
    ],
)
def test_equal_items_have_equal_prints(one: bytes, other: bytes) -> None:
    assert (made(one).key, made(one).pairs) == (made(other).key, made(other).pairs)


@pytest.mark.parametrize(
    "other",
    [
        b'{"id":{"S":"a"},"l":{"L":[{"N":"2"},{"N":"1"}]}}',
        b'{"id":{"S":"a"},"l":{"NS":["1","2"]}}',
        b'{"id":{"S":"a"},"l":{"S":"1"}}',
    ],
)
def test_another_value_has_another_print_under_the_same_key(other: bytes) -> None:
    one = made(b'{"id":{"S":"a"},"l":{"L":[{"N":"1"},{"N":"2"}]}}')

    assert one.key == made(other).key
    assert ["l"] == differing_names(one.pairs, made(other).pairs, one.names)


def test_attributes_of_either_side_are_named_in_order() -> None:
    one = made(b'{"id":{"S":"a"},"same":{"S":"s"},"gone":{"S":"x"},"changed":{"S":"x"}}')
    other = made(b'{"id":{"S":"a"},"same":{"S":"s"},"new":{"S":"x"},"changed":{"S":"y"}}')

    assert ["changed", "gone", "new"] == differing_names(one.pairs, other.pairs, {**one.names, **other.names})
    assert ["changed", "new"] == differing_names(one.pairs, other.pairs, other.names)


def test_what_is_not_typed_is_compared_by_its_text() -> None:
    assert made(b'{"id":1,"a":[1.0]}').pairs == made(b'{"a":[1.0],"id":1}').pairs
    assert made(b'{"id":1,"a":[1.0]}').pairs != made(b'{"a":[1],"id":1}').pairs


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        (b'{"id":{"N":"15E-4"}}', '{"id":{"N":"0.0015"}}'),
        (b'{"id":{"N":"-125E-1"}}', '{"id":{"N":"-12.5"}}'),
        (b'{"id":{"N":"0"}}', '{"id":{"N":"0"}}'),
        (b'{"id":{"N":"1E125"}}', '{"id":{"N":"1E125"}}'),
        (b'{"id":{"N":"1E-130"}}', '{"id":{"N":"1E-130"}}'),
        (b'{"id":7}', '{"id":7}'),
        (b"{}", "{}"),
    ],
)
def test_keys_are_shown_as_people_write_them(held: bytes, shown: str) -> None:
    assert shown == shown_key(held)
