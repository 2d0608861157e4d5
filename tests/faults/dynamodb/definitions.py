"""What a table has beside items and units: class, encryption, tags that change, and what is set elsewhere.

CreateTable, DescribeTable and UpdateTable here stand before those of the other modules.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from tests.faults.dynamodb import table_calls, update_table
from tests.faults.dynamodb.database import Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.tables import Table

Json = dict[str, Any]
STANDARD = "STANDARD"
OWN_KEY = "arn:aws:kms:us-east-1:123456789012:key/of-dynamodb"
RESERVED = "aws:"
MOST_TAGS = 50


@dataclass
class Extras:
    """Settings of one table that the other calls do not need. A test may change them."""

    table_class: str = STANDARD
    key: str | None = None  # of KMS; None: DynamoDB's own
    policy: str | None = None
    insights: list[str | None] = field(default_factory=list)  # of the table (None) and of indexes
    streams: list[str] = field(default_factory=list)  # of Kinesis
    described: Json = field(default_factory=dict)  # members of DescribeTable that no call here sets


_extras: weakref.WeakKeyDictionary[Table, Extras] = weakref.WeakKeyDictionary()


def extras_of(table: Table) -> Extras:
    """A table's further settings."""
    return _extras.setdefault(table, Extras())


def create_table(database: Database, request: Json) -> Json:
    """CreateTable."""
    tags = request.get("Tags") or ()
    if len(tags) > MOST_TAGS or any(tag["Key"].startswith(RESERVED) for tag in tags):
        raise invalid("The number of tags, or the name of one, is not allowed")
    reply = table_calls.create_table(database, request)
    extras = extras_of(database.table(request["TableName"]))
    extras.table_class = request.get("TableClass", STANDARD)
    encryption = request.get("SSESpecification") or {}
    if encryption.get("Enabled"):
        extras.key = encryption.get("KMSMasterKeyId", OWN_KEY)
    return reply


def describe_table(database: Database, request: Json) -> Json:
    """DescribeTable."""
    reply = update_table.describe_table(database, request)
    extras = extras_of(database.table(request["TableName"]))
    described: Json = reply["Table"]
    if extras.table_class != STANDARD:
        described["TableClassSummary"] = {"TableClass": extras.table_class}
    if extras.key is not None:
        described["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": extras.key}
    return {"Table": described | extras.described}


def update_table_class(database: Database, request: Json) -> Json:
    """UpdateTable, of the table's class too."""
    if "TableClass" not in request:
        return update_table.update_table(database, request)
    table = database.table(request["TableName"])
    extras_of(table).table_class = request["TableClass"]
    database.settle(table, "UPDATING", "ACTIVE")
    return {"TableDescription": table.describe()}


def tag_resource(database: Database, request: Json) -> Json:
    """TagResource."""
    table = database.table(request["ResourceArn"])
    wanted = {tag["Key"]: tag for tag in request["Tags"]}
    if any(name.startswith(RESERVED) for name in wanted):
        raise invalid("Tag keys that begin with aws: are reserved")
    table.tags = list(({tag["Key"]: tag for tag in table.tags} | wanted).values())
    return {}


def untag_resource(database: Database, request: Json) -> Json:
    """UntagResource."""
    table = database.table(request["ResourceArn"])
    table.tags = [tag for tag in table.tags if tag["Key"] not in request["TagKeys"]]
    return {}


def get_resource_policy(database: Database, request: Json) -> Json:
    """GetResourcePolicy."""
    policy = extras_of(database.table(request["ResourceArn"])).policy
    if policy is None:
        raise Refused("PolicyNotFoundException", "Resource-based policy not found for the provided table")
    return {"Policy": policy, "RevisionId": "1"}


def list_contributor_insights(database: Database, request: Json) -> Json:
    """ListContributorInsights."""
    table = database.table(request["TableName"])
    found = [
        {"TableName": table.name, "ContributorInsightsStatus": "ENABLED"}
        | ({"IndexName": index} if index else {})
        for index in extras_of(table).insights
    ]
    return {"ContributorInsightsSummaries": found}


def describe_kinesis_streaming_destination(database: Database, request: Json) -> Json:
    """DescribeKinesisStreamingDestination."""
    table = database.table(request["TableName"])
    found = [{"StreamArn": arn, "DestinationStatus": "ACTIVE"} for arn in extras_of(table).streams]
    return {"TableName": table.name, "KinesisDataStreamDestinations": found}


OPERATIONS: dict[str, Operation] = {
    "CreateTable": create_table,
    "DescribeTable": describe_table,
    "UpdateTable": update_table_class,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "GetResourcePolicy": get_resource_policy,
    "ListContributorInsights": list_contributor_insights,
    "DescribeKinesisStreamingDestination": describe_kinesis_streaming_destination,
}
