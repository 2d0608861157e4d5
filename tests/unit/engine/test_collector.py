import gc

import pytest

from airflow_dynamo_pipeline.engine.collector import old_objects_set_aside


def test_old_objects_are_the_collectors_again_afterwards() -> None:
    with old_objects_set_aside():
        assert gc.get_freeze_count() > 0

    assert 0 == gc.get_freeze_count()


def test_they_are_given_back_after_a_failure_too() -> None:
    with pytest.raises(ValueError, match="x"), old_objects_set_aside():
        raise ValueError("x")

    assert 0 == gc.get_freeze_count()
