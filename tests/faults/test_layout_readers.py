"""What reads DynamoDB's own exports reads ours: golden files, and a reader that is not ours."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from pathlib import Path
from typing import Any, Literal

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore, MemoryTable
from tests.clock import ManualClock
from tests.integration.world import World, create_table, fill, multiset
from tests.services import Services
from tests.services.clients import aws_client
from tests.unit.engine import world as engine_world

GOLDEN = Path(__file__).parent / "golden"
ATTEMPT = "0a1b2c3d"
LINE = (GOLDEN / "data.json").read_bytes()
Item = dict[str, Any]

# Items to be read by another program: every type, and what text formats usually get wrong. DynamoDB Local,
# from which they are exported, is of a time when no string could be empty.
ITEMS: list[Item] = [
    {
        "pk": {"S": f'{number} " \\ \n \u2028 é 😀'},
        "n": {"N": digits},
        "b": {"B": base64.b64encode(bytes([number, 0, 255])).decode()},
        "ss": {"SS": ["a", "\t"]},
        "ns": {"NS": [str(number), "1E+10"]},
        "bs": {"BS": ["AA==", "/w=="]},
        "m": {"M": {"l": {"L": [{"S": "x"}, {"NULL": True}, {"M": {}}, {"L": []}]}}},
        "yes": {"BOOL": bool(number % 2)},
        "nothing": {"NULL": True},
    }
    for number, digits in enumerate(
        ["0", "-1.5", "1" * 38, "9.9999999999999999999999999999999999999E+125", "1E-130"]
    )
]


@pytest.fixture
def world(services: Services, bucket: str) -> World:
    return World.of(services, bucket)


FULL: Item = {"M": {"l": {"L": [{"S": "x"}, {"NULL": True}, {"M": {"deep": {"N": "1"}}}]}}}


def golden_export(monkeypatch: pytest.MonkeyPatch, file_format: str) -> tuple[dict[str, bytes], str]:
    """Everything that an export of the golden item leaves below its folder, and the folder's name."""
    monkeypatch.setattr("airflow_dynamo_pipeline.engine.table_export.secrets.token_hex", lambda _: ATTEMPT)
    bucket, item = MemoryStore(), json.loads(LINE)["Item"]
    world = engine_world.World(table=MemoryTable([item]), store=bucket, clock=ManualClock())
    asked = engine_world.request(
        units_per_second=1e9, segments=1, compression="none", file_format=file_format
    )
    export_id = world.export(asked).export_id
    folder = f"daily/AWSDynamoDB/{export_id}/"
    assert all(key.startswith(folder) for key in bucket.objects)
    return {key.removeprefix(folder): held.body for key, held in bucket.objects.items()}, export_id


def test_e7_every_file_is_where_a_native_export_has_it_and_holds_what_the_golden_files_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, export_id = golden_export(monkeypatch, "dynamodb_json")
    data = f"data/0000-00000-{ATTEMPT}.json"

    names = {"_started", "manifest-summary.json", "manifest-summary.md5", "manifest-files.json"}
    assert {*names, "manifest-files.md5", data} == set(found)
    assert b"" == found["_started"]
    assert json.loads(LINE) == json.loads(found[data])
    assert found[data].startswith(b'{"Item":{')
    assert found[data].endswith(b"}}\n")

    ours = json.loads(found["manifest-files.json"])
    wanted = (GOLDEN / "manifest-files.json").read_text().replace("@EXPORT@", export_id)
    md5 = base64.b64encode(hashlib.md5(found[data]).digest()).decode()
    assert json.loads(wanted.replace("@MD5@", md5).replace("@ETAG@", ours["etag"])) == ours

    summary = json.loads(found["manifest-summary.json"])
    golden = json.loads((GOLDEN / "manifest-summary.json").read_text().replace("@EXPORT@", export_id))
    assert "airflowDynamoPipeline" in summary
    assert golden == {name: held for name, held in summary.items() if name in golden}
    assert {"airflowDynamoPipeline"} >= set(summary) - set(golden) - {"exportTime"}


def test_e7_a_checksum_file_is_the_md5_of_its_manifest_in_base64(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = golden_export(monkeypatch, "dynamodb_json")

    for name in ("manifest-summary", "manifest-files"):
        md5 = base64.b64encode(hashlib.md5(found[f"{name}.json"]).digest())
        assert md5 == found[f"{name}.md5"].strip()


def test_e7_the_lines_of_data_pipeline_are_those_of_the_golden_file(monkeypatch: pytest.MonkeyPatch) -> None:
    found, export_id = golden_export(monkeypatch, "data_pipeline")
    (data,) = [name for name in found if name.startswith("data/")]

    assert json.loads((GOLDEN / "data_pipeline.json").read_bytes()) == json.loads(found[data])
    listed = json.loads(found["manifest"])
    assert ("DynamoDB-export", 3) == (listed["name"], listed["version"])
    url = f"s3://backups/daily/AWSDynamoDB/{export_id}/{data}"
    assert [{"url": url, "mandatory": True}] == listed["entries"]


def test_e7_a_reader_by_the_book_finds_every_item_as_it_was(services: Services, world: World) -> None:
    """From the summary to the list of files, to each file, to each line: as the documentation says."""
    table = create_table(aws_client("dynamodb", services.dynamodb_url))
    fill(services.dynamodb_url, table, ITEMS)

    uri = world.export(table, segments=3).manifest_uri

    assert multiset(ITEMS) == multiset(world.items(uri))
    assert len(ITEMS) == world.summary(uri)["itemCount"]
    for entry in world.file_entries(uri):
        stored = world.get(entry["dataFileS3Key"])
        assert base64.b64encode(hashlib.md5(stored).digest()).decode() == entry["md5Checksum"]


@pytest.mark.parametrize(("compression", "named"), [("gzip", "GZIP"), ("none", "NONE")])
def test_e7_import_table_reads_an_export_and_finds_every_item_as_it_was(
    services: Services, world: World, compression: str, named: Literal["GZIP", "NONE"]
) -> None:
    """The reader is that of moto, which knows nothing of this package, and little of JSON: no escapes."""
    plain = [{**item, "pk": {"S": f"{n} é"}, "ss": {"SS": ["a"]}, "m": FULL} for n, item in enumerate(ITEMS)]
    local, moto = aws_client("dynamodb", services.dynamodb_url), aws_client("dynamodb", services.moto_url)
    table = create_table(local)
    fill(services.dynamodb_url, table, plain)
    result = world.export(table, compression=compression, segments=3)
    prefix = f"out/AWSDynamoDB/{result.export_id}/data/"

    started = moto.import_table(
        S3BucketSource={"S3Bucket": world.bucket, "S3KeyPrefix": prefix},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType=named,
        TableCreationParameters={
            "TableName": f"copy-{table}",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    arn = started["ImportTableDescription"]["ImportArn"]
    pause = threading.Event()
    for _ in range(200):
        state = moto.describe_import(ImportArn=arn)["ImportTableDescription"]
        if state["ImportStatus"] != "IN_PROGRESS":
            break
        pause.wait(0.05)

    assert "COMPLETED" == state["ImportStatus"], state
    assert multiset(plain) == multiset(_scanned(services.moto_url, f"copy-{table}"))


def _scanned(url: str, table: str) -> list[Item]:
    """A table's items as typed JSON text has them: botocore makes bytes of binaries."""
    found = aws_client("dynamodb", url).scan(TableName=table)["Items"]
    return [
        json.loads(json.dumps(item, default=lambda raw: base64.b64encode(raw).decode())) for item in found
    ]
