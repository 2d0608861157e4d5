"""The simulator judges as IAM does, answers as AWS does, and lets nothing pass that it does not know."""

from __future__ import annotations

import contextlib
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from tests.integration.policy_calls import CALLS, needs_of
from tests.integration.policy_cases import TABLE_CASES, Case
from tests.integration.policy_cases_emr import EMR_CASES
from tests.integration.policy_cases_redshift import REDSHIFT_CASES
from tests.integration.policy_needs import KEY_OF_ALIASES, KmsKeys, Need, UnknownCall
from tests.integration.policy_simulator import Policy, Simulator, denial, matches, without
from tests.services import Services

BUCKET = "arn:aws:s3:::backups"
OBJECT = f"{BUCKET}/orders/part"
TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/k"
PUT: dict[str, Any] = {"Bucket": "backups", "Key": "orders/part"}
ENCRYPTED: dict[str, Any] = {**PUT, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KMS_KEY}
FREE = ("sts", "GetCallerIdentity")
NOTHING: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}


def allowing(action: str, resource: str, **more: Any) -> dict[str, Any]:
    statement = {"Sid": "S", "Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


# --- judging --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("orders", "orders", True),
        ("orders", "orders2", False),
        ("orders", "2orders", False),
        ("orders", "Orders", False),
        ("", "", True),
        ("", "a", False),
        ("a/*", "a/", True),
        ("a/*", "a/b/c", True),
        ("a/*", "a", False),
        ("a/*", "ab/c", False),
        ("*", "any\nthing", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("${*}", "*", True),
        ("${*}", "a", False),
        ("a${?}", "a?", True),
        ("a${?}", "ab", False),
        ("${$}{*}", "${anything}", True),
    ],
)
def test_a_pattern_fits_the_whole_text_or_not_at_all(pattern: str, text: str, expected: bool) -> None:
    assert expected == matches(pattern, text)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (NOTHING, False),
        (allowing("s3:GetObject", OBJECT), True),
        (allowing("S3:getobject", OBJECT), True),
        (allowing("s3:Get*", "*"), True),
        (allowing("s3:PutObject", OBJECT), False),
        (allowing("s3:GetObject", BUCKET), False),
        (allowing("s3:GetObject", f"{BUCKET}/orders/*"), True),
        (allowing("s3:GetObject", f"{BUCKET}/other/*"), False),
    ],
)
def test_only_what_a_statement_allows_is_allowed(document: dict[str, Any], expected: bool) -> None:
    assert expected == Policy(document).allows(Need("s3:GetObject", OBJECT))


def test_one_of_several_statements_actions_and_resources_is_enough() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "A", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
            {"Sid": "B", "Effect": "Allow", "Action": ["a:B", "s3:GetObject"], "Resource": ["x", OBJECT]},
        ],
    }

    assert Policy(document).allows(Need("s3:GetObject", OBJECT))
    assert not Policy(without(document, "s3:GetObject")).allows(Need("s3:GetObject", OBJECT))
    assert {"s3:PutObject", "a:B"} == Policy(without(document, "s3:GetObject")).actions


@pytest.mark.parametrize(
    ("condition", "prefix", "expected"),
    [
        ({"StringLike": {"s3:prefix": "orders/*"}}, "orders/2026/", True),
        ({"StringLike": {"s3:prefix": "orders/*"}}, "orders", False),
        ({"StringLike": {"s3:prefix": "orders/*"}}, None, False),
        ({"StringLike": {"s3:prefix": ["a", "orders/*"]}}, "orders/", True),
        ({"StringEquals": {"s3:prefix": "orders/*"}}, "orders/2026", False),
        ({"StringEquals": {"s3:prefix": "orders/*"}}, "orders/*", True),
        ({"StringLike": {"s3:prefix": "*"}, "StringEquals": {"s3:prefix": "b"}}, "a", False),
        ({"StringLike": {"s3:prefix": "*", "s3:delimiter": "/"}}, "a", False),
    ],
)
def test_every_condition_must_hold_of_what_the_request_has(
    condition: dict[str, Any], prefix: str | None, expected: bool
) -> None:
    document = allowing("s3:ListBucket", BUCKET, Condition=condition)
    context = {} if prefix is None else {"s3:prefix": (prefix,)}

    assert expected == Policy(document).allows(Need("s3:ListBucket", BUCKET, context))


