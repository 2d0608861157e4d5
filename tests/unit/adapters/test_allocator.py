import ctypes

import pytest

from airflow_dynamo_pipeline.adapters.allocator import M_ARENA_MAX, share_one_arena


def test_the_c_library_is_told_to_use_one_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, parameter: int, value: int) -> int:
            told.append((parameter, value))
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    share_one_arena()

    assert [(M_ARENA_MAX, 1)] == told


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def no_mallopt(name: object) -> object:
        asked.append(name)
        return object()

    monkeypatch.setattr(ctypes, "CDLL", no_mallopt)
    share_one_arena()

    assert [None] == asked
