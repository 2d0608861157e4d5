"""ExportTableToPointInTime, DescribeExport, ListExports: files written into the fake's S3.

The table's history is kept from the moment a test asks for ``exports_of``, so that an export shows the table
as it was. An export is IN_PROGRESS for so many looks, then its files are written and it is over.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.faults.dynamodb.database import ACCOUNT, Database, Operation
from tests.faults.dynamodb.errors import Refused, invalid, not_simulated
from tests.faults.dynamodb.settings_calls import describe_continuous_backups
from tests.faults.dynamodb.streams import Change
from tests.faults.dynamodb.tables import Table
from tests.faults.dynamodb.values import Item
from tests.faults.s3 import S3
from tests.faults.s3.refusals import Refused as RefusedByS3

if TYPE_CHECKING:
    from tests.faults.dynamodb.service import DynamoDB

Json = dict[str, Any]
TOKEN_LIVES = timedelta(hours=8)
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=24)
LEAST_BILLED = 10 * 1024 * 1024  # of an incremental export
WINDOW = "IncrementalExportSpecification"


@dataclass
class Export:
    """One export, and what will come of it."""

    request: Json
    table: Table
    arn: str
    name: str
    started_at: datetime
    export_time: datetime
    looks: int  # that still find it under way
    code: str = ""  # of its failure to come
    status: str = "IN_PROGRESS"
    items: int = 0

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Of an incremental export."""
        asked = self.request.get(WINDOW)
        return (_at(asked["ExportFromTime"]), _at(asked["ExportToTime"])) if asked else None

    @property
    def folder(self) -> str:
        """Where its manifest goes."""
        return "/".join(part for part in (self.request.get("S3Prefix", ""), "AWSDynamoDB", self.name) if part)

    def describe(self) -> Json:
        """``ExportDescription``."""
        described = {name: value for name, value in self.request.items() if name != "ExportTime"} | {
            "ExportArn": self.arn,
            "ExportStatus": self.status,
            "StartTime": self.started_at.timestamp(),
            "TableId": self.table.table_id,
            "ExportType": self.request.get("ExportType", "FULL_EXPORT"),
        }
        if self.window is None:
            described["ExportTime"] = self.export_time.timestamp()
        if self.status == "FAILED":
            return described | {"FailureCode": self.code, "FailureMessage": "said by the test"}
        if self.status == "COMPLETED":
            billed = 0 if self.window is None else LEAST_BILLED
            return described | {
                "ExportManifest": f"{self.folder}/manifest-summary.json",
                "EndTime": self.started_at.timestamp(),
                "ItemCount": self.items,
                "BilledSizeBytes": max(billed, 100 * self.items),
            }
        return described


@dataclass
class Exports:
    """All exports of one database, and what a test says of the next ones."""

    s3: S3 | None = None
    looks: int = 1  # DescribeExports that find an export under way
    fails: str = ""  # FailureCode of the exports that are asked for from now on
    window_moves: timedelta = timedelta(0)  # how far manifests tell another window than was asked
    without_manifest: bool = False  # an export says that it is complete, and its manifest is not there
    without_zone: bool = False  # manifests tell instants without a zone
    made: list[Export] = field(default_factory=list)  # every one that was billed
    changes: list[Change] = field(default_factory=list)
    began_with: dict[str, list[Item]] = field(default_factory=dict)


_BOOKS: weakref.WeakKeyDictionary[Database, Exports] = weakref.WeakKeyDictionary()


def exports_of(dynamodb: DynamoDB) -> Exports:
    """The exports of a fake; give them its S3. From the first call on, the history of items is kept."""
    return _book(dynamodb._database)


def _book(database: Database) -> Exports:
    if database not in _BOOKS:
        book = _BOOKS[database] = Exports()
        book.began_with = {name: [row.item for row in table.rows] for name, table in database.tables.items()}
        database.watchers.append(book.changes.append)
    return _BOOKS[database]


def export_table(database: Database, request: Json) -> Json:
    """ExportTableToPointInTime."""
    book = _book(database)
    if book.s3 is None:
        raise not_simulated("ExportTableToPointInTime without an S3 to write to")
    known = _by_token(database, book, request)
    if known is not None:
        return {"ExportDescription": known.describe()}
    table = database.tables.get(request["TableArn"].rpartition("/")[2])
    if table is None:
        raise Refused("TableNotFoundException", f"Table not found: {request['TableArn']}")
    at = _checked(database, table, request)
    name = f"{int(database.clock.now().timestamp() * 1000):017}-{len(book.made):08x}"
    arn = f"arn:aws:dynamodb:{database.region}:{ACCOUNT}:table/{table.name}/export/{name}"
    made = Export(request, table, arn, name, database.clock.now(), at, book.looks, book.fails)
    book.made.append(made)
    return {"ExportDescription": made.describe()}


def _by_token(database: Database, book: Exports, request: Json) -> Export | None:
    """The export that the same call began; raises Refused for another call with its token."""
    since = database.clock.now() - TOKEN_LIVES
    for found in book.made:
        if found.request["ClientToken"] == request["ClientToken"] and found.started_at > since:
            if found.request != request:
                raise Refused("ExportConflictException", "the token was used with other parameters")
            return found
    return None


