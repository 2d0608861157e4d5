import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dynamo_pipeline import airflow_versions
from airflow_dynamo_pipeline.airflow_versions import (
    generation,
    logical_date,
    push_progress,
    task_state_store,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

IMPORT = """
import sys, warnings
import airflow
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import airflow_dynamo_pipeline.airflow_versions as module
    for name in module.__all__:
        getattr(module, name)
print([str(one.message) for one in seen if one.filename == module.__file__])
"""


class Store:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        self.values[key] = value


class Instance:
    """A task instance as far as it is asked here."""

    def __init__(self, max_tries: int = 0) -> None:
        self.max_tries = max_tries
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.xcoms[key] = value


class Broken(Instance):
    def xcom_push(self, *, key: str, value: Any) -> None:
        raise ConnectionError("the API server is away")


def context(**entries: Any) -> Any:
    return entries


def test_importing_it_warns_of_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert "[]" == done.stdout.strip().splitlines()[-1]


def test_every_name_is_there() -> None:
    assert [] == [name for name in airflow_versions.__all__ if not hasattr(airflow_versions, name)]


def test_the_logical_date_is_the_runs_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=2)))
    found = logical_date(context(logical_date=there, dag_run=None))

    assert NOON == found
    assert timedelta(0) == found.utcoffset()


@pytest.mark.parametrize("entries", [{}, {"logical_date": None}])
def test_a_run_without_a_logical_date_has_the_instant_it_may_start_from(entries: dict[str, None]) -> None:
    run = SimpleNamespace(logical_date=None, run_after=NOON, start_date=NOON + timedelta(minutes=5))

    assert NOON == logical_date(context(dag_run=run, **entries))


def test_a_retry_keeps_the_generation_and_clear_changes_it() -> None:
    first = generation(context(ti=Instance(max_tries=2)), retries=2)
    cleared_after_two_attempts = generation(context(ti=Instance(max_tries=4)), retries=2)

    assert ("0", "2") == (first, cleared_after_two_attempts)


def test_progress_goes_to_the_task_state_store_where_there_is_one() -> None:
    store, instance = Store(), Instance()

    push_progress(context(ti=instance, task_state_store=store), {"items": 5})

    assert {"progress": {"items": 5}} == store.values
    assert {} == instance.xcoms
    assert store is task_state_store(context(task_state_store=store))


def test_progress_is_an_xcom_elsewhere() -> None:
    instance = Instance()

    push_progress(context(ti=instance), {"items": 5})
    push_progress(context(ti=instance), {"items": 6})

    assert {"progress": {"items": 6}} == instance.xcoms
    assert task_state_store(context()) is None


def test_progress_that_cannot_be_stored_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, airflow_versions.__name__):
        push_progress(context(ti=Broken()), {"items": 5})

    assert "progress could not be stored: the API server is away" in caplog.text
