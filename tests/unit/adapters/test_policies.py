from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.policies import ALL_POLICIES, POLICIES
from airflow_dynamo_pipeline.errors import InvalidRequest

EXPORT = {"table_name": "orders", "s3_uri": "s3://backups/daily/"}
MANIFEST = "s3://backups/daily/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/manifest-summary.json"
FOLDER = "daily/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d"
KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
LEAST: dict[str, dict[str, str]] = {
    "DynamoDBExportOperator": EXPORT,
    "DynamoDBImportOperator": EXPORT,
    "DynamoDBVerifyOperator": {"manifest_uri": MANIFEST},
    "EmrDynamoDBExportOperator": {**EXPORT, "code_s3_uri": "s3://code"},
    "EmrDynamoDBImportOperator": {**EXPORT, "code_s3_uri": "s3://code"},
    "DynamoDBProvisionedModeSensor": {"table_name": "orders"},
    "DynamoDBPointInTimeRecoverySensor": {"table_name": "orders"},
    "S3KeyExistsSensor": {"bucket_key": "s3://backups/done"},
    "DynamoDBPointInTimeExportOperator": EXPORT,
    "DynamoDBTableImportOperator": EXPORT,
    "SqlToDynamoDBOperator": EXPORT,
    "RedshiftToDynamoDBOperator": EXPORT,
    "what Redshift unloads by": EXPORT,
    "DynamoDBCapacityModeOperator": {"table_name": "orders", "record_s3_uri": "s3://backups/capacity"},
    "DynamoDBTableExistsSensor": {"table_name": "orders"},
    "DynamoDBTableActiveSensor": {"table_name": "orders"},
    "DynamoDBDataExistsSensor": {"table_name": "orders"},
    "DynamoDBStreamEnabledSensor": {"table_name": "orders"},
    "DynamoDBUnitsAvailableSensor": {"table_name": "orders"},
    "DynamoDBExportSensor": {"s3_uri": "s3://backups/daily/"},
    "S3PrefixNotEmptySensor": {"s3_uri": "s3://backups/daily/"},
    "dynamo-pipeline table save": {"table_name": "orders"},
    "dynamo-pipeline table restore": {"table_name": "orders"},
    "notices through SNS": {"topic_arn": "arn:aws:sns:eu-west-1:111122223333:exports"},
    "tasks that run jobs on EMR": {"instance_role": "Machines"},
    "what runs on the machines of EMR": EXPORT,
    "EMR itself, beside AWS's own": {"instance_role": "Machines"},
}
NAMED_OTHERWISE = {  # as the functions of AWS that they are for, and beside the operator
    "SqlToDynamoDBOperator": "lookup",
    "RedshiftToDynamoDBOperator": "redshift-lookup",
    "DynamoDBPointInTimeExportOperator": "native-export",
    "DynamoDBTableImportOperator": "native-import",
    "DynamoDBExportSensor": "export-complete",
}
Allowed = dict[str, tuple[list[str], Any, dict[str, Any]]]  # of resources one, or a list


def allowed(operator: str, **given: object) -> Allowed:
    """What a policy allows, by the ids of its statements."""
    return {
        each["Sid"]: (each["Action"], each["Resource"], each.get("Condition", {}))
        for each in POLICIES[operator].document(given)["Statement"]
    }


def test_there_is_a_case_for_every_policy() -> None:
    assert set(ALL_POLICIES) == set(LEAST)


@pytest.mark.parametrize("operator", ALL_POLICIES)
def test_a_policy_is_as_iam_wants_it(operator: str) -> None:
    document = ALL_POLICIES[operator].document(LEAST[operator])

    assert document == json.loads(json.dumps(document))
    assert ["Version", "Statement"] == list(document)
    assert "2012-10-17" == document["Version"]
    assert document["Statement"]
    for statement in document["Statement"]:
        members = ["Sid", "Effect", "Action", "Resource", "Condition"]
        assert [name for name in members if name in statement] == list(statement)
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert "Allow" == statement["Effect"]
        assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action) for action in statement["Action"])
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(sids) == len(set(sids))


