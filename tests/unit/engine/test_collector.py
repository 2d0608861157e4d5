import gc

import pytest

from airflow_dynamo_pipeline.engine.collector import NEW_OBJECTS, old_objects_set_aside


def test_old_objects_are_the_collectors_again_afterwards() -> None:
    with old_objects_set_aside():
        assert gc.get_freeze_count() > 0

    assert 0 == gc.get_freeze_count()


def test_they_are_given_back_after_a_failure_too() -> None:
    with pytest.raises(ValueError, match="x"), old_objects_set_aside():
        raise ValueError("x")

    assert 0 == gc.get_freeze_count()


def test_it_runs_seldom_meanwhile_and_as_before_afterwards() -> None:
    before = gc.get_threshold()

    with old_objects_set_aside():
        assert NEW_OBJECTS == gc.get_threshold()[0] > before[0]

    assert before == gc.get_threshold()
