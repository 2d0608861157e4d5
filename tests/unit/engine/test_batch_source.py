from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from airflow_dynamo_pipeline.engine.batch_source import BatchSource
from airflow_dynamo_pipeline.engine.ledger import Entry
from tests.unit.engine.import_parts import Parts, some

PATIENCE = 10.0


def windows(*counts: int) -> Iterator[Sequence[Entry]]:
    parts = Parts()
    return (parts.entries(*some(count)) for count in counts)


def drained(source: BatchSource) -> list[int]:
    """The lines of all items, in the order of the batches."""
    return [entry.line for batch in iter(source.get, None) for entry in batch]


def test_every_item_of_every_window_is_handed_out_once() -> None:
    found = drained(BatchSource(windows(30, 0, 1, 0, 0, 60), lambda: False))

    assert list(range(1, 92)) == sorted(found)


def test_a_backup_without_items_is_over_at_once_and_stays_so() -> None:
    source = BatchSource(windows(0, 0), lambda: False)

    assert [None, None] == [source.get(), source.get()]


def test_no_window_is_read_after_it_is_enough_and_what_was_read_is_handed_out() -> None:
    asked: list[int] = []

    def is_enough() -> bool:
        asked.append(1)
        return len(asked) == 2

    unread = windows(30, 30, 30)
    found = drained(BatchSource(unread, is_enough))

    assert (60, 2) == (len(found), len(asked))
    assert 30 == len(next(unread))


def test_several_threads_get_each_item_once_and_all_come_to_an_end() -> None:
    source = BatchSource(windows(*[100] * 40), lambda: False)
    found: list[list[int]] = [[] for _ in range(6)]
    threads = [
        threading.Thread(target=lambda n=n: found[n].extend(drained(source)), daemon=True) for n in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert not any(thread.is_alive() for thread in threads)
    assert Counter(range(1, 4001)) == Counter(line for lines in found for line in lines)


def test_what_reading_raises_is_raised_and_nothing_is_handed_out_twice() -> None:
    def broken() -> Iterator[Sequence[Entry]]:
        yield Parts().entries(*some(1))
        raise ValueError("a damaged file")

    source = BatchSource(broken(), lambda: False)

    with pytest.raises(ValueError, match="a damaged file"):
        drained(source)
    assert source.get() is None
