from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.lookup import rejects as module
from airflow_dynamo_pipeline.lookup.columns import BadRow
from airflow_dynamo_pipeline.lookup.rejects import Rejects
from tests.unit.formats.reading import read
from tests.unit.lookup.load_world import lines_of

PREFIX = "runs/r1/rejects/"


def bad(row: int, reason: str = "column 'price': NaN", *, key: str | None = '["P1"]') -> BadRow:
    return BadRow(row, reason, b'{"id":"P%d","price":"nan"}' % row, key)


def test_a_rejected_row_stands_with_its_number_and_its_reason() -> None:
    store = MemoryStore()
    rejects = Rejects(store, PREFIX, "k3x9")
    rejects.add(12, bad(1))
    rejects.write()

    assert [f"{PREFIX}00000-k3x9.jsonl"] == rejects.keys == list(store.keys(""))
    assert [
        {
            "rejected": {"file": "query", "line": 12, "reason": "column 'price': NaN"},
            "reader": "plain_json",
            "text": '{"id":"P1","price":"nan"}',
        }
    ] == lines_of(store, rejects.keys[0])


def test_the_file_is_one_that_can_be_imported_once_it_is_mended() -> None:
    store = MemoryStore()
    rejects = Rejects(store, PREFIX, "k3x9")
    rejects.add(1, bad(1))
    rejects.add(2, bad(2))
    rejects.write()

    mended = store.objects[rejects.keys[0]].body.replace(b'\\"nan\\"', b"1.50")
    found = read("rejects", mended)

    assert [
        {"id": {"S": "P1"}, "price": {"N": "1.50"}},
        {"id": {"S": "P2"}, "price": {"N": "1.50"}},
    ] == found.items


def test_the_first_reason_and_the_number_of_all_are_kept() -> None:
    rejects = Rejects(MemoryStore(), PREFIX, "k3x9")
    rejects.add(7, bad(0, "one"))
    rejects.add(9, bad(1, "two"))

    assert (2, "row 7: one") == (rejects.count, rejects.first)


def test_keys_that_are_known_are_kept_for_their_items_to_stay() -> None:
    rejects = Rejects(MemoryStore(), PREFIX, "k3x9")
    rejects.add(1, bad(1, key='["P1"]'))
    rejects.add(2, bad(2, key=None))
    rejects.add(3, bad(3, key='["é"]'))

    assert {b'["P1"]', '["é"]'.encode()} == rejects.kept


def test_no_rejected_row_leaves_no_file() -> None:
    store = MemoryStore()
    rejects = Rejects(store, PREFIX, "k3x9")
    rejects.write()

    assert ([], {}, "") == (rejects.keys, store.objects, rejects.first)


def test_many_rejected_rows_are_written_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOME_BYTES", 100)
    store = MemoryStore()
    rejects = Rejects(store, PREFIX, "k3x9")
    for row in range(10):
        rejects.add(row, bad(row))
    rejects.write()

    lines = [line["rejected"]["line"] for key in rejects.keys for line in lines_of(store, key)]
    assert list(range(10)) == lines
    assert [f"{PREFIX}0000{n}-k3x9.jsonl" for n in range(4)] == rejects.keys
