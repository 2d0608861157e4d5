"""A cluster as large as table and rate need."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from airflow_dynamo_pipeline.adapters.emr_cluster import emr_cluster_for, ranges_on
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.errors import InvalidRequest

TIB = 1024**4


def workers(**given: Any) -> int:
    made = emr_cluster_for(**{"name": "export", "size_bytes": TIB, "units_per_second": 40_000, **given})
    (primary, core) = made["Instances"]["InstanceGroups"]
    assert ("MASTER", 1, "CORE") == (primary["InstanceRole"], primary["InstanceCount"], core["InstanceRole"])
    count: int = core["InstanceCount"]
    return count


def test_a_higher_rate_has_more_machines() -> None:
    assert (1, 3) == (workers(units_per_second=1000), workers())


def test_a_small_table_has_one_machine_at_any_rate() -> None:
    assert 1 == workers(size_bytes=0, units_per_second=1_000_000)


def test_there_are_no_more_machines_than_a_person_allows() -> None:
    assert 2 == workers(most_instances=2)


@pytest.mark.parametrize(
    ("rate", "most", "ranges", "at_once"), [(20_000, 64, 32, 8), (1000, 64, 16, 4), (10**6, 300, 792, 264)]
)
def test_the_operator_is_told_of_as_many_ranges_at_once_as_the_machines_have_cores(
    rate: float, most: int, ranges: int, at_once: int
) -> None:
    made = emr_cluster_for(name="x", size_bytes=TIB, units_per_second=rate, most_instances=most)
    found = ranges_on(made)

    machines = made["Instances"]["InstanceGroups"][1]["InstanceCount"]
    assert 4 * machines == found["at_once"]
    assert {"ranges": ranges, "at_once": at_once} == found
    given = {"code_s3_uri": "s3://code", "job_flow_id": "j-1", **found}
    assert at_once == EmrSettings.from_settings(given).at_once


def test_a_cluster_of_other_make_is_refused_with_what_to_give_instead() -> None:
    made = emr_cluster_for(
        name="x", size_bytes=TIB, units_per_second=1, Instances={"InstanceFleets": [{"Name": "workers"}]}
    )
    with pytest.raises(InvalidRequest, match="Instances: has no instance group of the role CORE"):
        ranges_on(made)


def test_emr_is_asked_in_words_it_knows() -> None:
    made = emr_cluster_for(
        name="export",
        size_bytes=TIB,
        units_per_second=1000,
        LogUri="s3://logs/emr",
        ReleaseLabel="emr-7.9.0",
    )
    model = boto3.client("emr", region_name="us-east-1").meta.service_model.operation_model("RunJobFlow")

    assert "" == ParamValidator().validate(made, model.input_shape).generate_report()
    assert [{"Name": "Spark"}] == made["Applications"]
    assert {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"} in made["Tags"]
    assert ("s3://logs/emr", "emr-7.9.0") == (made["LogUri"], made["ReleaseLabel"])
    assert made["Instances"]["KeepJobFlowAliveWhenNoSteps"]


def test_a_cluster_that_is_forgotten_ends_by_itself() -> None:
    made = emr_cluster_for(name="export", size_bytes=0, units_per_second=1)

    assert {"IdleTimeout": 3600} == made["AutoTerminationPolicy"]


def test_every_problem_is_found_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        workers(size_bytes=-1, units_per_second=0, most_instances=0)

    assert ["size_bytes", "units_per_second", "most_instances"] == [
        problem.where for problem in caught.value.problems
    ]
