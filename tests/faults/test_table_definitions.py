"""A definition that was saved makes the table again, or the restore says what it could not put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from airflow_dynamo_pipeline.engine.table_definition import decode_definition, import_parameters
from airflow_dynamo_pipeline.engine.table_restore import KEPT, UNSEEN
from airflow_dynamo_pipeline.engine.table_restore import OWN_KEY as OWN_ALIAS
from airflow_dynamo_pipeline.engine.table_settings import MARK
from airflow_dynamo_pipeline.errors import AccessDenied, Refused, ServiceTrouble, Stopped, TableChanged
from tests.faults import any_tables
from tests.faults.dynamodb.definitions import OWN_KEY
from tests.faults.endpoint import Killed
from tests.faults.points import some_of
from tests.faults.script import Fault, Kind
from tests.faults.table_world import COPY, LOOKS, SCALING, SETTLE_SECONDS, TABLE, TableWorld

UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}


def target(resource: str, dimension: str) -> dict[str, object]:
    return {"ResourceId": resource, "ScalableDimension": dimension}


FULL: dict[str, Any] = {
    "TableName": TABLE,
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind}
        for name, kind in (("pk", "S"), ("sk", "N"), ("at", "B"))
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "local",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["b", "a"]},
        }
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-at",
            "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
            "ProvisionedThroughput": UNITS,
            "WarmThroughput": {"ReadUnitsPerSecond": 50, "WriteUnitsPerSecond": 60},
        }
    ],
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": UNITS,
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"},
    "SSESpecification": {"Enabled": True, "KMSMasterKeyId": "arn:aws:kms:us-east-1:123456789012:key/ours"},
    "TableClass": "STANDARD_INFREQUENT_ACCESS",
    "DeletionProtectionEnabled": True,
    "Tags": [{"Key": "team", "Value": "billing"}, {"Key": "stage", "Value": ""}],
}
WRITES = target(f"table/{TABLE}", "dynamodb:table:WriteCapacityUnits")
INDEX = target(f"table/{TABLE}/index/by-at", "dynamodb:index:ReadCapacityUnits")
TRACKED = {
    "TargetValue": 55.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
    "ScaleInCooldown": 120,
}
POLICY = {
    **WRITES,
    "PolicyName": "by-hand",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": TRACKED,
}
SETTINGS = {
    "time_to_live": "expires",
    "recovery_days": 7,
    "scaling": [
        {
            **WRITES,
            "MinCapacity": 2,
            "MaxCapacity": 50,
            "SuspendedState": {"DynamicScalingInSuspended": True},
        },
        {**INDEX, "MinCapacity": 3, "MaxCapacity": 60},
    ],
    "policies": [POLICY],
}
PLAIN = {
    "TableName": TABLE,
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def world_with_everything() -> TableWorld:
    world = TableWorld()
    world.make(FULL, **SETTINGS)
    return world


def test_i10_a_table_with_everything_is_made_again() -> None:
    world = world_with_everything()

    attempt = world.restore(world.save().definition)

    assert () == tuple(attempt.result.not_put_back)
    assert "new" == attempt.result.start
    assert world.replies(TABLE) == world.replies(COPY)


def test_i10_a_restore_that_is_stopped_before_it_made_anything_makes_nothing() -> None:
    world = world_with_everything()
    definition = world.save().definition

    stopped = world.restore_until("", definition, stopped=True)

    assert isinstance(stopped.outcome, Stopped)
    assert [] == stopped.changes


def test_i10_a_restore_that_is_stopped_begins_nothing_more_and_is_finished_by_the_next() -> None:
    steps = (whole := world_with_everything()).restore(whole.save().definition).said
    for number, step in enumerate(steps[:-1]):  # after the last one it is whole
        world = world_with_everything()
        definition = world.save().definition

        stopped = world.restore_until(step, definition)

        assert isinstance(stopped.outcome, Stopped), step
        assert steps[: number + 1] == stopped.said
        assert () == tuple(world.restore(definition).result.not_put_back)
        assert world.replies(TABLE) == world.replies(COPY)


@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=25, deadline=None)
def test_i10_any_table_is_made_again(data: st.DataObject) -> None:
    world = TableWorld()
    request = data.draw(any_tables.requests())
    world.make(request, **data.draw(any_tables.settings(request)))
    saved = world.save().definition

    restored = world.restore(decode_definition(saved.to_json(), "a file"))

    assert [] == list(restored.result.not_put_back)
    assert world.replies(TABLE) == world.replies(COPY)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_i10_killed_at_any_change_and_run_again_a_restore_ends_the_same(
    after: bool,
    record_property: Callable[[str, object], None],
) -> None:
    whole = world_with_everything()
    calls = whole.restore(whole.save().definition).operations
    changes = [number for number, name in enumerate(calls, start=1) if not name.startswith(LOOKS)]
    assert len(changes) > 6
    points = list(some_of(changes))
    record_property("fault_points", len(points))
    for number in points:
        world = world_with_everything()
        saved = world.save().definition
        killed = world.restore(saved, Fault(Kind.KILL, number, after=after))
        assert isinstance(killed.outcome, Killed)

        again = world.restore(saved)

        assert [] == list(again.result.not_put_back), number
        assert world.replies(TABLE) == world.replies(COPY), number


@pytest.mark.parametrize(
    ("operation", "service", "what"),
    [
        ("UpdateTimeToLive", "dynamodb", "time to live"),
        ("UpdateContinuousBackups", "dynamodb", "point-in-time recovery"),
        ("RegisterScalableTarget", SCALING, "autoscaling of WriteCapacityUnits"),
        ("PutScalingPolicy", SCALING, "autoscaling of WriteCapacityUnits, policy by-hand"),
        ("UpdateTable", "dynamodb", "deletion protection"),
        ("UntagResource", "dynamodb", f"tag {MARK}"),
    ],
)
def test_i10_what_the_role_may_not_set_is_listed_and_the_same_restore_sets_it_later(
    operation: str, service: str, what: str
) -> None:
    world = world_with_everything()
    saved = world.save().definition

    denied = world.restore(saved, Fault(Kind.DENY, on=operation, times=9)).result
    later = world.restore(saved)

    reasons = {each.what: each.why for each in denied.not_put_back}
    assert f"access denied: {service}:{operation} on table {COPY}" in reasons[what]
    assert f"tag {MARK}" in reasons
    assert ("resume", []) == (later.result.start, list(later.result.not_put_back))
    assert world.replies(TABLE) == world.replies(COPY)


def test_i10_what_no_definition_carries_is_named() -> None:
    world = world_with_everything()
    extras = world.extras()
    extras.policy, extras.insights, extras.streams = "{}", [None, "by-at"], ["arn:stream"]
    extras.described = {
        "Replicas": [{"RegionName": "us-east-1"}, {"RegionName": "eu-west-1"}],
        "VectorIndexes": [{"IndexName": "v"}],
    }
    world.aws.scheduled = [{"ResourceId": f"table/{TABLE}", "ScheduledActionName": "nightly"}]
    world.aws.dynamodb.table(TABLE).tags.append({"Key": "aws:cloudformation:stack-name", "Value": "shop"})

    result = world.restore(world.save().definition).result

    assert {
        "replicas": "in eu-west-1; add them to the new table",
        "vector indexes": "set it on the new table",
        "scheduled actions of autoscaling": "nightly; set it on the new table",
        "resource policy": "of the table; set it on the new table",
        "contributor insights": "of the table, of index by-at; set it on the new table",
        "Kinesis data stream": "arn:stream; set it on the new table",
        "tag aws:cloudformation:stack-name": "shop",
    } == {each.what: each.wanted for each in result.not_put_back}


@pytest.mark.parametrize(
    "key", ["arn:aws:kms:eu-west-1:123456789012:key/k", "arn:aws:kms:us-east-1:999999999999:key/k"]
)
def test_i10_a_key_of_another_region_or_account_is_reported_and_another_may_be_named(key: str) -> None:
    world = TableWorld()
    world.make({**FULL, "SSESpecification": {"Enabled": True, "KMSMasterKeyId": key}})
    saved = world.save().definition

    without = world.restore(saved).result
    named = world.restore(
        saved, table_name="named", kms_key_id="arn:aws:kms:us-east-1:123456789012:key/k2"
    ).result
    own = world.restore(saved, table_name="own", kms_key_id=OWN_ALIAS).result

    (left,) = without.not_put_back
    assert ("encryption", "none") == (left.what, left.found)
    assert key in left.wanted
    assert "the key belongs to another region or account; name one with --kms-key-id" == left.why
    assert [] == list(named.not_put_back)
    assert "arn:aws:kms:us-east-1:123456789012:key/k2" == world.extras("named").key
    assert [] == list(own.not_put_back)
    assert OWN_KEY == world.extras("own").key


def test_i10_another_table_of_that_name_is_refused_with_every_difference_and_untouched() -> None:
    world = world_with_everything()
    saved = world.save().definition
    world.aws.dynamodb.create_table(COPY, key=(("pk", "S"), ("day", "S")))
    before = world.replies(COPY)

    attempt = world.restore(saved, onto_existing=True)

    assert isinstance(attempt.outcome, Refused)
    assert "differs in key: pk S HASH, sk N RANGE wanted, pk S HASH, day S RANGE found" in str(
        attempt.outcome
    )
    for what in ("local index local", "global index keys by-at", "billing mode", "stream", "tag team"):
        assert f"differs in {what}: " in str(attempt.outcome)
    assert [] == attempt.changes
    assert before == world.replies(COPY)


def test_i10_a_table_in_use_with_the_same_keys_is_only_brought_to_the_definition_when_that_is_asked() -> None:
    world = TableWorld()
    world.make(
        {**PLAIN, "Tags": [{"Key": "team", "Value": "billing"}]}, time_to_live="expires", recovery_days=7
    )
    saved = world.save().definition
    world.make({**PLAIN, "TableName": COPY})

    refused = world.restore(saved)
    asked = world.restore(saved, onto_existing=True)

    assert isinstance(refused.outcome, Refused)
    assert "--onto-existing" in str(refused.outcome)
    assert [] == refused.changes
    assert ["UpdateTimeToLive", "UpdateContinuousBackups", "TagResource"] == asked.changes
    assert ("existing", []) == (asked.result.start, list(asked.result.not_put_back))


def test_i10_a_restore_switches_nothing_off_and_lists_what_is_more() -> None:
    world = TableWorld()
    world.make(PLAIN)
    saved = world.save().definition
    world.make(
        {**PLAIN, "TableName": COPY, "DeletionProtectionEnabled": True, "Tags": [{"Key": "a", "Value": "b"}]},
        time_to_live="other",
        recovery_days=30,
    )
    before = world.replies(COPY)

    attempt = world.restore(saved, onto_existing=True)

    left = {each.what: (each.wanted, each.found) for each in attempt.result.not_put_back}
    assert {
        "deletion protection": ("False", "True"),
        "point-in-time recovery": ("none", "30 days"),
        "tag a": ("none", "b"),
        "time to live": ("none", "other"),
    } == left
    assert [] == attempt.changes
    assert before == world.replies(COPY)


def on_copy(setting: dict[str, Any], **others: object) -> dict[str, Any]:
    """A target or policy of the table as one of the other table's."""
    return {**setting, "ResourceId": setting["ResourceId"].replace(TABLE, COPY), **others}


