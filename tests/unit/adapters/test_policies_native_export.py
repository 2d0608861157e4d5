"""The policy of a native export allows what it calls, and what DynamoDB does for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from airflow_dynamo_pipeline.adapters.policies_native_export import NATIVE_EXPORT_POLICY
from airflow_dynamo_pipeline.cli.main import main
from tests.faults.native_export_world import NativeWorld
from tests.faults.script import Fault, Kind

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "iam-policies.md").read_text("utf-8")
BY_DYNAMODB = {"AbortMultipartUpload", "PutObjectAcl", "ListBucket"}  # and to be told that nothing is there


def statements(**given: Any) -> dict[str, dict[str, Any]]:
    document = NATIVE_EXPORT_POLICY.document({"table_name": "orders", "s3_uri": "s3://b/p", **given})
    return {each["Sid"]: each for each in document["Statement"]}


def test_every_call_of_a_native_export_is_allowed_and_no_other() -> None:
    world = NativeWorld()
    killed = world.run(Fault(Kind.KILL, on="ExportTableToPointInTime"))
    world.pass_time(hours=9)
    called = {*killed.operations, *world.run().operations}

    found = {action.partition(":")[2] for each in statements().values() for action in each["Action"]}
    assert called == found - BY_DYNAMODB


def test_objects_are_limited_to_what_is_below_the_prefix() -> None:
    found = statements()

    assert "arn:aws:s3:::b/p/_dynamo-pipeline/*" == found["KeepChain"]["Resource"]
    assert "arn:aws:s3:::b/p/AWSDynamoDB/*" == found["WriteExports"]["Resource"]
    assert "arn:aws:s3:::b/p/AWSDynamoDB/*/manifest-summary.json" == found["ReadManifests"]["Resource"]
    assert "arn:aws:dynamodb:*:*:table/orders/export/*" == found["LookAtExport"]["Resource"]


def test_a_key_is_used_through_s3_only() -> None:
    key = statements(s3_sse_kms_key_id="alias/backups")["UseKeyThroughS3"]

    assert ["kms:Decrypt", "kms:GenerateDataKey"] == key["Action"]
    assert {"kms:ResourceAliases": "alias/backups"} == key["Condition"]["ForAnyValue:StringEquals"]


def test_the_command_prints_it_and_the_page_has_it() -> None:
    arguments = ["iam-policy", "native-export", "--table", "orders", "--s3-uri", "s3://b/p"]
    done = CliRunner().invoke(main, arguments)

    assert 0 == done.exit_code, done.output
    printed = json.loads(done.stdout)["Statement"]
    assert json.loads(json.dumps(list(statements().values()))) == printed
    assert "\n### dynamo-pipeline iam-policy native-export\n" in PAGE
    actions = {action for each in printed for action in each["Action"]}
    assert [] == [action for action in actions if f"`{action}`" not in PAGE]
