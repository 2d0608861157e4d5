import ctypes
import gc

import pytest

from airflow_dynamo_pipeline.engine.collector import (
    NEW_OBJECTS,
    give_free_memory_back,
    old_objects_set_aside,
)


def test_old_objects_are_the_collectors_again_afterwards() -> None:
    with old_objects_set_aside():
        assert gc.get_freeze_count() > 0

    assert 0 == gc.get_freeze_count()


def test_they_are_given_back_after_a_failure_too() -> None:
    with pytest.raises(ValueError, match="x"), old_objects_set_aside():
        raise ValueError("x")

    assert 0 == gc.get_freeze_count()


@pytest.mark.parametrize(("usual", "meanwhile"), [(700, NEW_OBJECTS), (50_000, 50_000)])
def test_it_runs_seldom_meanwhile_and_as_before_afterwards(usual: int, meanwhile: int) -> None:
    before = gc.get_threshold()
    gc.set_threshold(usual, 11, 12)
    try:
        with old_objects_set_aside():
            assert (meanwhile, 11, 12) == gc.get_threshold()

        assert (usual, 11, 12) == gc.get_threshold()
    finally:
        gc.set_threshold(*before)


def test_of_two_that_overlap_the_last_to_go_puts_back_what_the_first_found() -> None:
    before = gc.get_threshold()
    first, second = old_objects_set_aside(), old_objects_set_aside()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)

    assert NEW_OBJECTS == gc.get_threshold()[0]
    assert gc.get_freeze_count() > 0

    second.__exit__(None, None, None)

    assert before == gc.get_threshold()
    assert 0 == gc.get_freeze_count()


def test_free_memory_is_given_back_by_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []

    class Library:
        def malloc_trim(self, most: int) -> int:
            kept.append(most)
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    give_free_memory_back()

    assert [0] == kept


def test_a_c_library_that_cannot_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(ctypes, "CDLL", asked.append)
    give_free_memory_back()

    assert [None] == asked
