import ctypes
from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline.adapters.allocator import (
    LARGE_BYTES,
    M_ARENA_MAX,
    M_MMAP_THRESHOLD,
    keep_large_blocks_apart,
    share_one_arena,
)

ALL = pytest.mark.parametrize(
    ("tell", "wanted"),
    [(share_one_arena, (M_ARENA_MAX, 1)), (keep_large_blocks_apart, (M_MMAP_THRESHOLD, LARGE_BYTES))],
)


@ALL
def test_the_c_library_is_told(
    monkeypatch: pytest.MonkeyPatch, tell: Callable[[], None], wanted: tuple[int, int]
) -> None:
    told: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, parameter: int, value: int) -> int:
            told.append((parameter, value))
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    tell()

    assert [wanted] == told


@ALL
def test_another_c_library_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tell: Callable[[], None], wanted: tuple[int, int]
) -> None:
    asked: list[object] = []

    def no_mallopt(name: object) -> object:
        asked.append(name)
        return object()

    monkeypatch.setattr(ctypes, "CDLL", no_mallopt)
    tell()

    assert [None] == asked
