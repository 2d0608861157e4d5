"""Exports and imports that several tasks share out, under the policy of the whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from airflow_dynamo_pipeline.operators.ranges import (
    DynamoDBExportCommitOperator,
    DynamoDBExportPlanOperator,
    DynamoDBExportRangeOperator,
    DynamoDBImportCommitOperator,
    DynamoDBImportPlanOperator,
    DynamoDBImportRangeOperator,
)
from tests.airflow.conftest import FakeTask, context_of
from tests.integration import policy_imports, policy_runs
from tests.integration.policy_runs import Run
from tests.integration.policy_stage import ITEMS, Stage
from tests.integration.world import QUICK

EXPORT = (DynamoDBExportPlanOperator, DynamoDBExportRangeOperator, DynamoDBExportCommitOperator)
IMPORT = (DynamoDBImportPlanOperator, DynamoDBImportRangeOperator, DynamoDBImportCommitOperator)
RANGES = 2


def _shared_out(operators: Sequence[Callable[..., Any]], **settings: Any) -> dict[str, Any]:
    """Plan, every range, commit; one range at a time, so that they ask each other for a place."""
    plan, part, commit = operators
    context = context_of(FakeTask(uuid.uuid4().hex))
    works = plan(task_id="plan", ranges=RANGES, at_once=1, **settings).execute(context)
    assert RANGES == len(works)
    for work in works:
        part(task_id="range", work=work, **settings).execute(context)
    found: dict[str, Any] = commit(task_id="commit", work=works, **settings).execute(context)
    return found


def _export(stage: Stage) -> None:
    settings = {"table_name": stage.table, "s3_uri": stage.uri, "segments": 4, "units_per_second": QUICK}
    assert len(ITEMS) == _shared_out(EXPORT, **settings)["item_count"]


def _import(stage: Stage) -> None:
    """The backup's one file twice, so that there is one for each range."""
    settings = {"table_name": stage.new_table, "s3_uri": f"{stage.uri}/backup", "units_per_second": QUICK}
    assert RANGES * policy_imports.COUNT == _shared_out(IMPORT, **settings)["written"]


def _put_backups(stage: Stage) -> None:
    policy_imports.put_backup(stage)
    source = {"Bucket": stage.bucket, "Key": stage.key("backup/000000")}
    stage.s3.copy_object(Bucket=stage.bucket, Key=stage.key("backup/000001"), CopySource=source)  # type: ignore[arg-type]


def _names(operators: Sequence[Callable[..., Any]]) -> frozenset[str]:
    return frozenset(each.__name__ for each in operators)


SHARED_EXPORT = Run(
    name="export shared out",
    operator="DynamoDBExportOperator",
    also=_names(EXPORT),
    act=_export,
    arguments=policy_runs.ABSOLUTE,
    borne=policy_runs.HEAD_BUCKET,
)
SHARED_IMPORT = Run(
    name="import shared out",
    operator="DynamoDBImportOperator",
    also=_names(IMPORT),
    prepare=_put_backups,
    act=_import,
    arguments=policy_imports.ABSOLUTE,
    unused=policy_imports.SINGLE,
)
SHARED = (SHARED_EXPORT, SHARED_IMPORT)
