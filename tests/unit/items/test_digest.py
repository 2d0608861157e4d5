from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from airflow_dynamo_pipeline.items.digest import SHARES, Digest, Sieve

ITEMS = [msgspec.Raw(b'{"pk":{"S":"k%d"},"n":{"N":"%d"},"a":{"S":"x"}}' % (n, n)) for n in range(500)]
KEYS = [["pk"], ["pk", "n"], ["n"]]


def digest(items: list[msgspec.Raw], key: list[str]) -> Digest:
    made = Digest(key)
    made.add(items)
    return made


@pytest.mark.parametrize("key", KEYS)
def test_the_order_of_items_and_their_portions_do_not_count(key: list[str]) -> None:
    one, other = digest(ITEMS, key), digest(ITEMS[::-2], key)
    other.merge(digest(ITEMS[::2], key))

    assert (500, 500) == (one.count, other.count)
    assert frozenset() == one.differing(other)


def test_the_order_of_attributes_does_not_count() -> None:
    one = digest([msgspec.Raw(b'{"pk":{"S":"k"},"a":{"N":"1"}}')], ["pk"])
    other = digest([msgspec.Raw(b'{"a":{"N":"1"},"pk":{"S":"k"}}')], ["pk"])

    assert frozenset() == one.differing(other)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "changed",
    [
        b'{"pk":{"S":"k7"},"n":{"N":"7"},"a":{"S":"y"}}',
        b'{"pk":{"S":"k7"},"n":{"N":"7"},"a":{"B":"x"}}',
        b'{"pk":{"S":"k7"},"n":{"N":"7"},"b":{"S":"x"}}',
        b'{"pk":{"S":"k7"},"n":{"N":"7"}}',
        b'{"pk":{"S":"k7"},"n":{"N":"7"},"a":{"S":"x"},"b":{"NULL":true}}',
        b'{"pk":{"S":"7"},"n":{"N":"k7"},"a":{"S":"x"}}',
    ],
)
def test_any_change_of_an_item_is_seen_in_its_share(key: list[str], changed: bytes) -> None:
    whole = digest(ITEMS, key)
    other = digest([*ITEMS[:7], msgspec.Raw(changed), *ITEMS[8:]], key)

    differing = whole.differing(other)
    assert differing
    assert ITEMS[7] in Sieve(key, differing).sift(ITEMS)


def test_values_that_exchanged_their_names_are_seen() -> None:
    one = digest([msgspec.Raw(b'{"pk":{"S":"k"},"a":{"N":"1"},"b":{"N":"2"}}')], ["pk"])
    other = digest([msgspec.Raw(b'{"pk":{"S":"k"},"a":{"N":"2"},"b":{"N":"1"}}')], ["pk"])

    assert 1 == len(one.differing(other))


@pytest.mark.parametrize("more", [1, 2])
def test_an_item_that_came_more_often_is_seen(more: int) -> None:
    assert 1 == len(digest(ITEMS, ["pk"]).differing(digest([*ITEMS, *ITEMS[:1] * more], ["pk"])))


def test_a_sieve_lets_through_only_the_shares_asked_for() -> None:
    sieved = [Sieve(["pk"], frozenset([share])).sift(ITEMS) for share in range(SHARES)]

    assert len(ITEMS) == sum(map(len, sieved))
    assert len(ITEMS) == len(Sieve(["pk"], frozenset(range(SHARES))).sift(ITEMS))
    assert [] == Sieve(["pk"], frozenset()).sift(ITEMS)


def test_items_are_spread_over_the_shares() -> None:
    sieved = [len(Sieve(["pk"], frozenset([share])).sift(ITEMS)) for share in range(0, SHARES, 8)]

    assert 10 > max(sieved)
    assert 20 < sum(sieved) < 120


def test_items_without_the_key_and_of_many_shapes_are_counted() -> None:
    odd = [msgspec.Raw(b'{"a%d":{"N":"%d"},"b%d":{"L":[]}}' % (n % 90, n, n % 70)) for n in range(5000)]
    one, other = digest(odd, ["pk"]), digest(odd[::-1], ["pk"])

    assert 5000 == one.count
    assert frozenset() == one.differing(other)
    assert digest(odd[1:], ["pk"]).differing(other)


def test_predictable_hashes_change_nothing() -> None:
    code = (
        "from airflow_dynamo_pipeline.items.digest import Digest\n"
        "one, other = Digest(['id']), Digest(['id'])\n"
        'one.add([b\'{"id":{"N":"1"}}\'])\n'
        'other.add([b\'{"id":{"N":"1"},"a":{"S":""}}\'])\n'
        "print(len(one.differing(other)), len(one.differing(one)))\n"
    )
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert "1 0\n" == done.stdout
