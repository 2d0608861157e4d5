"""What a table has beside its items: point-in-time recovery, time to live, tags."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import invalid
from tests.faults.dynamodb.tables import Table

Json = dict[str, Any]
MOST_RECOVERY_DAYS = 35
RESTORABLE_AFTER = timedelta(minutes=5)


def describe_continuous_backups(database: Database, request: Json) -> Json:
    """DescribeContinuousBackups."""
    return {"ContinuousBackupsDescription": _backups(database, database.table(request["TableName"]))}


def update_continuous_backups(database: Database, request: Json) -> Json:
    """UpdateContinuousBackups."""
    table = database.table(request["TableName"])
    wanted = request["PointInTimeRecoverySpecification"]
    days = wanted.get("RecoveryPeriodInDays", MOST_RECOVERY_DAYS)
    if not 1 <= days <= MOST_RECOVERY_DAYS:
        raise invalid(
            f"1 validation error detected: Value '{days}' at 'recoveryPeriodInDays' failed to satisfy "
            "constraint: Member must have value between 1 and 35"
        )
    if not wanted["PointInTimeRecoveryEnabled"]:
        table.recovery_days = None
    elif table.recovery_days is None:
        table.recovery_days, table.recovery_since = days, database.clock.now()
    else:
        table.recovery_days = days
    return {"ContinuousBackupsDescription": _backups(database, table)}


def _backups(database: Database, table: Table) -> Json:
    described: Json = {"PointInTimeRecoveryStatus": "DISABLED"}
    if table.recovery_days is not None:
        now = database.clock.now()
        earliest = max(table.recovery_since, now - timedelta(days=table.recovery_days))
        described = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": table.recovery_days,
            "EarliestRestorableDateTime": earliest.timestamp(),
            "LatestRestorableDateTime": max(earliest, now - RESTORABLE_AFTER).timestamp(),
        }
    return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": described}


def describe_time_to_live(database: Database, request: Json) -> Json:
    """DescribeTimeToLive."""
    attribute = database.table(request["TableName"]).time_to_live
    described = {"TimeToLiveStatus": "DISABLED" if attribute is None else "ENABLED"}
    if attribute is not None:
        described["AttributeName"] = attribute
    return {"TimeToLiveDescription": described}


def update_time_to_live(database: Database, request: Json) -> Json:
    """UpdateTimeToLive."""
    table = database.table(request["TableName"])
    wanted = request["TimeToLiveSpecification"]
    if wanted["Enabled"] == (table.time_to_live is not None):
        raise invalid(f"TimeToLive is already {'enabled' if wanted['Enabled'] else 'disabled'}")
    table.time_to_live = wanted["AttributeName"] if wanted["Enabled"] else None
    return {"TimeToLiveSpecification": wanted}


def list_tags_of_resource(database: Database, request: Json) -> Json:
    """ListTagsOfResource."""
    return {"Tags": database.table(request["ResourceArn"]).tags}


OPERATIONS: dict[str, Operation] = {
    "DescribeContinuousBackups": describe_continuous_backups,
    "UpdateContinuousBackups": update_continuous_backups,
    "DescribeTimeToLive": describe_time_to_live,
    "UpdateTimeToLive": update_time_to_live,
    "ListTagsOfResource": list_tags_of_resource,
}
