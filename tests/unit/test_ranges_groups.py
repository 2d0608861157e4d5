"""What the task groups of shared-out exports and imports are made of, as Airflow holds them."""

import json
from collections.abc import Callable
from typing import Any

import pendulum
import pytest

from airflow_dynamo_pipeline.airflow_versions import Asset, TaskGroup
from airflow_dynamo_pipeline.dags.ranges import RangesGroup, export_task_group, import_task_group
from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.operators.ranges import (
    DynamoDBExportRangeOperator,
    DynamoDBImportRangeOperator,
)

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # before Airflow 3.2
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization  # type: ignore[assignment, attr-defined]

Make = Callable[..., RangesGroup]
GIVEN: dict[str, Any] = {"table_name": "orders", "s3_uri": "s3://backups/orders"}
KINDS = [export_task_group, import_task_group]


def new_dag(**settings: Any) -> Any:
    return DAG("shared_out", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), **settings)


def tasks_of(make: Make, default_args: dict[str, Any] | None = None, **settings: Any) -> tuple[Any, Any, Any]:
    """Plan, range and commit of a group called ``all``."""
    with new_dag(default_args=default_args or {}) as dag:
        make("all", **{"ranges": 3, **GIVEN, **settings})
    plan, each, commit = (dag.get_task(f"all.{name}") for name in ("plan", "range", "commit"))
    return plan, each, commit


@pytest.mark.parametrize("make", KINDS)
def test_the_plan_comes_before_its_ranges_and_the_commit_after_them(make: Make) -> None:
    plan, each, commit = tasks_of(make)

    assert set() == plan.upstream_task_ids
    assert {"all.plan"} == each.upstream_task_ids
    assert {"all.plan", "all.range"} == commit.upstream_task_ids
    assert "range {{ task.work['number'] }} of {{ task.work['ranges'] }}" == each.map_index_template


@pytest.mark.parametrize("make", KINDS)
def test_no_more_ranges_run_than_share_the_rate(make: Make) -> None:
    plan, each, _ = tasks_of(make, at_once=2)
    unlimited, all_at_once, _ = tasks_of(make)

    assert (2, 2) == (plan.at_once, each.max_active_tis_per_dagrun)
    assert (None, None) == (unlimited.at_once, all_at_once.max_active_tis_per_dagrun)


@pytest.mark.parametrize("make", KINDS)
def test_what_is_given_to_the_group_or_the_dag_is_given_to_all_three_tasks(make: Make) -> None:
    by_group = tasks_of(make, retries=5, pool="shared", ratio=0.5)
    by_dag = tasks_of(make, default_args={"retries": 5, "pool": "shared"})

    for task in (*by_group, *by_dag):
        assert (5, "shared") == (task.retries, task.pool)
    plan, each, commit = by_group
    assert [0.5, 0.5, 0.5] == [plan.ratio, each.partial_kwargs["ratio"], commit.ratio]


@pytest.mark.parametrize("make", KINDS)
def test_the_whole_is_announced_once_and_waited_for_by_the_plan(make: Make) -> None:
    plan, each, commit = tasks_of(
        make, outlets=[Asset("s3://backups/orders")], trigger_rule="none_failed", on_success_callback=print
    )

    assert [0, 0, 1] == [len(task.outlets) for task in (plan, each, commit)]
    assert ["none_failed", "all_success", "all_success"] == [
        str(getattr(task.trigger_rule, "value", task.trigger_rule)) for task in (plan, each, commit)
    ]
    assert commit.on_success_callback
    assert not plan.on_success_callback
    assert not each.partial_kwargs.get("on_success_callback")


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"ranges": 1}, "ranges: 1 is not 2 to 1,024"),
        ({"ranges": 1025}, "ranges: 1,025 is not 2 to 1,024"),
        ({"ranges": "{{ params.ranges }}"}, "is not a number"),
        ({"ranges": 3, "at_once": 4}, "at_once: 4 is not 1 to 3, the number of ranges"),
        ({"ranges": 3, "at_once": 0}, "at_once: 0 is not 1 to 3"),
    ],
)
def test_numbers_that_cannot_be_keep_the_dag_from_loading(
    make: Make, numbers: dict[str, Any], words: str
) -> None:
    with new_dag(), pytest.raises(InvalidRequest, match=words):
        make(**GIVEN, **numbers)


@pytest.mark.parametrize(("make", "name"), [(export_task_group, "method"), (import_task_group, "dry_run")])
def test_a_setting_that_ranges_do_not_have_keeps_the_dag_from_loading(make: Make, name: str) -> None:
    with new_dag(), pytest.raises(InvalidRequest, match=f"{name}: is"):
        make(ranges=3, **GIVEN, **{name: "auto"})


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("at_once", [None, 2])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_active_tis_per_dagrun": 2}, "max_active_tis_per_dagrun: is set by at_once: give that"),
        ({"task_id": "nightly"}, "task_id: .* give group_id"),
        ({"work": {}}, "work: is what the plan"),
        ({"do_xcom_push": False}, "do_xcom_push: is False, but the ranges are an XCom of the plan"),
    ],
)
def test_what_the_group_decides_itself_keeps_the_dag_from_loading(
    make: Make, at_once: int | None, given: dict[str, Any], words: str
) -> None:
    with new_dag(), pytest.raises(InvalidRequest, match=words):
        make(ranges=3, at_once=at_once, **GIVEN, **given)