def world_with_a_table_that_is_set_otherwise(*tags: dict[str, str]) -> TableWorld:
    world = TableWorld()
    world.make(
        {**FULL, "Tags": [{"Key": "team", "Value": "billing"}], "SSESpecification": {"Enabled": False}},
        **{**SETTINGS, "recovery_days": 35},
    )
    world.make(
        {
            **FULL,
            "TableName": COPY,
            "SSESpecification": {"Enabled": False},
            "Tags": [{"Key": "team", "Value": "none"}, *tags],
        },
        time_to_live="expires",
        recovery_days=7,
        scaling=[on_copy(WRITES, MinCapacity=5, MaxCapacity=500)],
        policies=[on_copy(POLICY, TargetTrackingScalingPolicyConfiguration={**TRACKED, "TargetValue": 20.0})],
    )
    return world


def test_i10_what_a_table_in_use_has_otherwise_is_left_and_listed() -> None:
    world = world_with_a_table_that_is_set_otherwise()
    before = world.replies(COPY)

    attempt = world.restore(world.save().definition, onto_existing=True)

    left = {each.what: (each.found, each.why) for each in attempt.result.not_put_back}
    policy, _ = left.pop("autoscaling of WriteCapacityUnits, policy by-hand")
    assert '"TargetValue":20.0' in policy
    assert {
        "autoscaling of WriteCapacityUnits": ("5 to 500", KEPT),
        "point-in-time recovery": ("7 days", KEPT),
        "tag team": ("none", KEPT),
    } == left
    assert ["autoscaling of ReadCapacityUnits of global index by-at"] == attempt.result.done
    after = world.replies(COPY)
    kept, made = before.pop("targets"), after.pop("targets")
    assert (1, 2) == (len(kept), len(made))
    assert kept[0] in made
    assert before == after


