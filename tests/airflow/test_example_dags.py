"""The example DAGs load, can be triggered by a person who reads no code, and run in a real Airflow."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.demo.airflow_env import EXAMPLE_DAGS, airflow_environment
from tests.demo.result import exported
from tests.demo.runs import AirflowFailed, airflow, run_airflow
from tests.demo.table import BUCKET, READY_KEY, TABLE, prepare
from tests.services import Services, running_services
from tests.services.process import free_port

ITEMS = 1000
CONF = {
    "table_name": TABLE,
    "s3_uri": f"s3://{BUCKET}/{TABLE}",
    "ready_uri": f"s3://{BUCKET}/{READY_KEY}",
    "ratio": 1.0,
}
Home = tuple[Services, dict[str, str], Path]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Services of its own, with a table called orders, and an Airflow of its own."""
    with running_services() as services, tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        env = airflow_environment(path, services, free_port())
        with airflow(["db", "migrate"], env, path / "migrate.log") as migration:
            prepare(services, ITEMS)
            assert 0 == migration.wait(), (path / "migrate.log").read_text()
        yield services, env, path


def dag_bag() -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 2 and 3.0
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    return DagBag(str(EXAMPLE_DAGS))  # the environment switches Airflow's own examples off


def test_every_example_dag_loads_explains_itself_and_describes_its_params() -> None:
    bag = dag_bag()

    assert {} == bag.import_errors
    assert {"export_table"} <= set(bag.dags)
    for dag in bag.dags.values():
        assert dag.doc_md
        for name in dag.params:
            assert dag.params.get_param(name).description, f"{dag.dag_id}: {name}"


def test_the_example_dag_exports_the_table_in_a_real_airflow(home: Home) -> None:
    services, env, path = home

    run_airflow(
        ["dags", "test", "export_table", "--conf", json.dumps(CONF)], env, path / "run.log", lambda _: None
    )

    figures = exported(services, ITEMS)
    log = (path / "run.log").read_text()
    assert figures["equal"]
    assert f"{ITEMS:,} items in 1 files equal their manifest" in log
    assert "progress could not be stored" not in log
    assert "table orders is provisioned and ACTIVE" in log
    assert "point-in-time recovery of table orders is ENABLED" in log


def test_a_missing_table_fails_the_run_at_once_and_says_why(home: Home) -> None:
    _, env, path = home
    conf = json.dumps({**CONF, "table_name": "no-such-table"})

    with pytest.raises(AirflowFailed):
        run_airflow(["dags", "test", "export_table", "--conf", conf], env, path / "fail.log", lambda _: None)

    assert "no such table: no-such-table" in (path / "fail.log").read_text()
