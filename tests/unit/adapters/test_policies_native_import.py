"""The policy of a native import allows what it calls, and what ImportTable does for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from airflow_dynamo_pipeline.adapters.policies_native_import import LOGS, NATIVE_IMPORT_POLICY
from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.errors import ImportFailed
from tests.faults.attempts import items
from tests.faults.endpoint import Killed
from tests.faults.import_backups import files, native_base
from tests.faults.native_import_world import NativeWorld
from tests.faults.script import Fault, Kind

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "iam-policies.md").read_text("utf-8")
MANIFEST = "s3://b/p/AWSDynamoDB/01-2/manifest-summary.json"
BY_SERVICE = {"HeadObject": "GetObject", "ListObjectsV2": "ListBucket"}


def statements(**given: Any) -> dict[str, dict[str, Any]]:
    document = NATIVE_IMPORT_POLICY.document({"table_name": "copy", **given})
    return {each["Sid"]: each for each in document["Statement"]}


def test_every_call_of_a_native_import_is_allowed_and_no_other_of_dynamodb_and_s3() -> None:
    good, bad = NativeWorld(native_base(items(3))), NativeWorld(files([*items(1), {"pk": {"N": "1"}}]))
    killed = good.run(Fault(Kind.KILL, on="DescribeImport", after=True))
    killed.failed(Killed)
    failed = bad.run()
    failed.failed(ImportFailed)
    called = {*killed.operations, *good.run().operations, *failed.operations}

    found = {
        action.partition(":")[2]
        for each in statements(s3_uri="s3://b/p").values()
        for action in each["Action"]
    }
    by_import_table = {action.partition(":")[2] for action in LOGS} - {"GetLogEvents"}
    assert {BY_SERVICE.get(name, name) for name in called} == found - by_import_table


def test_an_export_is_read_below_its_own_folder() -> None:
    found = statements(manifest_uri=MANIFEST)

    assert "arn:aws:s3:::b/p/AWSDynamoDB/01-2/*" == found["ReadObjects"]["Resource"]
    assert {"StringLike": {"s3:prefix": "p/AWSDynamoDB/01-2/*"}} == found["ListObjects"]["Condition"]
    assert "arn:aws:dynamodb:*:*:table/copy/import/*" == found["LookAtImport"]["Resource"]


def test_a_key_is_used_through_s3_only() -> None:
    key = statements(s3_uri="s3://b/p", s3_sse_kms_key_id="alias/backups")["UseKeyThroughS3"]

    assert ["kms:Decrypt"] == key["Action"]
    assert {"kms:ResourceAliases": "alias/backups"} == key["Condition"]["ForAnyValue:StringEquals"]
    assert {"kms:ViaService": "s3.*.*"} == key["Condition"]["StringLike"]


def test_the_command_prints_it_and_the_page_has_it() -> None:
    arguments = ["iam-policy", "native-import", "--table", "copy", "--manifest-uri", MANIFEST]
    done = CliRunner().invoke(main, arguments)

    assert 0 == done.exit_code, done.output
    printed = json.loads(done.stdout)
    assert list(statements(manifest_uri=MANIFEST).values()) == printed["Statement"]
    assert "\n### dynamo-pipeline iam-policy native-import\n" in PAGE
    actions = {action for each in printed["Statement"] for action in each["Action"]}
    assert [] == [action for action in actions if f"`{action}`" not in PAGE]