def test_commands_are_named_after_their_operators() -> None:
    """So that a person finds the command for DynamoDBProvisionedModeSensor."""
    for operator, policy in POLICIES.items():
        words = re.findall("S3|[A-Z][a-z]+", operator.replace("DynamoDB", ""))
        assert NAMED_OTHERWISE.get(operator, "-".join(words[:-1]).lower()) == policy.command


def test_no_two_commands_have_one_name() -> None:
    commands = [policy.command for policy in ALL_POLICIES.values()]

    assert len(commands) == len(set(commands))


def test_an_export_that_chooses_its_method_may_do_both() -> None:
    scan = allowed("DynamoDBExportOperator", **EXPORT)
    native = allowed("DynamoDBPointInTimeExportOperator", **EXPORT)
    auto = allowed("DynamoDBExportOperator", **EXPORT, method="auto")

    both = {action for found in (scan, native) for actions, _, _ in found.values() for action in actions}
    assert both == {action for actions, _, _ in auto.values() for action in actions}
    assert scan == allowed("DynamoDBExportOperator", **EXPORT, method="scan")


def test_an_export_that_saves_the_definition_may_read_it() -> None:
    found = allowed("DynamoDBExportOperator", **EXPORT, save_table_definition=True)

    assert "dynamodb:DescribeTimeToLive" in found["ReadTable"][0]
    assert set(allowed("DynamoDBExportOperator", **EXPORT)) < set(found)


def test_autoscaling_is_set_for_dynamodb_and_the_alarms_of_one_table_only() -> None:
    found = allowed("DynamoDBCapacityModeOperator", table_name="orders", autoscaling=True)

    of_dynamodb = {"StringEquals": {"application-autoscaling:service-namespace": "dynamodb"}}
    assert of_dynamodb == found["SetAutoscaling"][2]
    alarms = "arn:aws:cloudwatch:*:*:alarm:TargetTracking-table/orders"
    assert [f"{alarms}-*", f"{alarms}/*"] == found["SetAlarmsOfAutoscaling"][1]
    assert ["cloudwatch:PutMetricAlarm"] == found["SetAlarmsOfAutoscaling"][0]


def test_a_record_of_capacity_is_one_object() -> None:
    found = allowed(
        "DynamoDBCapacityModeOperator",
        table_name="orders",
        record_s3_uri="s3://b/capacity/",
        account_id="111122223333",
        region_name="eu-west-1",
    )

    key = "capacity/111122223333/eu-west-1/orders.capacity.json"
    assert f"arn:aws:s3:::b/{key}" == found["KeepRecord"][1]
    assert {"StringLike": {"s3:prefix": key}} == found["ListObjects"][2]


def test_an_import_needs_these_and_nothing_else() -> None:
    bucket, table = "arn:aws:s3:::backups", "arn:aws:dynamodb:*:*:table/orders"
    below = {"StringLike": {"s3:prefix": ["daily", "daily/*"]}}
    written = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]

    assert {
        "DescribeTable": (
            ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"],
            table,
            {},
        ),
        "WriteItems": (["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem"], table, {}),
        "ListObjects": (["s3:ListBucket"], bucket, below),
        "ReadBackup": (["s3:GetObject"], f"{bucket}/daily/*", {}),
        "ListUploads": (["s3:ListBucketMultipartUploads"], bucket, {}),
        "WriteRecords": (written, f"{bucket}/daily/_imports/*", {}),
    } == allowed("DynamoDBImportOperator", **EXPORT, no_on_demand_ratio=True)


@pytest.mark.parametrize("word", ["skip", "fail", "newer", "condition"])
def test_an_import_under_a_condition_puts_single_items_only(word: str) -> None:
    actions = allowed("DynamoDBImportOperator", **EXPORT, on_conflict=word)["WriteItems"][0]

    assert ["dynamodb:PutItem"] == actions


def test_an_import_that_may_go_anywhere_reads_no_tags() -> None:
    actions = allowed("DynamoDBImportOperator", **EXPORT, allow_protected=True)["DescribeTable"][0]

    assert "dynamodb:ListTagsOfResource" not in actions


