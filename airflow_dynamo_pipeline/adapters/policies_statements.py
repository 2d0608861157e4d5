"""What IAM policies are made of: statements, and the ones that several policies share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dynamo_pipeline.adapters.arns import ANY, Place
from airflow_dynamo_pipeline.adapters.policy_settings import Group, read
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.settings import flag

VERSION = "2012-10-17"  # of the policy language, the newest

Given = Mapping[str, Any]
Condition = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """Some actions, allowed on some resources."""

    sid: str
    actions: tuple[str, ...]
    resource: str | Sequence[str]
    condition: Condition = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The statement as a policy holds it."""
        made: JsonObject = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": self.resource if isinstance(self.resource, str) else list(self.resource),
        }
        return made | ({"Condition": self.condition} if self.condition else {})


@dataclass(frozen=True, slots=True)
class Trust:
    """Who may assume a role."""

    principal: Mapping[str, Sequence[str]]
    condition: Condition = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The one statement of a trust policy."""
        made: JsonObject = {
            "Sid": "AssumeRole",
            "Effect": "Allow",
            "Principal": {
                kind: list(names) if len(names) > 1 else names[0] for kind, names in self.principal.items()
            },
            "Action": "sts:AssumeRole",
        }
        return made | ({"Condition": self.condition} if self.condition else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How one policy is made; that of a role may be asked for who assumes it instead (``trust``)."""

    command: str  # of dynamo-pipeline iam-policy
    required: tuple[Group, ...]
    optional: tuple[str, ...]
    statements: Callable[[Given, Place], Iterator[Statement]]
    trust: Callable[[Given, Place], Trust] | None = None

    @property
    def settings(self) -> tuple[str, ...]:
        """Every setting it takes, in the order of the help."""
        named = tuple(name for group in self.required for name in group)
        return (*named, *self.optional, *(("trust",) if self.trust else ()))

    def document(self, given: Mapping[str, object]) -> JsonObject:
        """The policy for these settings; raises InvalidRequest with every problem found."""
        if self.trust is not None and flag("trust", given.get("trust", False)):
            found, place = read((), self.settings, given)  # who assumes it does not depend on the rest
            made: Sequence[Statement | Trust] = [self.trust(found, place)]
        else:
            found, place = read(self.required, self.settings, given)
            made = merged(self.statements(found, place))
        return {"Version": VERSION, "Statement": [statement.to_json() for statement in made]}


def merged(statements: Iterable[Statement]) -> list[Statement]:
    """The same with nothing said twice, and no Sid: policies of several things have parts in common."""
    by_place: dict[str, Statement] = {}
    for one in statements:
        place = json.dumps([one.sid, one.resource, one.condition])
        known = by_place.get(place, one)
        more = tuple(action for action in one.actions if action not in known.actions)
        by_place[place] = replace(known, actions=(*known.actions, *more))
    counts: Counter[str] = Counter()
    made: list[Statement] = []
    for one in by_place.values():
        counts[one.sid] += 1
        made.append(replace(one, sid=f"{one.sid}{counts[one.sid]}") if counts[one.sid] > 1 else one)
    return made


# --- the ones that several policies share ---------------------------------------------------------


def describe_table(given: Given, place: Place) -> Iterator[Statement]:
    """What the sensors that look at a table need."""
    yield Statement("DescribeTable", ("dynamodb:DescribeTable",), place.table(given["table_name"]))


def read_capacity(*more: str) -> Statement:
    """CloudWatch's action knows no resource. Service Quotas' knows one since 2026 only, if any is given."""
    return Statement("ReadOnDemandCapacity", ("cloudwatch:GetMetricStatistics", *more), ANY)


def write_objects(sid: str, bucket: str, keys: str, place: Place) -> Iterator[Statement]:
    """Parts in pieces, what goes beside them, and removing what killed attempts left."""
    yield Statement("ListUploads", ("s3:ListBucketMultipartUploads",), place.bucket(bucket))
    actions = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
    yield Statement(sid, actions, place.objects(bucket, keys))


def list_objects(bucket: str, prefixes: str | Sequence[str], place: Place, which: str = "") -> Statement:
    """Listing, and being told that an object is not there, below some prefixes and nowhere else.

    To S3 the key of an object that is not there is an ``s3:prefix``, too. HeadBucket has none: it is denied,
    and the reply names the bucket's region all the same, which is all that is wanted of it.
    """
    condition = {"StringLike": {"s3:prefix": prefixes if isinstance(prefixes, str) else list(prefixes)}}
    return Statement(f"ListObjects{which}", ("s3:ListBucket",), place.bucket(bucket), condition)


def use_key(
    given: Given, place: Place, *actions: str, setting: str = "s3_sse_kms_key_id", service: str = "S3"
) -> Iterator[Statement]:
    """The key through one service only: nothing here calls KMS itself."""
    if setting in given:
        key, alias = place.kms_key(given[setting])
        condition: dict[str, dict[str, Any]] = {
            "StringLike": {"kms:ViaService": f"{service.lower()}.{place.region_name}.*"}
        }
        if alias:
            condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": alias}
        yield Statement(f"UseKeyThrough{service}", actions, key, condition)
