"""What a person reads before an import is what would be done, and what is approved is what is imported."""

import runpy
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from airflow_dynamo_pipeline.airflow_versions import BaseOperator
from tests.airflow.test_example_dags import dag_bag
from tests.demo.airflow_env import EXAMPLE_DAGS

EXAMPLE = "import_with_approval"
DAG = dag_bag().dags.get(EXAMPLE)
pytestmark = pytest.mark.skipif(DAG is None, reason="ApprovalOperator came with Airflow 3.1")
LOOKED: dict[str, Any] = {
    "read": 12_000,
    "written": 11_998,
    "rejected": 2,
    "units_per_second_asked": 250.0,
    "backup_id": "0123456789abcdef",
    "plan": {
        "write_units": 12_000,
        "write_units_at_most": 24_000,
        "dollars_at_most": 0.02,
        "billing": "on-demand",
        "prices": "list prices",
    },
}
PARAMS = {"table_name": "orders", "s3_uri": "s3://b/daily", "on_conflict": "overwrite", "max_rejected": 2}


def rendered(template: str, **asked: Any) -> str:
    instance = SimpleNamespace(xcom_pull=lambda task_ids: {"look": LOOKED}[task_ids])
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    return environment.from_string(template).render(ti=instance, params={**PARAMS, **asked})


def body(**asked: Any) -> str:
    assert DAG is not None
    return rendered(DAG.get_task("approve").body, **asked)


def test_the_question_has_the_figures_of_the_look() -> None:
    lines = body().splitlines()

    assert "| Items in the backup | 12,000 |" in lines
    assert "| Items to write | 11,998 |" in lines
    assert "| Items rejected | 2; max_rejected is 2 |" in lines
    assert "| Write units | 12,000; with global indexes at most 24,000 |" in lines
    assert lines[-1].startswith("Nothing was written yet.")


@pytest.mark.parametrize("on_conflict", ["skip", "fail"])
def test_items_to_write_are_the_most_where_the_table_decides(on_conflict: str) -> None:
    assert "| Items to write | at most 11,998 |" in body(on_conflict=on_conflict).splitlines()


def test_the_question_says_that_an_import_with_too_many_rejected_items_would_fail() -> None:
    fails = "**Reject this: the import would fail**"

    assert (True, False) == (fails in body(max_rejected=1), fails in body(max_rejected=2))
    assert "| Items rejected | 2; max_rejected is 1 |" in body(max_rejected=1)


def test_the_table_of_the_question_is_in_one_piece() -> None:
    for text in (body(), body(max_rejected=0)):
        table, _, rest = text.strip().partition("\n\n")
        assert [] == [
            line for line in table.splitlines() if not line.startswith("| ") and line != "|---|---|"
        ]
        assert "|" not in rest


def test_the_import_expects_the_backup_that_was_looked_at() -> None:
    assert DAG is not None

    assert LOOKED["backup_id"] == rendered(DAG.get_task("restore").expected_backup_id)
    assert DAG.get_task("look").expected_backup_id is None


def test_the_example_loads_with_the_operator_as_airflow_3_1_came_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Approval(BaseOperator):
        """The arguments of the standard provider 1.9.0 that the example gives; all others are refused."""

        def __init__(self, *, subject: str, body: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    monkeypatch.setattr("airflow.providers.standard.operators.hitl.ApprovalOperator", Approval)

    found = runpy.run_path(str(EXAMPLE_DAGS / f"{EXAMPLE}.py"))["dag"]

    assert {"look", "approve", "restore"} == set(found.task_ids)
    assert isinstance(found.get_task("approve"), Approval)
