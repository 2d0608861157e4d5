"""What a call needs to be allowed: an action on a resource, and what conditions are asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.services.clients import REGION

ACCOUNT = "111122223333"
KEY_OF_ALIASES = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0f0f0f-1111-2222-3333-444444444444"

Parameters = Mapping[str, Any]
Rule = Callable[["Parameters", "KmsKeys"], Iterator["Need"]]
KmsKeys = dict[str, str]  # ARN of an object, bucket or topic -> its key, as the writer named it


class UnknownCall(AssertionError):
    """No rule says what a call needs; add it to ``CALLS``."""


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource, and the condition keys that the service would hand to IAM."""

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def needed_to_hear_of_absence(parameters: Parameters) -> Need:
    """Without this S3 answers "access denied" for an object that is not there; its key is the prefix."""
    return list_bucket(parameters, parameters["Key"])


def bucket_arn(parameters: Parameters) -> str:
    return f"arn:aws:s3:::{parameters['Bucket']}"


def object_arn(parameters: Parameters, key: str | None = None) -> str:
    return f"{bucket_arn(parameters)}/{parameters['Key'] if key is None else key}"


def list_bucket(parameters: Parameters, prefix: str | None) -> Need:
    context = {} if prefix is None else {"s3:prefix": (prefix,)}
    return Need("s3:ListBucket", bucket_arn(parameters), context)


def kms(action: str, named: str, service: str = "s3") -> Need:
    """A service asks KMS in the caller's name."""
    via = {"kms:ViaService": (f"{service}.{REGION}.amazonaws.com",)}
    if named.startswith("alias/"):
        return Need(action, KEY_OF_ALIASES, {**via, "kms:ResourceAliases": ("alias/unrelated", named)})
    arn = named if named.startswith("arn:") else f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{named}"
    return Need(action, arn, via)


def on_table(action: str) -> Rule:
    def rule(parameters: Parameters, _: KmsKeys) -> Iterator[Need]:
        yield Need(action, table_arn(parameters["TableName"]))

    return rule


def table_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def account_wide(action: str) -> Rule:
    def rule(_: Parameters, __: KmsKeys) -> Iterator[Need]:
        yield Need(action, "*")

    return rule