@pytest.mark.parametrize("make", KINDS)
def test_all_that_is_wrong_with_what_a_group_is_given_is_said_at_once(make: Make) -> None:
    with new_dag(), pytest.raises(InvalidRequest) as caught:
        make(ranges=1, **GIVEN, task_id="nightly", max_active_tis_per_dagrun=2)

    assert ["ranges", "max_active_tis_per_dagrun", "task_id"] == [one.where for one in caught.value.problems]


@pytest.mark.parametrize("make", KINDS)
def test_the_mapped_tasks_alone_may_be_called_something_else(make: Make) -> None:
    plan, each, commit = tasks_of(make, map_index_template="{{ task.work['number'] }}")

    assert "{{ task.work['number'] }}" == each.map_index_template
    assert (None, None) == (plan.map_index_template, commit.map_index_template)


@pytest.mark.parametrize("make", KINDS)
def test_what_default_args_give_is_every_tasks(make: Make) -> None:
    plan, each, commit = tasks_of(
        make, default_args={"on_success_callback": print, "outlets": [Asset("s3://backups/orders")]}
    )

    for callback in (
        plan.on_success_callback,
        each.partial_kwargs["on_success_callback"],
        commit.on_success_callback,
    ):
        assert print in (callback if isinstance(callback, list) else [callback])
    assert [1, 1, 1] == [len(task.outlets) for task in (plan, each, commit)]


OF_ONE_TASK = {"method": "auto", "finish_within_seconds": 3600}


def test_settings_in_default_args_that_ranges_do_not_have_are_passed_over() -> None:
    plan, _, commit = tasks_of(export_task_group, default_args=OF_ONE_TASK)
    each = DynamoDBExportRangeOperator(task_id="range", work={}, default_args=OF_ONE_TASK, **GIVEN)

    for task in (plan, each, commit):
        assert ("scan", None) == (task.method, task.finish_within_seconds)


@pytest.mark.parametrize("dry_run", [True, "yes", "{{ params.rehearse }}"])
def test_a_dry_run_in_default_args_keeps_the_dag_from_loading_and_never_writes(dry_run: object) -> None:
    with (
        new_dag(default_args={"dry_run": dry_run}),
        pytest.raises(InvalidRequest, match=r"dry_run: .* is in default_args, but for one task"),
    ):
        import_task_group(ranges=3, **GIVEN)
    with pytest.raises(InvalidRequest, match=r"dry_run: .* is in default_args"):
        DynamoDBImportRangeOperator(task_id="range", work={}, default_args={"dry_run": dry_run}, **GIVEN)


@pytest.mark.parametrize("dry_run", [False, "false", None, ""])
def test_default_args_may_say_that_nothing_is_a_dry_run(dry_run: object) -> None:
    plan, _, commit = tasks_of(import_task_group, default_args={"dry_run": dry_run})

    assert (dry_run, dry_run) == (plan.is_dry_run, commit.is_dry_run)


@pytest.mark.parametrize("make", KINDS)
def test_ranges_are_an_xcom_whatever_default_args_say(make: Make) -> None:
    silent = {"do_xcom_push": False}
    with new_dag(default_args=silent), pytest.raises(InvalidRequest, match="against default_args give True"):
        make(ranges=3, **GIVEN)

    plan, _, commit = tasks_of(make, default_args=silent, do_xcom_push=True)

    assert plan.do_xcom_push
    assert commit.do_xcom_push


def serialized(make: Make) -> str:
    with new_dag() as dag:
        make(ranges=1024, at_once=2, retries=3, **GIVEN)
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True)


@pytest.mark.parametrize("make", KINDS)
def test_a_dag_with_a_group_is_the_same_each_time_it_is_loaded_and_survives_the_way_to_the_scheduler(
    make: Make,
) -> None:
    text = serialized(make)

    there: Any = DagSerialization.from_dict(json.loads(text))

    assert text == serialized(make)
    (group,) = there.task_group.children.values()
    each = there.get_task(f"{group.group_id}.range")
    assert {f"{group.group_id}.{name}" for name in ("plan", "range", "commit")} == set(there.task_dict)
    assert (3, 2) == (each.retries, each.max_active_tis_per_dagrun)
    assert each.operator_extra_links


@pytest.mark.parametrize("make", KINDS)
def test_what_the_commit_returns_is_the_groups_output_also_within_another_group(make: Make) -> None:
    with new_dag(), TaskGroup(group_id="nightly"):
        group = make("all", ranges=2, **GIVEN)

    output: Any = group.output
    assert "nightly.all.commit" == output.operator.task_id
