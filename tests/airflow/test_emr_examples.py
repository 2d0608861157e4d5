"""What the example DAGs for EMR say, which no test on this machine can run."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.emr_cluster import emr_cluster_for
from airflow_dynamo_pipeline.adapters.emr_settings import COERCIONS, EmrSettings
from tests.airflow.test_example_dags import dag_bag

FOLDER = "{{ params.s3_uri }}/{{ ts_nodash }}"


@pytest.fixture(scope="module")
def dags() -> Any:
    return dag_bag().dags


def test_a_cluster_is_made_before_the_export_and_ended_whatever_becomes_of_it(dags: Any) -> None:
    dag = dags["emr_cluster"]
    create, end = dag.get_task("create"), dag.get_task("end")

    assert (True, True) == (create.is_setup, end.is_teardown)
    assert {"create", "export"} == set(end.upstream_task_ids)
    assert {"create", "size"} == set(dag.get_task("export").upstream_task_ids)
    assert emr_cluster_for(name="x", size_bytes=0, units_per_second=1)["Instances"][
        "KeepJobFlowAliveWhenNoSteps"
    ]


def test_as_many_ranges_are_read_at_once_as_the_cluster_has_cores(
    dags: Any, aws_default: None, table: str
) -> None:
    size, export = dags["emr_cluster"].get_task("size"), dags["emr_cluster"].get_task("export")
    made = size.python_callable(table, "20000")

    machines = made["cluster"]["Instances"]["InstanceGroups"][1]["InstanceCount"]
    assert size.multiple_outputs
    assert (4 * machines, 16 * machines) == (made[export.at_once.key], made[export.ranges.key])


@pytest.mark.parametrize(
    ("dag", "task"), [("emr_export", "export"), ("emr_serverless", "export"), ("emr_serverless", "load")]
)
def test_the_settings_of_a_job_are_accepted(dags: Any, dag: str, task: str) -> None:
    operator = dags[dag].get_task(task)
    given = {name: getattr(operator, name) for name in COERCIONS}
    rendered = {
        name: "x1" if isinstance(value, str) and "{{" in value else value for name, value in given.items()
    }

    assert operator.ranges == EmrSettings.from_settings(rendered).ranges


@pytest.mark.parametrize(
    ("task", "tool", "places"),
    [
        (
            "their_export",
            "DynamoDBExport",
            [FOLDER, "{{ params.table_name }}"],
        ),
        ("their_import", "DynamoDBImport", [None, "{{ params.target }}"]),
    ],
)
def test_aws_own_tool_is_run_by_its_class_with_path_table_and_ratio(
    dags: Any, task: str, tool: str, places: list[str | None]
) -> None:
    (step,) = dags["emr_dynamodb_tools"].get_task(task).steps
    jar = step["HadoopJarStep"]

    assert f"org.apache.hadoop.dynamodb.tools.{tool}" == jar["MainClass"]
    path, table, ratio = jar["Args"]
    assert (places[1], "{{ params.ratio }}") == (table, ratio)
    assert path == places[0] or "our_export" in path


def test_the_tool_reads_what_this_package_writes_and_the_other_way_round(dags: Any) -> None:
    dag = dags["emr_dynamodb_tools"]
    (theirs,) = dag.get_task("their_export").steps

    assert "data_pipeline" == dag.get_task("our_export").file_format
    assert theirs["HadoopJarStep"]["Args"][0] == dag.get_task("our_import").s3_uri
