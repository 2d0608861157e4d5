"""Any table that DynamoDB lets a person make: requests of CreateTable, and what is set after it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.faults.table_world import TABLE

Json = dict[str, Any]
NAMES = ("pk", "sk", "a", "b", "c")
METRICS = {"Read": "DynamoDBReadCapacityUtilization", "Write": "DynamoDBWriteCapacityUtilization"}
UNITS = st.integers(1, 40_000)
TAG_TEXT = st.text("abcAB 1:/=+-@_", min_size=1, max_size=12).filter(lambda text: not text.startswith("aws:"))


def _key(names: list[str]) -> list[Json]:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]


@st.composite
def _index(draw: st.DrawFn, name: str, keys: list[str], *, on_demand: bool | None) -> Json:
    """A local index where ``on_demand`` is None, else a global one."""
    kind = draw(st.sampled_from(["ALL", "KEYS_ONLY", "INCLUDE"]))
    projection: Json = {"ProjectionType": kind}
    if kind == "INCLUDE":
        names = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, unique=True)
        projection["NonKeyAttributes"] = draw(names)
    index = {"IndexName": name, "KeySchema": _key(keys), "Projection": projection}
    return index if on_demand is None else index | draw(_capacity(on_demand=on_demand))


@st.composite
def _capacity(draw: st.DrawFn, *, on_demand: bool) -> Json:
    read, write = draw(UNITS), draw(UNITS)
    made: Json = {}
    least = (12_000, 4_000) if on_demand else (read, write)
    if not on_demand:
        made["ProvisionedThroughput"] = {"ReadCapacityUnits": read, "WriteCapacityUnits": write}
    elif draw(st.booleans()):
        made["OnDemandThroughput"] = {"MaxReadRequestUnits": draw(st.sampled_from([-1, read]))}
        made["OnDemandThroughput"]["MaxWriteRequestUnits"] = draw(st.sampled_from([-1, write]))
    if draw(st.booleans()):
        more = st.integers(0, 5_000)
        made["WarmThroughput"] = {
            "ReadUnitsPerSecond": least[0] + draw(more),
            "WriteUnitsPerSecond": least[1] + draw(more),
        }
    return made


@st.composite
def requests(draw: st.DrawFn) -> Json:
    """A request of CreateTable."""
    on_demand = draw(st.booleans())
    keys = draw(st.sampled_from([["pk"], ["pk", "sk"]]))
    local = [
        draw(_index(f"local-{name}", ["pk", name], on_demand=None))
        for name in draw(st.lists(st.sampled_from(["a", "b"]), unique=True) if len(keys) > 1 else st.just([]))
    ]
    pairs = st.sampled_from([["a"], ["b", "c"], ["c", "pk"]])
    global_ = [
        draw(_index(f"global-{number}", key, on_demand=on_demand))
        for number, key in enumerate(draw(st.lists(pairs, max_size=2)))
    ]
    used = {part["AttributeName"] for index in (*local, *global_) for part in index["KeySchema"]} | set(keys)
    request: Json = {
        "TableName": TABLE,
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": draw(st.sampled_from("SNB"))} for name in sorted(used)
        ],
        "KeySchema": _key(keys),
        "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED",
        "DeletionProtectionEnabled": draw(st.booleans()),
        **draw(_capacity(on_demand=on_demand)),
    }
    return request | _some_indexes(local, global_) | draw(_options())


def _some_indexes(local: list[Json], global_: list[Json]) -> Json:
    found = {"LocalSecondaryIndexes": local, "GlobalSecondaryIndexes": global_}
    return {name: indexes for name, indexes in found.items() if indexes}


@st.composite
def _options(draw: st.DrawFn) -> Json:
    """A stream, a class, a key, tags: each there or not."""
    views = st.sampled_from(["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"])
    key = "arn:aws:kms:us-east-1:123456789012:key/ours"
    tags = draw(st.dictionaries(TAG_TEXT, st.text("xyz ", max_size=5), max_size=4))
    options: Json = {
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": draw(views)},
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "SSESpecification": draw(
            st.sampled_from([{"Enabled": True}, {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}])
        ),
        "Tags": [{"Key": name, "Value": value} for name, value in tags.items()],
    }
    return {name: value for name, value in options.items() if value and draw(st.booleans())}


@st.composite
def settings(draw: st.DrawFn, request: Json) -> Json:
    """What is set when the table is there: time to live, recovery, autoscaling."""
    targets, policies = [], []
    indexes = [index["IndexName"] for index in request.get("GlobalSecondaryIndexes", ())]
    resources = [(f"table/{TABLE}", "table"), *((f"table/{TABLE}/index/{name}", "index") for name in indexes)]
    for resource, kind in resources if request["BillingMode"] == "PROVISIONED" else ():
        for side in draw(st.lists(st.sampled_from(["Read", "Write"]), unique=True)):
            spot = {"ResourceId": resource, "ScalableDimension": f"dynamodb:{kind}:{side}CapacityUnits"}
            least = draw(st.integers(1, 100))
            targets.append({**spot, "MinCapacity": least, "MaxCapacity": least + draw(st.integers(0, 100))})
            if draw(st.booleans()):
                policies.append({**spot, **draw(_policy(side))})
    return {
        "time_to_live": draw(st.none() | st.sampled_from(["expires", "ttl"])),
        "recovery_days": draw(st.none() | st.integers(1, 35)),
        "scaling": targets,
        "policies": policies,
    }


@st.composite
def _policy(draw: st.DrawFn, side: str) -> Json:
    tracking: Json = {
        "TargetValue": draw(st.sampled_from([20.0, 55.5, 90.0])),
        "PredefinedMetricSpecification": {"PredefinedMetricType": METRICS[side]},
    }
    if draw(st.booleans()):
        tracking |= {"ScaleInCooldown": 60, "ScaleOutCooldown": 0, "DisableScaleIn": True}
    return {
        "PolicyName": f"{side}-policy",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