@pytest.mark.parametrize(("alias", "expected"), [("alias/b", True), ("alias/c", False)])
def test_any_of_several_values_will_do_where_the_policy_says_so(alias: str, expected: bool) -> None:
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}
    need = Need("kms:Decrypt", KMS_KEY, {"kms:ResourceAliases": ("alias/a", "alias/b")})

    assert expected == Policy(allowing("kms:Decrypt", "*", Condition=condition)).allows(need)


def test_a_key_of_several_values_is_not_compared_as_if_it_had_one() -> None:
    document = allowing("kms:Decrypt", "*", Condition={"StringEquals": {"kms:ResourceAliases": "alias/a"}})

    with pytest.raises(AssertionError, match="several values"):
        Policy(document).allows(Need("kms:Decrypt", KMS_KEY, {"kms:ResourceAliases": ("a", "b")}))


@pytest.mark.parametrize(
    "document",
    [
        {**NOTHING, "Version": "2008-10-17"},
        allowing("s3:GetObject", OBJECT, Effect="Deny"),
        allowing("s3:GetObject", OBJECT, NotAction="s3:PutObject"),
        allowing("s3:GetObject", OBJECT, Sid="not a sid"),
        {**NOTHING, "Statement": 2 * allowing("s3:GetObject", OBJECT)["Statement"]},
    ],
    ids=["version", "deny", "not action", "sid", "the same sid twice"],
)
def test_what_it_cannot_judge_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        Policy(document)


def test_an_operator_it_does_not_know_is_refused() -> None:
    document = allowing("s3:GetObject", OBJECT, Condition={"StringNotEquals": {"s3:prefix": "a"}})

    with pytest.raises(KeyError, match="StringNotEquals"):
        Policy(document).allows(Need("s3:GetObject", OBJECT))


# --- what calls need ------------------------------------------------------------------------------

IN_S3 = {"kms:ViaService": ("s3.us-east-1.amazonaws.com",)}
NEEDS: list[Case] = [
    *EMR_CASES,
    *TABLE_CASES,
    *REDSHIFT_CASES,
    (
        "cloudwatch",
        "GetMetricStatistics",
        {
            "Namespace": "AWS/DynamoDB",
            "MetricName": "M",
            "StartTime": 0,
            "EndTime": 60,
            "Period": 60,
            "Statistics": ["Sum"],
        },
        [Need("cloudwatch:GetMetricStatistics", "*")],
    ),
    (
        "dynamodb",
        "DescribeContinuousBackups",
        {"TableName": "orders"},
        [Need("dynamodb:DescribeContinuousBackups", TABLE)],
    ),
    ("dynamodb", "DescribeTable", {"TableName": TABLE}, [Need("dynamodb:DescribeTable", TABLE)]),
    ("dynamodb", "DescribeTimeToLive", {"TableName": "orders"}, [Need("dynamodb:DescribeTimeToLive", TABLE)]),
    (
        "dynamodb",
        "ListTagsOfResource",
        {"ResourceArn": "arn:aws:dynamodb:ddblocal:000000000000:table/orders"},
        [Need("dynamodb:ListTagsOfResource", TABLE)],
    ),
    (
        "dynamodb",
        "BatchGetItem",
        {"RequestItems": {"orders": {"Keys": [{"a": {"S": "b"}}]}}},
        [Need("dynamodb:BatchGetItem", TABLE)],
    ),
    (
        "dynamodb",
        "BatchWriteItem",
        {"RequestItems": {"orders": [{"DeleteRequest": {"Key": {}}}]}},
        [Need("dynamodb:BatchWriteItem", TABLE)],
    ),
    ("dynamodb", "PutItem", {"TableName": "orders", "Item": {}}, [Need("dynamodb:PutItem", TABLE)]),
    ("dynamodb", "DeleteItem", {"TableName": "orders", "Key": {}}, [Need("dynamodb:DeleteItem", TABLE)]),
    ("dynamodb", "Scan", {"TableName": "orders"}, [Need("dynamodb:Scan", TABLE)]),
    (
        "dynamodb",
        "Scan",
        {"TableName": "orders", "IndexName": "by-shop"},
        [Need("dynamodb:Scan", f"{TABLE}/index/by-shop")],
    ),
    ("s3", "AbortMultipartUpload", {**PUT, "UploadId": "u"}, [Need("s3:AbortMultipartUpload", OBJECT)]),
    (
        "s3",
        "CompleteMultipartUpload",
        {**PUT, "UploadId": "u", "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "e"}]}},
        [Need("s3:PutObject", OBJECT)],
    ),
    (
        "s3",
        "CreateMultipartUpload",
        ENCRYPTED,
        [Need("s3:PutObject", OBJECT), Need("kms:GenerateDataKey", KMS_KEY, IN_S3)],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "backups", "Delete": {"Objects": [{"Key": "orders/part"}, {"Key": "b&b"}]}},
        [Need("s3:DeleteObject", OBJECT), Need("s3:DeleteObject", f"{BUCKET}/b&b")],
    ),
    ("s3", "GetObject", PUT, [Need("s3:GetObject", OBJECT)]),
    ("s3", "HeadBucket", {"Bucket": "backups"}, [Need("s3:ListBucket", BUCKET)]),
    ("s3", "HeadObject", PUT, [Need("s3:GetObject", OBJECT)]),
    (
        "s3",
        "ListMultipartUploads",
        {"Bucket": "backups", "Prefix": "a"},
        [Need("s3:ListBucketMultipartUploads", BUCKET)],
    ),
    ("s3", "ListObjectsV2", {"Bucket": "backups"}, [Need("s3:ListBucket", BUCKET)]),
    (
        "s3",
        "ListObjectsV2",
        {"Bucket": "backups", "Prefix": ""},
        [Need("s3:ListBucket", BUCKET, {"s3:prefix": ("",)})],
    ),
    ("s3", "PutObject", PUT, [Need("s3:PutObject", OBJECT)]),
    (
        "s3",
        "PutObject",
        {**ENCRYPTED, "SSEKMSKeyId": "alias/mine"},
        [
            Need("s3:PutObject", OBJECT),
            Need(
                "kms:GenerateDataKey",
                KEY_OF_ALIASES,
                {**IN_S3, "kms:ResourceAliases": ("alias/unrelated", "alias/mine")},
            ),
        ],
    ),
    ("s3", "UploadPart", {**PUT, "UploadId": "u", "PartNumber": 1}, [Need("s3:PutObject", OBJECT)]),
    (
        "service-quotas",
        "GetServiceQuota",
        {"ServiceCode": "dynamodb", "QuotaCode": "L-1"},
        [Need("servicequotas:GetServiceQuota", "*")],
    ),
]