def test_i10_a_class_that_a_table_in_use_was_given_is_left_and_listed() -> None:
    world = TableWorld()
    world.make(PLAIN)
    world.make({**PLAIN, "TableName": COPY, "TableClass": "STANDARD_INFREQUENT_ACCESS"})

    attempt = world.restore(world.save().definition, onto_existing=True)

    assert [("table class", KEPT)] == [(each.what, each.why) for each in attempt.result.not_put_back]
    assert [] == attempt.changes


def test_i10_a_table_that_a_restore_left_unfinished_is_brought_to_the_definition() -> None:
    world = world_with_a_table_that_is_set_otherwise({"Key": MARK, "Value": "unfinished"})

    attempt = world.restore(world.save().definition)

    assert ("resume", []) == (attempt.result.start, list(attempt.result.not_put_back))
    assert world.replies(TABLE) == world.replies(COPY)


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        ("ListTagsOfResource", "tag team"),
        ("DescribeContinuousBackups", "point-in-time recovery"),
        ("DescribeScalableTargets", "autoscaling of WriteCapacityUnits"),
        ("DescribeScalingPolicies", "autoscaling of WriteCapacityUnits, policy by-hand"),
    ],
)
def test_i10_what_cannot_be_read_of_a_table_in_use_is_left_and_listed(operation: str, what: str) -> None:
    world = world_with_a_table_that_is_set_otherwise()
    saved = world.save().definition
    before = world.replies(COPY)

    attempt = world.restore(saved, Fault(Kind.DENY, on=operation, times=99), onto_existing=True)

    assert (what, UNSEEN) in [(each.what, each.why) for each in attempt.result.not_put_back]
    after = world.replies(COPY)
    for part in ("tags", "recovery", "policies"):
        assert before[part] == after[part]
    assert before["targets"][0] in after["targets"]