def test_the_records_of_an_import_may_lie_in_another_bucket() -> None:
    found = allowed("DynamoDBImportOperator", **EXPORT, rejects_s3_uri="s3://records")

    assert "arn:aws:s3:::backups/daily/*" == found["ReadBackup"][1]
    assert "arn:aws:s3:::records/_imports/*" == found["WriteRecords"][1]
    assert ("arn:aws:s3:::records", {"StringLike": {"s3:prefix": "_imports/*"}}) == (
        found["ListObjectsOfImports"][1:]
    )
    assert "arn:aws:s3:::records" == found["ListUploads"][1]


@pytest.mark.parametrize(
    ("uri", "prefix", "objects"),
    [
        (MANIFEST, [FOLDER, f"{FOLDER}/*"], f"{FOLDER}/*"),
        ("s3://backups/old/manifest", ["old", "old/*"], "old/*"),
        ("s3://backups", "*", "*"),
        ("s3://backups/*", ["*", "*/*"], "*/*"),
    ],
)
def test_an_import_reads_the_folder_that_it_is_given(uri: str, prefix: object, objects: str) -> None:
    found = allowed("DynamoDBImportOperator", table_name="orders", s3_uri=uri)

    assert {"StringLike": {"s3:prefix": prefix}} == found["ListObjects"][2]
    assert f"arn:aws:s3:::backups/{objects}" == found["ReadBackup"][1]


def test_an_export_needs_these_and_nothing_else() -> None:
    below = "arn:aws:s3:::backups/daily/AWSDynamoDB/*"

    assert {
        "DescribeTable": (["dynamodb:DescribeTable"], "arn:aws:dynamodb:*:*:table/orders", {}),
        "Scan": (["dynamodb:Scan"], "arn:aws:dynamodb:*:*:table/orders", {}),
        "ReadOnDemandCapacity": (
            ["cloudwatch:GetMetricStatistics", "servicequotas:GetServiceQuota"],
            "*",
            {},
        ),
        "ListObjects": (
            ["s3:ListBucket"],
            "arn:aws:s3:::backups",
            {"StringLike": {"s3:prefix": "daily/AWSDynamoDB/*"}},
        ),
        "ListUploads": (["s3:ListBucketMultipartUploads"], "arn:aws:s3:::backups", {}),
        "WriteExports": (
            ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            below,
            {},
        ),
    } == allowed("DynamoDBExportOperator", **EXPORT)


def test_an_index_is_scanned_instead_of_its_table() -> None:
    found = allowed(
        "DynamoDBExportOperator",
        **EXPORT,
        index_name="by-shop",
        region_name="eu-west-1",
        account_id="111122223333",
    )

    table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
    assert (table, f"{table}/index/by-shop") == (found["DescribeTable"][1], found["Scan"][1])


def test_capacity_is_left_out_where_no_ratio_of_an_on_demand_table_is_asked() -> None:
    whole = allowed("DynamoDBExportOperator", **EXPORT)
    less = allowed("DynamoDBExportOperator", **EXPORT, no_on_demand_ratio=True)

    assert {"ReadOnDemandCapacity"} == whole.keys() - less.keys()
    assert less == {sid: found for sid, found in whole.items() if sid in less}


@pytest.mark.parametrize(
    ("operator", "actions"),
    [
        ("DynamoDBExportOperator", ["kms:Decrypt", "kms:GenerateDataKey"]),
        ("DynamoDBVerifyOperator", ["kms:Decrypt"]),
    ],
)
@pytest.mark.parametrize(
    ("given", "resource", "condition"),
    [
        ({"s3_sse_kms_key_id": KMS_KEY}, KMS_KEY, {"StringLike": {"kms:ViaService": "s3.*.*"}}),
        (
            {"s3_sse_kms_key_id": "alias/backups", "region_name": "eu-west-1"},
            "arn:aws:kms:eu-west-1:*:key/*",
            {
                "StringLike": {"kms:ViaService": "s3.eu-west-1.*"},
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/backups"},
            },
        ),
    ],
    ids=["key", "alias"],
)
def test_a_key_may_be_used_through_s3_only(
    operator: str, actions: list[str], given: dict[str, str], resource: str, condition: dict[str, Any]
) -> None:
    found = allowed(operator, **LEAST[operator], **given)

    assert (actions, resource, condition) == found["UseKeyThroughS3"]
    assert "UseKeyThroughS3" not in allowed(operator, **LEAST[operator])