def test_there_is_a_case_for_every_call() -> None:
    assert set(CALLS) - {FREE} == {(service, operation) for service, operation, _, _ in NEEDS}


def test_who_one_is_needs_nothing() -> None:
    assert [] == needs_of(*FREE, {}, {})


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), NEEDS)
def test_a_call_needs_these_actions(
    service: str, operation: str, parameters: dict[str, Any], expected: list[Need]
) -> None:
    assert expected == needs_of(service, operation, parameters, {})


@pytest.mark.parametrize("operation", ["GetObject", "UploadPart", "CompleteMultipartUpload"])
def test_what_was_begun_with_a_key_needs_it_again(operation: str) -> None:
    keys: KmsKeys = {}
    needs_of("s3", "CreateMultipartUpload", {**ENCRYPTED, "SSEKMSKeyId": "k"}, keys)

    assert Need("kms:Decrypt", KMS_KEY, IN_S3) in needs_of("s3", operation, PUT, keys)


# --- calls under a policy -------------------------------------------------------------------------


def client(service: str, services: Services) -> Any:
    made: Any = boto3.client(service, endpoint_url=services.moto_url)  # type: ignore[call-overload]
    return made


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), NEEDS)
def test_a_call_that_nothing_allows_is_denied_as_aws_denies_it(
    services: Services, service: str, operation: str, parameters: dict[str, Any], expected: list[Need]
) -> None:
    simulator = Simulator(Policy(NOTHING))

    with simulator.in_force():
        call = getattr(client(service, services), xform_name(operation))
        if operation == "DeleteObjects":
            errors = call(**parameters)["Errors"]
            assert [("orders/part", "AccessDenied"), ("b&b", "AccessDenied")] == [
                (each["Key"], each["Code"]) for each in errors
            ]
        else:
            with pytest.raises(ClientError) as caught:
                call(**parameters)
            code = caught.value.response["Error"]["Code"]
            assert ("403" if operation.startswith("Head") else "AccessDenied") in code

    assert [expected] == [judged.denied for judged in simulator.calls]


