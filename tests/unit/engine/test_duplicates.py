from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.engine import duplicates
from airflow_dynamo_pipeline.engine.duplicates import SeenKeys, meanings_of


def test_every_key_after_the_first_like_it_counts() -> None:
    seen = SeenKeys()
    assert not seen.add([("a", "1"), ("a", "2"), ("b", "1")])
    assert 0 == seen.duplicates()

    assert seen.add([("a", "1"), ("a", "1"), ("c", "1")])

    assert (2, 1.0) == (seen.duplicates(), seen.share)


def test_the_parts_of_a_key_are_not_run_together() -> None:
    seen = SeenKeys()

    seen.add([("a", "bc"), ("ab", "c"), ("abc", "")])

    assert 0 == seen.duplicates()


def test_beyond_a_number_of_keys_a_share_of_them_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_HASHES", 1000)
    seen = SeenKeys()

    for start in range(0, 10_000, 100):
        seen.add([(f"{n}",) for n in range(start, start + 100)] * 2)

    assert seen.share in (1 / 16, 1 / 32)
    held = sum(map(len, seen._buckets))
    assert held <= 1000
    assert held == 2 * seen.duplicates()  # each of them came twice
    assert 0.7 * 10_000 <= seen.duplicates() / seen.share <= 1.4 * 10_000


def test_a_key_may_come_again_in_another_stage() -> None:
    seen = SeenKeys()
    seen.add([("a",), ("a",)])

    seen.begin_stage()
    seen.add([("a",), ("b",)])

    assert 1 == seen.duplicates()


@pytest.mark.parametrize(
    ("tags", "left", "right", "same"),
    [
        ("N", ["1"], ["1.0"], True),
        ("N", ["100"], ["1E2"], True),
        ("N", ["-0"], ["0"], True),
        ("N", ["007"], ["7"], True),
        ("N", ["1E-130"], ["0.1E-129"], True),
        ("N", ["1"], ["-1"], False),
        ("N", ["x"], ["x"], True),
        ("S", ["1"], ["1.0"], False),
        ("SN", ["1", "1"], ["1", "1.0"], True),
        ("SN", ["1.0", "1"], ["1", "1"], False),
    ],
)
def test_numbers_that_are_equal_are_one_key(tags: str, left: list[str], right: list[str], same: bool) -> None:
    one, other = meanings_of(list(tags))([tuple(left), tuple(right)])

    assert same == (one == other)