def _checked(database: Database, table: Table, request: Json) -> datetime:
    """The instant of a full export; raises Refused for what recovery cannot give."""
    described = describe_continuous_backups(database, {"TableName": table.name})
    window = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if window["PointInTimeRecoveryStatus"] != "ENABLED":
        raise Refused("PointInTimeRecoveryUnavailableException", "Point in time recovery is not enabled")
    earliest, latest = (window[f"{word}RestorableDateTime"] for word in ("Earliest", "Latest"))
    asked = request.get(WINDOW)
    times = [asked["ExportFromTime"], asked["ExportToTime"]] if asked else []
    if asked and not SHORTEST.total_seconds() <= times[1] - times[0] <= LONGEST.total_seconds():
        raise invalid("the export period must be between 15 minutes and 24 hours")
    times += [request["ExportTime"]] if "ExportTime" in request else []
    if not all(earliest <= each <= latest for each in times):
        raise Refused("InvalidExportTimeException", "the time is outside of the recovery window")
    return _at(request.get("ExportTime", latest))


def describe_export(database: Database, request: Json) -> Json:
    """DescribeExport; the look after the last one that finds it under way sees it end."""
    book = _book(database)
    found = next((each for each in book.made if each.arn == request["ExportArn"]), None)
    if found is None:
        raise Refused("ExportNotFoundException", f"Export not found: {request['ExportArn']}")
    if found.status == "IN_PROGRESS":
        found.looks -= 1
        if found.looks < 0:
            _end(book, found)
    return {"ExportDescription": found.describe()}


def list_exports(database: Database, request: Json) -> Json:
    """ListExports, two a page so that there are several."""
    made = [each for each in _book(database).made if each.table.arn == request["TableArn"]]
    start = int(request.get("NextToken", 0))
    page = made[start : start + 2]
    summaries = [{"ExportArn": each.arn, "ExportStatus": each.status} for each in page]
    more = {"NextToken": str(start + 2)} if start + 2 < len(made) else {}
    return {"ExportSummaries": summaries, **more}


def _end(book: Exports, export: Export) -> None:
    assert book.s3 is not None
    lines = list(_changed(book, export) if export.window else _held(book, export))
    half = len(lines) // 2
    try:
        first = _write(book.s3, export, 0, lines[:half])
    except RefusedByS3:
        export.code = export.code or "S3NoSuchBucket"
    if export.code:
        export.status = "FAILED"
        return
    entries = [first, _write(book.s3, export, 1, lines[half:])]
    export.items, export.status = len(lines), "COMPLETED"
    if not book.without_manifest:
        _commit(book, export, entries)


def _held(book: Exports, export: Export) -> Iterable[str]:
    """The items as they were at the export's instant."""
    held = {_key(export.table, item): item for item in book.began_with.get(export.table.name, ())}
    for change in book.changes:
        if change.table_name == export.table.name and change.at <= export.export_time:
            held.pop(_text(change.key), None)
            if change.new is not None:
                held[_text(change.key)] = change.new
    return [_text({"Item": item}) for item in held.values()]


def _changed(book: Exports, export: Export) -> Iterable[str]:
    """What became of each item that was changed in the window."""
    assert export.window is not None
    begin, end = export.window
    net: dict[str, Change] = {}
    for change in book.changes:
        if change.table_name == export.table.name and begin <= change.at < end:
            net[_text(change.key)] = change
    for change in net.values():
        stamp = {"WriteTimestampMicros": {"N": str(int(change.at.timestamp() * 1_000_000))}}
        told: Json = {"Metadata": stamp, "Keys": change.key}
        yield _text(told | ({"NewImage": change.new} if change.new else {}))


def _write(s3: S3, export: Export, number: int, lines: Sequence[str]) -> str:
    """Write a file of data; its line in the list of files."""
    shared = export.folder.rpartition("/")[0]
    folder = shared if export.window else export.folder  # incremental exports share theirs
    key = f"{folder}/data/{export.name[-8:]}{number}.json.gz"
    body = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    etag = s3.put(export.request["S3Bucket"], key, body).strip('"')
    entry = {"itemCount": len(lines), "md5Checksum": _md5(body).decode(), "etag": etag, "dataFileS3Key": key}
    return _text(entry)


def _commit(book: Exports, export: Export, entries: Sequence[str]) -> None:
    s3, window = book.s3, export.window
    assert s3 is not None
    begin, end = [each + book.window_moves for each in window or (export.export_time,) * 2]
    incremental = {} if window is None else {"exportFromTime": _said(begin), "exportToTime": _said(end)}
    summary = {
        "version": "2023-08-01" if window else "2020-06-30",
        "exportArn": export.arn,
        "startTime": _said(export.started_at),
        "endTime": _said(export.started_at),
        "tableArn": export.table.arn,
        "tableId": export.table.table_id,
        "exportTime": _said(export.export_time).rstrip("Z" if book.without_zone else ""),
        "s3Bucket": export.request["S3Bucket"],
        "s3Prefix": export.request.get("S3Prefix"),
        "manifestFilesS3Key": f"{export.folder}/manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": export.items,
        "outputFormat": export.request["ExportFormat"],
        **({"exportType": "INCREMENTAL_EXPORT", **incremental} if window else {"exportType": "FULL_EXPORT"}),
    }
    files = "".join(f"{entry}\n" for entry in entries).encode()
    for name, body in (("manifest-files", files), ("manifest-summary", json.dumps(summary).encode())):
        s3.put(export.request["S3Bucket"], f"{export.folder}/{name}.md5", _md5(body))
        s3.put(export.request["S3Bucket"], f"{export.folder}/{name}.json", body)


def _key(table: Table, item: Item) -> str:
    return _text({name: item[name] for name in table.schema.names})


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _md5(body: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(body).digest())


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _said(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


OPERATIONS: dict[str, Operation] = {
    "ExportTableToPointInTime": export_table,
    "DescribeExport": describe_export,
    "ListExports": list_exports,
}