def test_the_older_protocol_of_cloudwatch_is_answered_in_its_own_way() -> None:
    request: Any = AWSRequest(
        method="POST",
        url="http://127.0.0.1/",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        data={},
    ).prepare()
    need = Need("cloudwatch:GetMetricStatistics", "*")

    reply = denial("cloudwatch", "GetMetricStatistics", {}, [need])(request)

    parser: Any = create_parser("query")
    parsed = parser.parse(
        {"status_code": reply.status_code, "headers": reply.headers, "body": reply.content}, None
    )
    assert "AccessDenied" == parsed["Error"]["Code"]
    assert "cloudwatch:GetMetricStatistics" in parsed["Error"]["Message"]


def test_a_call_that_is_allowed_reaches_the_service_and_is_recorded(services: Services, bucket: str) -> None:
    simulator = Simulator(Policy(allowing("s3:PutObject", f"arn:aws:s3:::{bucket}/a")))

    with simulator.in_force():
        s3 = client("s3", services)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key="b", Body=b"1")

    assert (["PutObject", "PutObject"], {"s3:PutObject"}, {"PutObject"}) == (
        [call.operation for call in simulator.calls],
        simulator.used,
        simulator.denied_operations,
    )
    listed = client("s3", services).list_objects_v2(Bucket=bucket)["Contents"]
    assert ["a"] == [entry["Key"] for entry in listed]


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize(
    ("prefix", "status"), [("a*", 404), ("absent", 404), ("b*", 403)], ids=["below", "itself", "elsewhere"]
)
def test_only_who_may_list_a_key_hears_that_it_is_absent(
    services: Services, bucket: str, operation: str, prefix: str, status: int
) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    document = allowing("s3:GetObject", f"{arn}/*")
    condition = {"StringLike": {"s3:prefix": prefix}}
    document["Statement"] += allowing("s3:ListBucket", arn, Sid="L", Condition=condition)["Statement"]
    simulator = Simulator(Policy(document))

    with simulator.in_force(), pytest.raises(ClientError) as caught:
        getattr(client("s3", services), operation)(Bucket=bucket, Key="absent")

    assert status == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_head_of_a_bucket_that_is_denied_names_the_region_all_the_same(services: Services) -> None:
    with Simulator(Policy(NOTHING)).in_force(), pytest.raises(ClientError) as caught:
        client("s3", services).head_bucket(Bucket="backups")

    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert "us-east-1" == headers["x-amz-bucket-region"]


def test_a_cluster_has_the_tags_it_was_made_with() -> None:
    keys: KmsKeys = {}
    tags = [{"Key": "team", "Value": "data"}]
    needs_of("emr", "RunJobFlow", {"ServiceRole": "S", "JobFlowRole": "M", "Tags": tags}, keys)

    (need,) = needs_of("emr", "DescribeCluster", {"ClusterId": "j-1"}, keys)

    assert {"elasticmapreduce:ResourceTag/team": ("data",)} == need.context


def test_what_is_encrypted_by_itself_needs_its_key() -> None:
    topic, bucket = "arn:aws:sns:us-east-1:111122223333:notices", "arn:aws:s3:::backups"
    keys: KmsKeys = {topic: KMS_KEY, bucket: KMS_KEY}
    in_sns = {"kms:ViaService": ("sns.us-east-1.amazonaws.com",)}

    assert Need("kms:GenerateDataKey", KMS_KEY, IN_S3) in needs_of("s3", "PutObject", PUT, keys)
    assert Need("kms:Decrypt", KMS_KEY, in_sns) in needs_of("sns", "Publish", {"TopicArn": topic}, keys)


def test_a_call_without_a_rule_fails_even_when_somebody_swallows_its_error(services: Services) -> None:
    simulator = Simulator(Policy(allowing("*", "*")))

    with (
        pytest.raises(AssertionError, match="s3:ListBuckets"),
        simulator.in_force(),
        contextlib.suppress(UnknownCall),
    ):
        client("s3", services).list_buckets()


def test_clients_made_before_and_after_are_not_held_to_it(services: Services, bucket: str) -> None:
    before = client("s3", services)

    with Simulator(Policy(NOTHING)).in_force():
        before.put_object(Bucket=bucket, Key="a", Body=b"")

    client("s3", services).put_object(Bucket=bucket, Key="b", Body=b"")
