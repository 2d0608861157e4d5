"""Where on EMR a job runs: every problem at once, and what Spark is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.errors import InvalidRequest

ROLE = "arn:aws:iam::111122223333:role/Job"
USUAL: dict[str, Any] = {"ranges": 8, "code_s3_uri": "s3://code/jobs/"}
PLACES: dict[str, dict[str, str]] = {
    "emr": {"job_flow_id": "j-1ABC"},
    "emr-serverless": {"application_id": "00f1", "execution_role_arn": ROLE},
    "emr-containers": {
        "virtual_cluster_id": "vc1",
        "execution_role_arn": ROLE,
        "release_label": "emr-7.5.0-latest",
    },
}


def settings(**given: Any) -> EmrSettings:
    return EmrSettings.from_settings({**USUAL, **given})


@pytest.mark.parametrize("service", PLACES)
def test_the_place_that_is_named_says_which_service(service: str) -> None:
    assert service == settings(**PLACES[service]).service


def test_settings_may_be_rendered_text_and_survive_json() -> None:
    made = settings(
        ranges="8", at_once="4", job_flow_id=" j-1 ", application_id="", spark_conf='{"spark.a": true}'
    )

    assert (8, 4, "j-1", None) == (made.ranges, made.at_once, made.job_flow_id, made.application_id)
    assert made == EmrSettings.from_settings(json.loads(json.dumps(made.to_json())))


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "job_flow_id, application_id, virtual_cluster_id: one of them is needed"),
        ({"job_flow_id": "j-1", "application_id": "00f1"}, "job_flow_id, application_id: are given together"),
        ({"application_id": "00f1"}, "execution_role_arn: is required with application_id"),
        ({"virtual_cluster_id": "v", "execution_role_arn": ROLE}, "release_label: is required with virtual"),
        ({"job_flow_id": "j-1", "release_label": "emr-7.5.0"}, "release_label: is for virtual_cluster_id"),
        ({"job_flow_id": "None of these"}, "job_flow_id: 'None of these' is no id"),
        ({"job_flow_id": "j-1", "ranges": 1}, "ranges: 1 is not 2 to 1,024"),
        ({"job_flow_id": "j-1", "at_once": 9}, "at_once: 9 is not 1 to 8"),
        ({"job_flow_id": "j-1", "code_s3_uri": "code"}, "code_s3_uri: 'code' is not s3://bucket/prefix"),
        ({"job_flow_id": "j-1", "log_uri": "logs"}, "log_uri: 'logs' is not s3://bucket/prefix"),
        (
            {"job_flow_id": "j-1", "dependencies": "pip"},
            "dependencies: 'pip' is not fetch, none or the s3://",
        ),
        ({"job_flow_id": "j-1", "spark_conf": {"a": 1}}, "spark_conf: 'a' does not begin with 'spark.'"),
        ({"job_flow_id": "j-1", "architecture": "x86"}, "architecture: 'x86' is not x86_64 or arm64"),
        (
            {"job_flow_id": "j-1", "python_path": "/usr/bin/python3.12", "architecture": "arm64"},
            "python_path: '/usr/bin/python3.12' is not Python 3.11, for which dependencies are fetched",
        ),
        ({"job_flow_id": "j-1", "cluster": "x"}, "cluster: is not a setting of a job on EMR"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        settings(**given)

    (problem,) = caught.value.problems
    assert str(problem).startswith(where)


def test_every_problem_is_found_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        settings(ranges="many", code_s3_uri="code", at_once=0, spark_conf="x")

    found = [problem.where for problem in caught.value.problems]
    assert {"ranges", "code_s3_uri", "at_once", "spark_conf"} < set(found)


def test_spark_has_an_executor_for_every_four_ranges_at_once() -> None:
    one, many = settings(**PLACES["emr"], at_once=4), settings(**PLACES["emr"], ranges=33)

    name = "spark.dynamicAllocation.maxExecutors"
    assert ("1", "9") == (one.conf({})[name], many.conf({})[name])


@pytest.mark.parametrize(("cores", "expected"), [("many", "9"), (2, "17"), ("2", "17"), ("0", "33")])
def test_executors_of_other_sizes_are_as_many_as_the_ranges_need(cores: object, expected: str) -> None:
    given = settings(**PLACES["emr"], ranges=33, spark_conf={"spark.executor.cores": cores})

    assert expected == given.conf({})["spark.dynamicAllocation.maxExecutors"]


def test_the_driver_of_emr_serverless_is_as_small_as_it_is_priced() -> None:
    priced, overhead = 8, 0.1  # GB; of its memory

    memory = int(settings(**PLACES["emr-serverless"]).conf({})["spark.driver.memory"].removesuffix("g"))

    assert priced - 1 < memory * (1 + overhead) <= priced
    assert "spark.driver.memory" not in settings(**PLACES["emr"]).conf({})
    larger = settings(**PLACES["emr-serverless"], spark_conf={"spark.driver.cores": 8})
    assert "spark.driver.memory" not in larger.conf({})  # which more cores need more of


@pytest.mark.parametrize(("at_once", "first", "most"), [(4, "1", "4"), (8, "2", "4"), (64, "3", "16")])
def test_emr_serverless_never_begins_with_more_executors_than_it_may_have(
    at_once: int, first: str, most: str
) -> None:
    conf = settings(**PLACES["emr-serverless"], ranges=64, at_once=at_once).conf({})

    names = ("spark.dynamicAllocation.initialExecutors", "spark.dynamicAllocation.maxExecutors")
    assert (first, most) == tuple(conf[name] for name in names)


@pytest.mark.parametrize("service", PLACES)
def test_spark_is_told_to_take_more_executors_where_by_default_it_takes_two(service: str) -> None:
    conf = settings(**PLACES[service]).conf({})

    names = ("spark.dynamicAllocation.enabled", "spark.dynamicAllocation.shuffleTracking.enabled")
    is_told = service == "emr-containers"
    assert (["true", "true"] if is_told else []) == [conf[name] for name in names if name in conf]


def test_a_machine_of_16_gb_has_memory_for_one_executor_which_emr_serverless_takes_too() -> None:
    conf = settings(**PLACES["emr"]).conf({})

    names = ("spark.executor.memory", "spark.executor.memoryOverhead")
    executor = sum(int(conf[name].removesuffix("g")) for name in names)
    of_yarn, application_master = 12, 1  # GB, on an m5.xlarge
    assert executor + application_master <= of_yarn < 2 * executor
    assert 8 <= executor <= 30  # with 4 vCPU


def test_a_person_s_spark_settings_win_over_ours() -> None:
    given = {"spark.executor.cores": 2, "spark.speculation": True}
    conf = settings(**PLACES["emr"], spark_conf=given).conf({"spark.x": "y"})

    assert ("2", "true", "y") == tuple(
        conf[name] for name in ("spark.executor.cores", "spark.speculation", "spark.x")
    )


@pytest.mark.parametrize("name", ["spark.archives", "spark.submit.pyFiles"])
def test_a_person_s_code_is_put_beside_ours(name: str) -> None:
    mine = settings(**PLACES["emr"], spark_conf={name: "s3://mine/a.zip"})

    assert "s3://ours/b.zip#deps,s3://mine/a.zip" == mine.conf({name: "s3://ours/b.zip#deps"})[name]
    assert "s3://mine/a.zip" == mine.conf({})[name]


@pytest.mark.parametrize(
    "given",
    [
        {"python_path": "/usr/bin/python3.11"},
        {"python_path": "/opt/venv/bin/python3"},
        {"python_path": "/usr/bin/python3.12", "dependencies": "s3://code/deps.zip"},
        {"python_path": "/opt/python/3.13.1/bin/python", "dependencies": "none"},
    ],
)
def test_another_python_is_taken_where_nothing_is_fetched_for_it(given: dict[str, str]) -> None:
    assert given["python_path"] == settings(**PLACES["emr"], **given).python_path


def test_the_zip_for_another_python_is_made_by_the_command_that_the_hint_names() -> None:
    with pytest.raises(InvalidRequest) as caught:
        settings(**PLACES["emr"], python_path="/opt/python/3.13.1/bin/python", architecture="arm64")

    made = "dynamo-pipeline spark-bundle --python 3.13 --platform manylinux2014_aarch64"
    assert made in str(caught.value)


@pytest.mark.parametrize("service", PLACES)
def test_python_is_named_in_the_way_of_each_service(service: str) -> None:
    named = dict(settings(**PLACES[service], python_path="/py").conf({}).items())
    usual = settings(**PLACES[service]).conf({})

    python = {name for name, value in named.items() if value == "/py"}
    serverless = "spark.emr-serverless.driverEnv.PYSPARK_PYTHON" in python
    assert (service == "emr-serverless") == serverless
    assert 2 <= len(python)
    assert (service == "emr") == ("/usr/bin/python3.11" in usual.values())