def test_i10_tags_whose_names_begin_as_the_mark_does_come_back() -> None:
    world = TableWorld()
    world.make({**PLAIN, "Tags": [{"Key": f"{MARK}d-from", "Value": "x"}]})

    result = world.restore(world.save().definition).result

    assert [] == list(result.not_put_back)
    assert world.replies(TABLE) == world.replies(COPY)


def delete_copy(world: TableWorld) -> None:
    """As a person does it, between two looks of a restore."""
    world.clock.advance(SETTLE_SECONDS)
    with world.person() as client:
        client("dynamodb").delete_table(TableName=COPY)
    world.clock.advance(60)


@pytest.mark.parametrize("is_seen", [False, True])
def test_a_table_that_is_gone_is_not_waited_for(is_seen: bool) -> None:
    world = TableWorld()
    world.make(PLAIN)
    saved = world.save().definition
    waits: list[float] = []

    def on_wait(seconds: float) -> None:
        waits.append(seconds)
        assert len(waits) < 1000
        if is_seen and len(waits) == 1:
            delete_copy(world)

    world.clock.on_wait = on_wait
    if not is_seen:
        world.aws.late = {"CreateTable": (1, {"TableDescription": {"TableStatus": "CREATING"}})}

    attempt = world.restore(saved)

    assert isinstance(attempt.outcome, TableChanged)
    said = "was deleted while it was restored" if is_seen else "was made and not seen for 600 s since"
    assert f"table {COPY} {said}" == str(attempt.outcome)
    assert (1 if is_seen else 300) == len(waits)


def test_a_table_that_goes_between_two_steps_ends_the_restore() -> None:
    world = TableWorld()
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    world.make({**PLAIN, "StreamSpecification": stream, "Tags": [{"Key": "team", "Value": "billing"}]})
    saved = world.save().definition
    world.make({**PLAIN, "TableName": COPY})
    world.clock.on_wait = lambda _: delete_copy(world)

    attempt = world.restore(saved, onto_existing=True)

    assert isinstance(attempt.outcome, TableChanged)
    assert ["UpdateTable"] == attempt.changes


def test_i10_what_imports_leave_out_is_put_back_onto_the_table_they_made() -> None:
    world = world_with_everything()
    saved = world.save().definition
    extras = {"LocalSecondaryIndexes"}
    made = {name: value for name, value in import_parameters(saved, COPY).items() if name not in extras}
    saved = msgspec.structs.replace(
        saved, table=msgspec.structs.replace(saved.table, local_secondary_indexes=())
    )
    world.make(made)

    attempt = world.restore(saved, onto_existing=True)

    assert [] == list(attempt.result.not_put_back)
    assert "DeleteTable" not in attempt.operations


def test_a_finished_restore_run_again_has_nothing_to_do() -> None:
    world = world_with_everything()
    saved = world.save().definition
    world.restore(saved)

    again = world.restore(saved)

    assert [] == again.changes
    assert ("existing", []) == (again.result.start, list(again.result.not_put_back))


