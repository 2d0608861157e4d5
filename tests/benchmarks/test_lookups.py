"""What the lookup benchmark runs runs, and what it says of it is so."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from tests.benchmarks import lookup_items, lookups
from tests.benchmarks.lookup_endpoint import Counts, running_lookup_endpoint
from tests.benchmarks.lookup_items import BLOCK, EVERY, KEY, KEYS_PER_BLOCK, Pages, change_of, side, typed
from tests.benchmarks.runs import ClientFailed
from tests.benchmarks.worker import WARM_UP_ITEMS, Outcome

OUTCOME = Outcome(
    items=1_000_000,
    cpu_seconds=5.0,
    wall_seconds=6.0,
    loaded_rss_bytes=50_000_000,
    peak_rss_bytes=150_000_000,
)
NIGHT = lookups.Night(
    client="lookup-table", outcome=OUTCOME, keys=167 * KEYS_PER_BLOCK, writes=0, wrong=0, requests=1
)
NIGHT = replace(NIGHT, writes=NIGHT.fewest)
RELOAD = replace(NIGHT, client=lookups.RELOAD, outcome=replace(OUTCOME, cpu_seconds=60.0))


def test_every_way_to_mirror_writes_the_changes_and_nothing_else() -> None:
    with running_lookup_endpoint() as endpoint:
        pairs = lookups.run_pairs(endpoint, keys=2 * KEYS_PER_BLOCK, reloaded=50)
        counts = endpoint.counts()

    assert list(lookups.OURS) == [night.client for night, _ in pairs]
    assert [(0, 1.0)] * 4 == [(night.wrong, night.times_fewest) for night, _ in pairs]
    assert 4 * (50 + WARM_UP_ITEMS) == counts.reloaded_items
    assert 0 < counts.read_items  # a digest file is believed after some items were read back


def test_one_product_of_a_hundred_changes_each_night() -> None:
    changes = Counter(change_of(position) for position in range(BLOCK))

    assert BLOCK // 100 == changes["insert"] + changes["update"] + changes["delete"]
    assert BLOCK // EVERY == changes["insert"] == changes["update"] == changes["delete"]


def test_what_the_table_holds_differs_from_the_rows_by_the_changes() -> None:
    items = json.loads(b"[" + Pages().text(3, 0, KEYS_PER_BLOCK) + b"]")
    table = {item[KEY]["S"]: item for item in items}
    rows = set(side(today=True).keys(3))
    first = 3 * BLOCK

    assert KEYS_PER_BLOCK == len(table) == len(rows)
    assert BLOCK // EVERY == len(rows - table.keys()) == len(table.keys() - rows)
    assert table[lookup_items.key_of(first + 1)] == typed(first + 1, today=True)
    assert table[lookup_items.key_of(first + 200)] != typed(first + 200, today=True)


@pytest.mark.parametrize(
    ("night", "passed"),
    [
        (NIGHT, [True, True, True]),
        (replace(NIGHT, outcome=replace(OUTCOME, cpu_seconds=6.1)), [False, True, True]),
        (replace(NIGHT, outcome=replace(OUTCOME, peak_rss_bytes=200_000_000)), [True, False, True]),
        (replace(NIGHT, writes=NIGHT.fewest * 102 // 100), [True, True, False]),
        (replace(NIGHT, writes=NIGHT.fewest - 1), [True, True, False]),
        (replace(NIGHT, wrong=1), [True, True, False]),
    ],
)
def test_a_night_is_held_to_its_limits(night: lookups.Night, passed: list[bool]) -> None:
    assert passed == [verdict.passed for verdict in lookups.report([(night, RELOAD)]).verdicts]


@pytest.mark.parametrize(
    ("client", "items", "reloaded"),
    [("lookup-table", 5, 0), ("lookup-table", KEYS_PER_BLOCK, 1), (lookups.RELOAD, 100, 100)],
)
def test_a_client_that_took_other_rows_is_refused(client: str, items: int, reloaded: int) -> None:
    outcome = replace(OUTCOME, items=items)

    with pytest.raises(ClientFailed, match="rows"):
        lookups.checked(client, 100, outcome, Counts(), Counts(reloaded_items=reloaded))


def test_a_client_that_took_its_rows_is_not_refused() -> None:
    night = lookups.checked(
        "lookup-table", 100, replace(OUTCOME, items=KEYS_PER_BLOCK), Counts(), Counts(writes=60)
    )
    reload = lookups.checked(
        lookups.RELOAD, 100, replace(OUTCOME, items=100), Counts(), Counts(reloaded_items=300)
    )

    assert (KEYS_PER_BLOCK, 60, 100) == (night.keys, night.writes, reload.keys)