@pytest.mark.parametrize(
    ("given", "below"),
    [
        ({"manifest_uri": MANIFEST}, "daily/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/*"),
        ({"s3_uri": "s3://backups/daily"}, "daily/AWSDynamoDB/*"),
        ({"s3_uri": "s3://backups"}, "AWSDynamoDB/*"),
        ({"s3_uri": "s3://backups/*/why?"}, "*/why${?}/AWSDynamoDB/*"),
    ],
)
def test_a_check_reads_one_export_or_all_below_a_prefix(given: dict[str, str], below: str) -> None:
    assert {
        "ListObjects": (["s3:ListBucket"], "arn:aws:s3:::backups", {"StringLike": {"s3:prefix": below}}),
        "ReadExports": (["s3:GetObject"], f"arn:aws:s3:::backups/{below}", {}),
    } == allowed("DynamoDBVerifyOperator", **given)


def test_a_check_against_a_table_may_read_the_table_too() -> None:
    files = allowed("DynamoDBVerifyOperator", manifest_uri=MANIFEST)
    both = allowed("DynamoDBVerifyOperator", manifest_uri=MANIFEST, table_name="orders")
    table = "arn:aws:dynamodb:*:*:table/orders"

    assert {"DescribeTable", "Scan", "ReadOnDemandCapacity"} == both.keys() - files.keys()
    assert (["dynamodb:Scan"], table, {}) == both["Scan"]
    assert files == {sid: found for sid, found in both.items() if sid in files}


def test_a_check_of_both_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="manifest_uri, s3_uri: only one of them may be given"):
        allowed("DynamoDBVerifyOperator", manifest_uri=MANIFEST, s3_uri="s3://backups")


@pytest.mark.parametrize(
    ("given", "prefix", "is_read"),
    [
        ({}, "daily/d*e[1]${?}/", True),
        ({"wildcard_match": True}, "daily/d*", False),
        ({"use_regex": True}, "", False),
    ],
)
def test_a_sensor_of_a_key_lists_what_it_looks_at(given: dict[str, Any], prefix: str, is_read: bool) -> None:
    found = allowed("S3KeyExistsSensor", bucket_key="s3://backups/daily/d*e[1]?/", **given)

    listing = (["s3:ListBucket"], "arn:aws:s3:::backups", {"StringLike": {"s3:prefix": prefix}})
    reading: Any = (["s3:GetObject"], f"arn:aws:s3:::backups/{prefix}", {})
    assert found == {"ListObjects": listing} | ({"ReadObject": reading} if is_read else {})


def test_a_sensor_of_several_keys_has_statements_for_each() -> None:
    found = allowed("S3KeyExistsSensor", bucket_key=["s3://a/x", "s3://b/y"])

    assert ["ListObjects1", "ReadObject1", "ListObjects2", "ReadObject2"] == list(found)
    assert ["arn:aws:s3:::a", "arn:aws:s3:::a/x", "arn:aws:s3:::b", "arn:aws:s3:::b/y"] == [
        resource for _, resource, _ in found.values()
    ]


@pytest.mark.parametrize(
    ("operator", "action"),
    [
        ("DynamoDBProvisionedModeSensor", "dynamodb:DescribeTable"),
        ("DynamoDBPointInTimeRecoverySensor", "dynamodb:DescribeContinuousBackups"),
    ],
)
def test_a_sensor_of_a_table_describes_it(operator: str, action: str) -> None:
    (only,) = allowed(operator, table_name="orders", region_name="eu-west-1").values()

    assert ([action], "arn:aws:dynamodb:eu-west-1:*:table/orders", {}) == only