READS = [
    ("ListTagsOfResource", "dynamodb", "tags"),
    ("DescribeTimeToLive", "dynamodb", "time to live"),
    ("DescribeContinuousBackups", "dynamodb", "point-in-time recovery"),
    ("DescribeScalableTargets", SCALING, "autoscaling"),
    ("DescribeScalingPolicies", SCALING, "autoscaling"),
    ("DescribeScheduledActions", SCALING, "scheduled actions of autoscaling"),
    ("DescribeKey", "kms", "owner of the KMS key"),
    ("GetResourcePolicy", "dynamodb", "resource policy"),
    ("ListContributorInsights", "dynamodb", "contributor insights"),
    ("DescribeKinesisStreamingDestination", "dynamodb", "Kinesis data stream"),
]


@pytest.mark.parametrize(("operation", "service", "what"), READS)
def test_i10_what_could_not_be_read_is_refused_or_kept_as_missing_and_listed(
    operation: str, service: str, what: str
) -> None:
    world = world_with_everything()
    denial = Fault(Kind.DENY, on=operation, times=9)

    refused = world.save(denial)
    saved = world.save(denial, incomplete=True).definition
    result = world.restore(saved).result

    assert isinstance(refused.outcome, Refused)
    assert f"{what} could not be read: access denied: {service}:{operation}" in str(refused.outcome)
    assert what == saved.not_read[0].what
    assert [("unknown", "as it is")] == [
        (each.wanted, each.found) for each in result.not_put_back if each.what == what
    ]


def test_a_table_that_may_not_be_described_is_refused_at_once() -> None:
    world = world_with_everything()

    attempt = world.save(Fault(Kind.DENY, on="DescribeTable"), incomplete=True)

    assert isinstance(attempt.outcome, AccessDenied)
    assert "dynamodb:DescribeTable" == attempt.outcome.action


def test_what_is_wrong_for_the_moment_is_tried_again() -> None:
    world = world_with_everything()
    saved = world.save(Fault(Kind.SERVER_ERROR, on="DescribeTimeToLive")).definition

    attempt = world.restore(saved, Fault(Kind.SERVER_ERROR, on="CreateTable", after=True))

    assert 2 == attempt.operations.count("CreateTable")
    assert [] == list(attempt.result.not_put_back)


def test_saving_changes_nothing() -> None:
    world = world_with_everything()

    assert [] == world.save().changes


def test_i10_what_shows_late_is_looked_at_again_and_is_no_difference() -> None:
    """Tags and other settings are read with a delay: also the tag that marks a table of a restore."""
    world = world_with_everything()
    saved = world.save().definition
    world.aws.late = {
        "ListTagsOfResource": (3, {"Tags": []}),
        "DescribeTimeToLive": (4, {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}),
    }

    attempt = world.restore(saved)

    assert ("new", []) == (attempt.result.start, list(attempt.result.not_put_back))
    assert world.replies(TABLE) == world.replies(COPY)


def test_i10_what_never_shows_is_listed() -> None:
    world = world_with_everything()
    saved = world.save().definition
    world.aws.late = {"DescribeTimeToLive": (99, {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})}

    attempt = world.restore(saved)

    assert ["time to live"] == [each.what for each in attempt.result.not_put_back]


def test_i10_trouble_that_outlasts_all_patience_ends_the_restore_and_the_next_one_goes_on() -> None:
    world = world_with_everything()
    saved = world.save().definition

    ended = world.restore(saved, Fault(Kind.SERVER_ERROR, on="UpdateTimeToLive", times=10_000))
    again = world.restore(saved)

    assert isinstance(ended.outcome, ServiceTrouble)
    assert ("resume", []) == (again.result.start, list(again.result.not_put_back))
    assert world.replies(TABLE) == world.replies(COPY)


def test_i10_more_targets_of_autoscaling_than_one_page_holds_all_come_back() -> None:
    world = TableWorld()
    names = [f"by-{number}" for number in range(5)]
    index = FULL["GlobalSecondaryIndexes"][0]
    resources = [(f"table/{TABLE}", "table"), *((f"table/{TABLE}/index/{name}", "index") for name in names)]
    targets = [
        {**target(resource, f"dynamodb:{kind}:{side}CapacityUnits"), "MinCapacity": 1, "MaxCapacity": 2}
        for resource, kind in resources
        for side in ("Read", "Write")
    ]
    indexes = [{**index, "IndexName": name} for name in names]
    world.make({**FULL, "GlobalSecondaryIndexes": indexes}, scaling=targets)
    saved = world.save().definition

    result = world.restore(saved).result

    assert 12 == len(saved.autoscaling)
    assert [] == list(result.not_put_back)
    assert world.replies(TABLE) == world.replies(COPY)
