"""Whatever is wrong is said in words a person can act on, and nothing that was there or done is lost."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    CorruptReply,
    InvalidRequest,
    PipelineError,
    PreflightFailed,
    TableChanged,
    Temporary,
    UnexpectedReply,
)
from tests.integration.faults import (
    KMS_KEY,
    ROLE,
    Answer,
    after,
    answer,
    dynamodb_error,
    first,
    inject,
    kms_denied,
    s3_error,
    sent,
)
from tests.integration.recorder import recorder
from tests.integration.world import FastClock, Item, World, bucket_in, create_table, fill, multiset
from tests.services import Services

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
TEN_MINUTES_IN_ONE_SECOND = 600.0
ENOUGH_PAGES = 30  # of two segments: whoever got more of them has closed a file of a mebibyte, 14 pages
SMALL_PAGES: dict[str, Any] = {
    "units_per_second": 40,
    "segments": 2,
}  # ten units a page: the table below has some forty


def rows(count: int = 400, size: int = 8000) -> list[Item]:
    return [{"pk": {"S": f"{n:05}"}, "text": {"S": "x" * size}} for n in range(count)]


@pytest.fixture(scope="module")
def table(services: Services, dynamodb: DynamoDBClient) -> str:
    """About 3 MB in 400 items."""
    name = create_table(dynamodb)
    fill(services.dynamodb_url, name, rows())
    return name


@pytest.fixture
def own_table(services: Services, dynamodb: DynamoDBClient) -> str:
    """The same, for a test that changes it."""
    name = create_table(dynamodb)
    fill(services.dynamodb_url, name, rows())
    return name


def refused(world: World, kind: type[PipelineError], *words: str, table: str, **settings: Any) -> str:
    """Export, be refused with all these words, and leave no manifest; returns the message."""
    with pytest.raises(kind) as caught:
        world.export(table, **settings)
    message = str(caught.value)
    assert [] == [word for word in words if word not in message], message
    assert [] == world.manifests()
    return message


def nothing_written(world: World) -> bool:
    return [] == world.listed() == world.uploads()


def complete(world: World, table: str, items: list[Item] | None = None, **settings: Any) -> None:
    """Export without faults, find each item once and no file too many."""
    result = world.export(table, **settings)
    assert multiset(items or rows()) == multiset(world.items(result.manifest_uri))
    assert world.data_keys() == sorted(
        entry["dataFileS3Key"] for uri in all_manifests(world) for entry in world.file_entries(uri)
    )


def all_manifests(world: World) -> list[str]:
    return [f"s3://{world.bucket}/{key}" for key in world.manifests()]


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ratio": 0}, ["ratio", "0", "above 0", "1.5", "HINT"]),
        ({"ratio": "1.6"}, ["ratio", "1.6", "at most 1.5"]),
        ({"ratio": "abc"}, ["ratio", "'abc'", "a number"]),
        ({"ratio": "nan"}, ["ratio", "nan", "finite number"]),
        ({"ratio": 0.5, "units_per_second": 10}, ["ratio", "units_per_second", "both", "HINT: keep"]),
        ({"units_per_second": 0.5}, ["units_per_second", "0.5", "1 or more"]),
        ({"segments": 0}, ["segments", "1 to 1,000,000"]),
        ({"segments": 2_000_000}, ["segments", "2,000,000", "1,000,000"]),
        ({"segments": "many"}, ["segments", "'many'", "auto"]),
        ({"s3_uri": "s3://"}, ["s3_uri", "s3://bucket/prefix", "HINT: name a bucket"]),
        ({"s3_uri": "s3:///prefix"}, ["s3_uri", "'s3:///prefix'", "s3://bucket/prefix"]),
        ({"s3_uri": "backups/orders"}, ["s3_uri", "'backups/orders'", "s3://bucket/prefix"]),
        ({"on_existing": "overwrite"}, ["on_existing", "'overwrite'", "resume", "fail", "new"]),
        ({"file_format": "xml"}, ["file_format", "'xml'", "dynamodb_json"]),
        ({"segment": 4}, ["segment:", "not a setting", "did you mean 'segments'"]),
        ({"part_bytes": 5}, ["part_bytes", "1 MiB"]),
        (
            {"filter_expression": "a = :v", "expression_attribute_values": {":v": "x"}},
            [":v", "'x'", '{"S": "x"}'],
        ),
        (
            {"filter_expression": "a = :v", "expression_attribute_values": {":v": {"B": "%%%"}}},
            ["expression_attribute_values", ":v", "%%%"],
        ),
        (
            {"filter_expression": "a = :v", "expression_attribute_values": {":v": {"S": "x", "N": "1"}}},
            ["expression_attribute_values", ":v"],
        ),
        (
            {"filter_expression": "a = :v", "expression_attribute_values": '{":v": '},
            ["expression_attribute_values", "JSON"],
        ),
        (
            {"expression_attribute_names": {"#a": "b"}},
            ["expression_attribute_names", "'#a'", "no expression"],
        ),
    ],
    ids=lambda value: ",".join(f"{name}" for name in value) if isinstance(value, dict) else "",
)
def test_an_impossible_setting_is_refused_before_any_call(
    world: World, settings: dict[str, object], words: list[str]
) -> None:
    calls: list[str] = []
    for service in ("dynamodb", "s3"):
        world.client(service).meta.events.register("before-send", lambda **_: calls.append("one"))

    refused(world, InvalidRequest, *words, table="orders", **settings)

    assert [] == calls
    assert nothing_written(world)


def test_all_settings_that_are_wrong_are_named_at_once(world: World) -> None:
    message = refused(
        world,
        InvalidRequest,
        "ratio",
        "segments",
        "s3_uri",
        table="orders",
        ratio="abc",
        segments=0,
        s3_uri="x",
    )

    assert "3 problems" in message


# --- what is looked at before anything is touched -------------------------------------------------


def test_a_missing_table_is_named(world: World) -> None:
    message = refused(
        world, PreflightFailed, "table_name", "there-is-none", "HINT: check", table="there-is-none"
    )

    assert "no such table: there-is-none" in message
    assert nothing_written(world)


def test_a_missing_index_is_named_with_those_there_are(world: World, table: str) -> None:
    refused(
        world,
        PreflightFailed,
        "index_name",
        "'by-shop'",
        "HINT: its indexes: none",
        table=table,
        index_name="by-shop",
    )

    assert nothing_written(world)


def test_a_missing_bucket_is_named(world: World, table: str) -> None:
    missing = f"bucket-{uuid.uuid4().hex}"

    refused(
        world,
        PreflightFailed,
        "s3_uri",
        missing,
        "no such bucket",
        "HINT",
        table=table,
        s3_uri=f"s3://{missing}/x",
    )


def test_a_bucket_in_another_region_is_refused_with_both_regions(
    world: World, table: str, s3: S3Client
) -> None:
    world.bucket = bucket_in(s3, "eu-west-1")

    refused(world, PreflightFailed, world.bucket, "eu-west-1", "us-east-1", "HINT: use a bucket", table=table)

    assert nothing_written(world)


def test_everything_that_is_wrong_is_named_at_once(world: World) -> None:
    missing = f"bucket-{uuid.uuid4().hex}"

    refused(
        world,
        PreflightFailed,
        "2 problems",
        "no-table",
        missing,
        table="no-table",
        s3_uri=f"s3://{missing}/x",
    )


PERMISSIONS: dict[str, tuple[str, str, Answer, list[str]]] = {
    "to describe the table": (
        "dynamodb",
        "DescribeTable",
        dynamodb_error("AccessDeniedException", "User: arn:aws:iam::1:user/a is not authorized"),
        ["dynamodb:DescribeTable", "HINT: allow dynamodb:DescribeTable"],
    ),
    "to write": (
        "s3",
        "CreateMultipartUpload",
        s3_error("AccessDenied", "Access Denied"),
        ["s3:PutObject", "HINT: allow s3:PutObject"],
    ),
    "to use the key": (
        "s3",
        "CreateMultipartUpload",
        kms_denied(),
        ["kms:GenerateDataKey", f"HINT: allow kms:GenerateDataKey on {KMS_KEY}"],
    ),
    "to use a key that is disabled": (
        "s3",
        "CreateMultipartUpload",
        s3_error("KMS.DisabledException", f"{KMS_KEY} is disabled.", status=400),
        ["KMS", KMS_KEY, "disabled"],
    ),
    "to list": (
        "s3",
        "ListObjectsV2",
        s3_error("AccessDenied", "Access Denied"),
        ["s3:ListBucket", "HINT: allow s3:ListBucket"],
    ),
    "to delete": (
        "s3",
        "DeleteObjects",
        s3_error("AccessDenied", "Access Denied"),
        ["s3:DeleteObject", "HINT: allow s3:DeleteObject"],
    ),
    "to list uploads": (
        "s3",
        "ListMultipartUploads",
        s3_error("AccessDenied", "Access Denied"),
        ["s3:ListBucketMultipartUploads", "HINT: allow s3:ListBucketMultipartUploads"],
    ),
}


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_missing_permission_is_found_before_the_first_scan(
    world: World, table: str, permission: str
) -> None:
    service, operation, fault, words = PERMISSIONS[permission]
    inject(world.client(service), operation, fault)
    scans: list[int] = []
    world.client("dynamodb").meta.events.register("before-call.dynamodb.Scan", lambda **_: scans.append(1))

    refused(world, PreflightFailed, "access denied", *words, table=table)

    assert [] == scans
    assert nothing_written(world)


def test_objects_that_may_not_be_deleted_are_found_before_the_first_scan(world: World, table: str) -> None:
    """DeleteObjects answers 200 and refuses key by key."""

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        body = (
            '<?xml version="1.0"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>k</Key>'
            "<Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"
        )
        return answer(request, 200, {"content-type": "application/xml"}, body.encode())

    inject(world.client("s3"), "DeleteObjects", fault)

    refused(world, PreflightFailed, "s3:DeleteObject", "HINT: allow s3:DeleteObject", table=table)

    assert nothing_written(world)


@pytest.mark.parametrize("state", ["complete", "incomplete"])
def test_an_export_that_is_there_is_left_alone_if_that_was_asked(
    world: World, table: str, state: str
) -> None:
    if state == "incomplete":
        inject(world.client("dynamodb"), "Scan", after(3, dynamodb_error("AccessDeniedException", "no")))
        with pytest.raises(AccessDenied):
            world.export(table, **SMALL_PAGES)
    else:
        world.export(table)
    before = {key: world.get(key) for key in world.listed()}

    with pytest.raises(PreflightFailed) as caught:
        world.export(table, on_existing="fail")

    for word in (
        "on_existing",
        f"{state} export",
        f"s3://{world.bucket}/out/AWSDynamoDB/",
        "HINT: use on_existing",
    ):
        assert word in str(caught.value)
    assert before == {key: world.get(key) for key in world.listed()}


# --- what a newer version left --------------------------------------------------------------------


def interrupted(world: World, table: str, *, pages: int = ENOUGH_PAGES) -> list[str]:
    """Leave an unfinished export with parts; returns the keys."""
    inject(world.client("dynamodb"), "Scan", after(pages, dynamodb_error("AccessDeniedException", "no")))
    with pytest.raises(AccessDenied):
        world.export(table, part_bytes=MIB, **SMALL_PAGES)
    assert world.data_keys()
    return world.listed()


def newer(world: World, ending: str, **more: object) -> str:
    """Make a record look as if a newer version had written it."""
    (key,) = [key for key in world.listed() if key.endswith(ending)]
    record = json.loads(world.get(key))
    place = record["airflowDynamoPipeline"] if ending.endswith("summary.json") else record
    place.update({"version": 99, **more})
    world.put(key, json.dumps(record).encode())
    return key


@pytest.mark.parametrize(
    "ending", ["_checkpoint/plan.json", "_checkpoint/0000.json", "_checkpoint/lease.json"]
)
@pytest.mark.parametrize(
    "more", [{}, {"attempt": {"another": "shape"}, "segments": "another shape"}], ids=["same", "other"]
)
def test_a_checkpoint_of_a_newer_version_is_refused_and_kept(
    world: World, table: str, ending: str, more: dict[str, object]
) -> None:
    interrupted(world, table)
    newer(world, ending, **more)
    before = {key: world.get(key) for key in world.listed() if not key.endswith("lease.json")}

    refused(
        world,
        PipelineError,
        ending,
        "version 99",
        "up to 1",
        "HINT: upgrade",
        "on_existing='new'",
        table=table,
    )

    assert before == {key: world.get(key) for key in before}


@pytest.mark.parametrize(
    "more", [{}, {"segments": {"another": "shape"}}], ids=["same shape", "another shape"]
)
def test_a_summary_of_a_newer_version_is_refused_and_kept(
    world: World, table: str, more: dict[str, object]
) -> None:
    world.export(table)
    key = newer(world, "manifest-summary.json", **more)
    before = {key: world.get(key) for key in world.listed()}

    with pytest.raises(PipelineError, match="version 99") as caught:
        world.export(table)

    assert key in str(caught.value)
    assert "HINT: upgrade" in str(caught.value)
    assert before == {key: world.get(key) for key in world.listed()}


@pytest.mark.parametrize(
    "ending", ["_checkpoint/plan.json", "_checkpoint/0000.json", "_checkpoint/lease.json"]
)
def test_what_a_newer_version_left_does_not_hinder_a_new_export(
    world: World, table: str, ending: str
) -> None:
    """As the hint of the refusal says."""
    interrupted(world, table)
    newer(world, ending)
    before = {key: world.get(key) for key in world.listed()}

    result = world.export(table, on_existing="new")

    assert len(rows()) == result.item_count
    assert before == {key: world.get(key) for key in before}


def test_a_checkpoint_that_is_no_checkpoint_is_named(world: World, table: str) -> None:
    interrupted(world, table)
    (key,) = [key for key in world.listed() if key.endswith("_checkpoint/0001.json")]
    world.put(key, b"not json")

    refused(world, UnexpectedReply, key, table=table)


# --- what happens during the export ---------------------------------------------------------------


def test_a_scan_that_is_denied_names_action_and_table_and_is_resumed_when_allowed(
    world: World, table: str
) -> None:
    denial = dynamodb_error(
        "AccessDeniedException",
        f"User: {ROLE} is not authorized to perform: dynamodb:Scan on resource: "
        f"arn:aws:dynamodb:us-east-1:111122223333:table/{table} because no identity-based policy allows it",
    )
    inject(world.client("dynamodb"), "Scan", denial)

    refused(
        world,
        AccessDenied,
        "dynamodb:Scan",
        f"table {table}",
        "HINT: allow dynamodb:Scan",
        "role",
        table=table,
    )

    assert [] == world.data_keys() == world.uploads()
    complete(world, table)


WRITES: dict[str, tuple[str, Answer, list[str]]] = {
    "put": ("PutObject", s3_error("AccessDenied", "Access Denied"), ["s3:PutObject", "data/"]),
    "key": ("PutObject", kms_denied(), ["kms:GenerateDataKey", KMS_KEY]),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_permission_that_is_withdrawn_midway_costs_nothing(world: World, table: str, write: str) -> None:
    operation, denial, words = WRITES[write]

    def fault(request: AWSPreparedRequest) -> AWSResponse | None:
        return denial(request) if "/data/" in request.url and world.data_keys() else None

    inject(world.client("s3"), operation, fault)

    refused(world, AccessDenied, *words, "HINT: allow", table=table, part_bytes=MIB, **SMALL_PAGES)

    states = world.checkpoints()
    named = [part["key"] for state in states for part in state["parts"]]
    assert named
    assert sorted(named) == world.data_keys()
    assert [] == world.uploads()
    complete(world, table)


def test_a_denied_multipart_upload_names_what_is_missing(world: World, own_table: str) -> None:
    """Large files begin an upload in the middle of the scan."""
    fill(
        world.dynamodb_url,
        own_table,
        [{"pk": {"S": f"more {n}"}, "text": {"S": "y" * 300_000}} for n in range(30)],
    )
    inject(world.client("s3"), "CreateMultipartUpload", after(1, s3_error("AccessDenied", "Access Denied")))

    refused(
        world,
        AccessDenied,
        "s3:PutObject",
        "data/",
        "HINT: allow",
        table=own_table,
        compression="none",
        segments=1,
    )

    assert [] == world.data_keys() == world.uploads()


def test_an_expression_dynamodb_refuses_is_shown_in_its_words(world: World, table: str) -> None:
    refused(
        world,
        UnexpectedReply,
        "dynamodb:Scan",
        f"table {table}",
        "FilterExpression",
        "HINT: DynamoDB refused the request itself: check expressions",
        table=table,
        filter_expression="this is not ( one",
    )

    assert [] == world.data_keys()


def test_a_table_deleted_during_the_export_is_reported_as_such(world: World, own_table: str) -> None:
    client = world.fresh_client("dynamodb")
    inject(
        world.client("dynamodb"),
        "Scan",
        after(ENOUGH_PAGES, _once(lambda: client.delete_table(TableName=own_table))),
    )

    refused(
        world,
        TableChanged,
        own_table,
        "deleted",
        "during the export",
        table=own_table,
        part_bytes=MIB,
        **SMALL_PAGES,
    )

    named = [part["key"] for state in world.checkpoints() for part in state["parts"]]
    assert named
    assert sorted(named) == world.data_keys()


def test_a_table_made_anew_during_the_export_is_not_mixed_with_the_old_one(
    world: World, own_table: str
) -> None:
    """The new table has the same name, so that pages go on coming."""
    client = world.fresh_client("dynamodb")

    def replace() -> None:
        client.delete_table(TableName=own_table)
        client.create_table(
            TableName=own_table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        fill(world.dynamodb_url, own_table, [{"pk": {"S": "new"}}])

    inject(world.client("dynamodb"), "Scan", after(ENOUGH_PAGES, _once(replace)))

    alone = {**SMALL_PAGES, "segments": 1}  # another segment could ask while there is no table at all
    refused(world, TableChanged, own_table, "made anew", "nothing was committed", table=own_table, **alone)

    result = world.export(own_table)
    assert [{"pk": {"S": "new"}}] == world.items(result.manifest_uri)
    assert "new" == result.start
    assert any("deleted and made anew" in line for line in world.said)


def _once(act: Callable[[], object]) -> Answer:
    """Do something before a call and let the call pass."""
    lock, done = threading.Lock(), False

    def fault(request: AWSPreparedRequest) -> None:
        nonlocal done
        with lock:
            if not done:
                done = True
                act()

    return fault


def test_the_rate_follows_a_table_whose_throughput_is_changed(world: World, own_table: str) -> None:
    """Ten times the units: what is left is read ten times as fast."""
    client = world.fresh_client("dynamodb")
    units = {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100}
    client.update_table(TableName=own_table, ProvisionedThroughput={**units, "ReadCapacityUnits": 8})
    change: Any = {**units, "ReadCapacityUnits": 80}
    inject(
        world.client("dynamodb"),
        "Scan",
        after(3, _once(lambda: client.update_table(TableName=own_table, ProvisionedThroughput=change))),
    )

    result = world.export(own_table, ratio=0.5, segments=1, clock=FastClock(60.0))

    assert len(rows()) == result.item_count
    assert [4.0, 40.0] == list(dict.fromkeys(report.units_per_second_asked for report in world.reports))
    assert [True] == [
        "0.5 of 80 provisioned units" in line for line in world.said if line.startswith("rate now")
    ]


def test_s3_that_fails_for_a_minute_delays_the_export_and_costs_nothing(world: World, table: str) -> None:
    clock = FastClock(60.0)
    outage: list[float] = []

    def fault(request: AWSPreparedRequest) -> AWSResponse | None:
        if "/data/" in request.url and not outage:
            outage.append(clock.monotonic())
        if outage and clock.monotonic() - outage[0] < 60:
            return s3_error("SlowDown", "Please reduce your request rate.", status=503)(request)
        return None

    inject(world.client("s3"), "*", fault)

    complete(world, table, part_bytes=MIB, compression="none", clock=clock)

    assert outage
    assert any("503" in line or "SlowDown" in line for line in world.warned)


def test_s3_that_fails_on_pieces_of_an_upload_costs_nothing(world: World, own_table: str) -> None:
    more = [{"pk": {"S": f"more {n}"}, "text": {"S": "y" * 300_000}} for n in range(40)]
    fill(world.dynamodb_url, own_table, more)
    trouble = s3_error("InternalError", "We encountered an internal error. Please try again.", status=500)
    for operation in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"):
        inject(world.client("s3"), operation, first(2, trouble))

    complete(world, own_table, [*rows(), *more], compression="none", segments=1)

    assert [] == world.uploads()
    assert any("InternalError" in line for line in world.warned)


# --- replies that are not what was sent -----------------------------------------------------------


def damaged(request: AWSPreparedRequest) -> AWSResponse:
    """The real reply with one letter changed: still a page, with the checksum of what was sent."""
    response = sent(request)
    body = bytearray(response.content)
    at = body.rfind(b"xxxx")
    if at == -1:  # the last page of a segment may be empty
        at = body.rindex(b'"Count":') + len(b'"Count":')
    body[at] ^= 1  # x to y, 0 to 1
    return answer(request, 200, dict(response.headers.items()), bytes(body))


def cut(request: AWSPreparedRequest) -> AWSResponse:
    """The real reply up to the middle of its body."""
    response = sent(request)
    return answer(
        request, 200, dict(response.headers.items()), response.content[: len(response.content) // 2]
    )


@pytest.mark.parametrize("fault", [damaged, cut])
def test_a_page_that_was_damaged_on_its_way_is_read_again_and_counted_once(
    world: World, table: str, fault: Answer
) -> None:
    inject(world.client("dynamodb"), "Scan", first(3, fault))

    result = world.export(table, **SMALL_PAGES)

    assert multiset(rows()) == multiset(world.items(result.manifest_uri))
    assert len(rows()) == world.summary(result.manifest_uri)["airflowDynamoPipeline"]["scannedCount"]
    assert 3 == sum("x-amz-crc32" in line for line in world.warned)


@pytest.mark.parametrize("fault", [damaged, cut])
def test_a_page_that_is_damaged_each_time_ends_the_export_and_keeps_what_was_read(
    world: World, table: str, fault: Answer
) -> None:
    inject(world.client("dynamodb"), "Scan", after(ENOUGH_PAGES, fault))

    refused(
        world,
        CorruptReply,
        "x-amz-crc32",
        "does not match",
        table=table,
        part_bytes=MIB,
        clock=FastClock(TEN_MINUTES_IN_ONE_SECOND),
        **SMALL_PAGES,
    )

    assert issubclass(CorruptReply, Temporary)
    named = [part["key"] for state in world.checkpoints() for part in state["parts"]]
    assert named
    assert sorted(named) == world.data_keys()
    complete(world, table)


@pytest.mark.parametrize("fault", ["cut", "drop"])
def test_a_connection_that_ends_in_the_middle_of_a_page_is_made_again(
    world: World, table: str, fault: str
) -> None:
    """Real sockets: half of a body, or no answer at all, and then the end of the connection."""
    with recorder(world.dynamodb_url) as between:
        between.spoil({2: fault, 5: fault})
        world.dynamodb_url = between.url
        complete(world, table, **SMALL_PAGES)

    assert len(rows()) == sum(scan.scanned for scan in between.scans if not scan.spoiled)
    assert 2 == sum(scan.spoiled for scan in between.scans) == len(world.warned)


# --- throttling -----------------------------------------------------------------------------------

ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
TABLE_REASON = [{"reason": "TableReadProvisionedThroughputExceeded", "resource": ARN}]
KEY_REASON = [{"reason": "TableReadKeyRangeThroughputExceeded", "resource": ARN}]

THROTTLES = {
    "provisioned": lambda reasons: dynamodb_error(
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded.",
        ThrottlingReasons=reasons,
    ),
    "on-demand": lambda reasons: dynamodb_error(
        "ThrottlingException", "Throughput exceeds the current capacity.", throttlingReasons=reasons
    ),
    "account": lambda reasons: dynamodb_error(
        "RequestLimitExceeded", "Throughput exceeds the current throughput limit.", ThrottlingReasons=reasons
    ),
}


@pytest.mark.parametrize("reasons", [TABLE_REASON, KEY_REASON], ids=["table", "key-range"])
@pytest.mark.parametrize("throttle", THROTTLES)
def test_a_throttled_scan_is_tried_again_and_its_reasons_are_in_the_log(
    world: World, table: str, throttle: str, reasons: list[dict[str, str]]
) -> None:
    inject(world.client("dynamodb"), "Scan", first(4, THROTTLES[throttle](reasons)))

    result = world.export(table, **SMALL_PAGES)

    assert multiset(rows()) == multiset(world.items(result.manifest_uri))
    assert len(rows()) == world.summary(result.manifest_uri)["airflowDynamoPipeline"]["scannedCount"]
    assert 4 == sum(f"[{reasons[0]['reason']} {ARN}]" in line for line in world.warned)


def test_throttling_without_end_gives_up_and_can_be_resumed(world: World, table: str) -> None:
    inject(world.client("dynamodb"), "Scan", after(ENOUGH_PAGES, THROTTLES["provisioned"](TABLE_REASON)))

    refused(
        world,
        Temporary,
        "ProvisionedThroughputExceededException",
        table,
        "TableReadProvisionedThroughputExceeded",
        table=table,
        part_bytes=MIB,
        clock=FastClock(TEN_MINUTES_IN_ONE_SECOND),
        **SMALL_PAGES,
    )

    assert world.data_keys()
    complete(world, table)
