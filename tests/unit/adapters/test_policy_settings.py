from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.arns import Place
from airflow_dynamo_pipeline.adapters.policy_settings import SETTINGS, read
from airflow_dynamo_pipeline.errors import InvalidRequest

MANIFEST = "s3://b/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/manifest-summary.json"
GOOD: list[tuple[str, Any, Any]] = [
    ("table_name", "orders", "orders"),
    ("table_name", " orders ", "orders"),
    ("table_name", "orders-*", "orders-*"),
    ("table_name", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders", ...),
    ("s3_uri", "s3://backups", "s3://backups"),
    ("s3_uri", "s3a://backups/a b/c?/", ...),
    ("s3_uri", "s3://backups-*/daily/*", ...),
    ("rejects_s3_uri", "s3://records/*", "s3://records/*"),
    ("on_conflict", " newer ", "newer"),
    ("allow_protected", "true", True),
    ("manifest_uri", MANIFEST, MANIFEST),
    ("manifest_uri", MANIFEST.replace("0a1b2c3d", "*"), ...),
    ("bucket_key", "s3://b/k", ["s3://b/k"]),
    ("bucket_key", ("s3://b/k", "s3://b/l/"), ["s3://b/k", "s3://b/l/"]),
    ("wildcard_match", True, True),
    ("use_regex", "true", True),
    ("index_name", "by-shop", "by-shop"),
    ("s3_sse_kms_key_id", "1234abcd-12ab-34cd-56ef-1234567890ab", ...),
    ("s3_sse_kms_key_id", "arn:aws:kms:us-east-1:111122223333:key/mrk-1234", ...),
    ("s3_sse_kms_key_id", "alias/aws/s3", ...),
    ("s3_sse_kms_key_id", "arn:aws-cn:kms:cn-north-1:111122223333:alias/x", ...),
    ("no_on_demand_ratio", "true", True),
    ("method", " auto ", "auto"),
    ("save_table_definition", "true", True),
    ("export_arn", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/export/01-a*", ...),
    ("record_s3_uri", "s3://backups/capacity", ...),
    ("autoscaling", "true", True),
    ("no_sizing", True, True),
    ("topic_arn", "arn:aws-cn:sns:cn-north-1:111122223333:exports-*", ...),
    ("topic_kms_key_id", "alias/topics", ...),
    ("instance_role", "teams/Export_Machines", ...),
    ("job_role", "arn:aws:iam::111122223333:role/Job", ...),
    ("service_role", "EMR_DefaultRole_V2", ...),
    ("cluster_tag", "team=a=b", ...),
    ("application_id", "00f1abcd", ...),
    ("virtual_cluster_id", "vc1", ...),
    ("job", "import", ...),
    ("log_uri", "s3://logs/*", ...),
    ("code_s3_uri", "s3://code", ...),
    ("serverless", True, True),
    ("trusted_role", "arn:aws:iam::111122223333:role/worker", ...),
    ("trust", True, True),
    ("mode", " upsert ", "upsert"),
    ("generations", "true", True),
    ("kms_key_id", "alias/unloaded", ...),
    ("cluster_identifier", "analytics-*", ...),
    ("workgroup_name", "nightly", ...),
    ("database", "dev", ...),
    ("db_user", "loader", ...),
    ("secret_arn", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:redshift-*", ...),
    ("region_name", "us-gov-west-1", "us-gov-west-1"),
    ("account_id", "012345678901", "012345678901"),
    ("partition", "aws-iso-b", "aws-iso-b"),
]
BAD: list[tuple[str, Any]] = [
    ("table_name", "{{ params.table }}"),
    ("table_name", "orders/index/x"),
    ("table_name", "arn:aws:s3:::orders"),
    ("table_name", "x" * 256),
    ("s3_uri", "backups/daily"),
    ("s3_uri", "https://backups/daily"),
    ("s3_uri", "s3:///daily"),
    ("s3_uri", "s3://backups/{{ ds }}"),
    ("s3_uri", "s3://arn:aws:s3/daily"),
    ("rejects_s3_uri", "records"),
    ("on_conflict", "replace"),
    ("allow_protected", "perhaps"),
    ("manifest_uri", "s3://b/AWSDynamoDB/x/manifest-files.json"),
    ("bucket_key", ("s3://b/k", "s3://b")),
    ("bucket_key", ("s3://b/k", "k")),
    ("wildcard_match", "perhaps"),
    ("mode", "replace"),
    ("cluster_identifier", "Analytics"),
    ("secret_arn", "redshift"),
    ("index_name", "by shop"),
    ("s3_sse_kms_key_id", "arn:aws:s3:::key/k"),
    ("s3_sse_kms_key_id", "*"),
    ("method", "native"),
    ("export_arn", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"),
    ("topic_arn", "exports"),
    ("instance_role", "arn:aws:iam::111122223333:instance-profile/x"),
    ("cluster_tag", "team"),
    ("application_id", "a/b"),
    ("job", "both"),
    ("trusted_role", "worker"),
    ("region_name", "Ireland"),
    ("region_name", "*"),
    ("account_id", "1111-2222-3333"),
    ("partition", "gcp"),
]


def test_there_is_a_case_for_every_setting() -> None:
    assert set(SETTINGS) == {name for name, _, _ in GOOD}


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_what_a_person_may_mean_is_taken(name: str, value: Any, expected: Any) -> None:
    found, _ = read((), (name,), {name: value})

    assert {name: value if expected is ... else expected} == found


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_can_mean_nothing_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"{name}: .* is not ") as caught:
        read((), (name,), {name: value})

    assert 1 == len(caught.value.problems)


@pytest.mark.parametrize("name", ["table_name", "s3_uri", "bucket_key", "index_name"])
def test_a_template_is_refused_with_what_to_write_instead(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"write \* for what a template fills in"):
        read((), (name,), {name: "s3://b/{{ ds }}"})


def test_every_problem_is_said_at_once_and_in_order() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(
            (("table_name",), ("s3_uri",), ("manifest_uri", "bucket_key")),
            ("region_name",),
            {
                "s3_uri": "x",
                "tabel": "orders",
                "region_name": "x",
                "manifest_uri": MANIFEST,
                "bucket_key": "s3://b/k",
            },
        )

    assert ["tabel", "table_name", "manifest_uri, bucket_key", "s3_uri", "region_name"] == [
        problem.where for problem in caught.value.problems
    ]


@pytest.mark.parametrize("value", [None, "", "None", False, ()])
def test_what_is_empty_is_not_given(value: Any) -> None:
    names = tuple(SETTINGS)

    assert ({}, Place()) == read((), names, dict.fromkeys(names, value))
    with pytest.raises(InvalidRequest, match="table_name or s3_uri: is required"):
        read((("table_name", "s3_uri"),), (), {"table_name": value})


def test_the_place_is_read_with_the_rest() -> None:
    given = {"region_name": "cn-north-1", "account_id": "111122223333", "partition": "aws-cn"}

    _, place = read((), tuple(given), given)

    assert Place(**given) == place


@pytest.mark.parametrize(
    ("given", "partition"),
    [
        ({}, "aws"),
        ({"region_name": "eu-west-1"}, "aws"),
        ({"region_name": "cn-north-1"}, "aws-cn"),
        ({"region_name": "us-gov-west-1"}, "aws-us-gov"),
        ({"table_name": "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/orders"}, "aws-cn"),
        ({"s3_sse_kms_key_id": "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/k"}, "aws-us-gov"),
        ({"region_name": "zz-moon-1", "partition": "aws-cn"}, "aws-cn"),
    ],
)
def test_the_partition_is_that_of_an_arn_or_of_the_region(given: dict[str, str], partition: str) -> None:
    assert partition == read((), tuple(given), given)[1].partition


def test_a_partition_that_contradicts_an_arn_or_the_region_is_refused() -> None:
    given = {"region_name": "eu-west-1", "table_name": "arn:aws-cn:dynamodb:cn-north-1:1:table/orders"}

    with pytest.raises(InvalidRequest, match="table_name is of aws-cn, region_name is of aws"):
        read((), tuple(given), given)
