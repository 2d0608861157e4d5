"""ImportTable, DescribeImport, ListImports: new tables filled from the fake's S3.

An import does all its work when it is begun, and shows it when its time is over: until then its table is
CREATING, so nobody sees the items. ``imports_of`` gives a test the book in which all imports stand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.faults.dynamodb.database import ACCOUNT, Database, Operation
from tests.faults.dynamodb.errors import Refused, not_simulated
from tests.faults.dynamodb.tables import Table
from tests.faults.logs import Logs
from tests.faults.s3 import S3
from tests.faults.s3.refusals import Refused as RefusedByS3

if TYPE_CHECKING:
    from tests.faults.dynamodb.service import DynamoDB

Json = dict[str, Any]
GROUP = "/aws-dynamodb/imports"
TOKEN_LIVES = timedelta(hours=8)
TOKEN_DIGITS = 112  # the fewest that the API lets a NextToken have
PAGE = 25
PASSED_ON = ("S3BucketSource", "InputFormat", "InputFormatOptions", "InputCompressionType")


@dataclass
class Import:
    """One import, as it will be when it is over."""

    request: Json
    table: Table
    arn: str
    started_at: datetime
    ends_at: float  # seconds of the clock
    seconds: float | None  # that it takes; None: it does not say when it ended
    status: str = "COMPLETED"
    code: str = ""
    message: str = ""
    items: int = 0
    processed: int = 0
    size: int = 0
    errors: list[str] = field(default_factory=list)

    def describe(self, now: float, region: str) -> Json:
        """``ImportTableDescription`` at an instant."""
        described = {name: self.request[name] for name in PASSED_ON if name in self.request}
        described |= {
            "ImportArn": self.arn,
            "ImportStatus": "IN_PROGRESS",
            "TableArn": self.table.arn,
            "TableId": self.table.table_id,
            "ClientToken": self.request["ClientToken"],
            "CloudWatchLogGroupArn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{GROUP}:*",
            "TableCreationParameters": self.request["TableCreationParameters"],
            "StartTime": self.started_at.timestamp(),
        }
        if now < self.ends_at:
            return described
        counts = {
            "ImportStatus": self.status,
            "ImportedItemCount": self.items,
            "ProcessedItemCount": self.processed,
            "ProcessedSizeBytes": self.size,
            "ErrorCount": len(self.errors),
        }
        why = {"FailureCode": self.code, "FailureMessage": self.message} if self.code else {}
        end = {} if self.seconds is None else {"EndTime": self.started_at.timestamp() + self.seconds}
        return described | end | counts | why


@dataclass
class Imports:
    """All imports of one database, and what a test says of the next ones."""

    s3: S3 | None = None
    logs: Logs | None = None
    seconds: float = 0.0  # that an import takes; 0: the call after ImportTable finds it over
    breaks_after: int | None = None  # items, when the service itself fails
    made: list[Import] = field(default_factory=list)  # every one that was billed


_BOOKS: weakref.WeakKeyDictionary[Database, Imports] = weakref.WeakKeyDictionary()


def imports_of(dynamodb: DynamoDB) -> Imports:
    """The imports of a fake; give them its S3 and its logs."""
    return _book(dynamodb._database)


def _book(database: Database) -> Imports:
    return _BOOKS.setdefault(database, Imports())


def import_table(database: Database, request: Json) -> Json:
    """ImportTable."""
    book = _book(database)
    if book.s3 is None:
        raise not_simulated("ImportTable without an S3 to read from")
    known = _by_token(database, book, request)
    if known is not None:
        return {"ImportTableDescription": known.describe(database.clock.monotonic(), database.region)}
    begun = _begin(database, book, book.s3, request)
    return {"ImportTableDescription": begun.describe(-math.inf, database.region)}


def _by_token(database: Database, book: Imports, request: Json) -> Import | None:
    """The import that the same call began; raises Refused for another call with its token."""
    since = database.clock.now() - TOKEN_LIVES
    for found in book.made:
        if found.request["ClientToken"] == request["ClientToken"] and found.started_at > since:
            if found.request != request:
                text = "The client token was used by another import"
                raise Refused("ImportConflictException", text)
            return found
    return None


def _begin(database: Database, book: Imports, s3: S3, request: Json) -> Import:
    table = database.create(request["TableCreationParameters"])
    now = database.clock.monotonic()
    number = f"{len(book.made) + 1:014}-{'0' * 8}"
    begun = Import(
        request=request,
        table=table,
        arn=f"{table.arn}/import/{number}",
        started_at=database.clock.now(),
        ends_at=now + book.seconds,
        seconds=book.seconds,
    )
    book.made.append(begun)
    database.settle(table, "CREATING", "ACTIVE", seconds=book.seconds)
    try:
        _fill(database, book, s3, begun)
    except RefusedByS3 as refused:
        begun.status, begun.code, begun.message = "FAILED", "S3NoSuchBucket", str(refused)
    if begun.errors and not begun.code:
        begun.status, begun.code = "FAILED", "ItemValidationError"
        begun.message = "Some of the items failed validation checks and were not imported."
    if book.logs is not None:
        book.logs.put(GROUP, f"{number}/error", begun.errors)
    return begun


def _fill(database: Database, book: Imports, s3: S3, begun: Import) -> None:
    source = begun.request["S3BucketSource"]
    for key in s3.keys(source["S3Bucket"], source.get("S3KeyPrefix", "")):
        body = s3.get(source["S3Bucket"], key)
        try:
            for item in _items(begun, _plain(begun.request, body)):
                if begun.processed == book.breaks_after:
                    begun.status, begun.code = "FAILED", "InternalServerError"
                    begun.message = "The import could not be completed."
                    return
                begun.processed += 1
                _put(database, begun, key, item)
        except ValueError as error:  # the rest of the object is passed over
            begun.errors.append(_said(begun, key, f"{type(error).__name__}: {error}"))


def _put(database: Database, begun: Import, key: str, item: Json) -> None:
    try:
        database.change(begun.table, begun.table.placing(item))
    except Refused as refused:
        begun.errors.append(_said(begun, key, str(refused)))
    else:
        begun.items += 1


def _said(begun: Import, key: str, text: str) -> str:
    bucket = begun.request["S3BucketSource"]["S3Bucket"]
    pointer = {"bucket": bucket, "key": key, "itemIndex": begun.processed}
    return json.dumps({"itemS3Pointer": pointer, "importArn": begun.arn, "errorMessages": [text]})


def _plain(request: Json, body: bytes) -> bytes:
    compression = request.get("InputCompressionType", "NONE")
    if compression == "ZSTD":
        raise not_simulated("ImportTable of ZSTD")
    try:
        return gzip.decompress(body) if compression == "GZIP" else body
    except (OSError, EOFError) as error:
        raise ValueError(f"not gzip: {error}") from error


def _items(begun: Import, plain: bytes) -> Iterator[Json]:
    begun.size += len(plain)
    match begun.request["InputFormat"]:
        case "DYNAMODB_JSON":
            yield from (json.loads(line)["Item"] for line in plain.splitlines() if line.strip())
        case "CSV":
            yield from _rows(begun, plain)
        case other:
            raise not_simulated(f"ImportTable of {other}")


def _rows(begun: Import, plain: bytes) -> Iterator[Json]:
    """Keys as the table has them, all other columns as strings."""
    options = begun.request.get("InputFormatOptions", {}).get("Csv", {})
    reader = csv.DictReader(
        io.StringIO(plain.decode()), options.get("HeaderList"), delimiter=options.get("Delimiter", ",")
    )
    for row in reader:
        yield {name: {begun.table.kinds.get(name, "S"): value} for name, value in row.items()}


def describe_import(database: Database, request: Json) -> Json:
    """DescribeImport."""
    for found in _book(database).made:
        if found.arn == request["ImportArn"]:
            return {"ImportTableDescription": found.describe(database.clock.monotonic(), database.region)}
    raise Refused("ImportNotFoundException", f"Import not found: {request['ImportArn']}")


def list_imports(database: Database, request: Json) -> Json:
    """ListImports, the oldest first: no order is promised, and nobody may rely on one."""
    arn = request.get("TableArn")
    found = [each for each in _book(database).made if arn in (None, each.table.arn)]
    start = int(request.get("NextToken", "0"), 16)
    size = request.get("PageSize", PAGE)
    now = database.clock.monotonic()
    names = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "InputFormat", "StartTime")
    described = [each.describe(now, database.region) for each in found[start : start + size]]
    reply: Json = {"ImportSummaryList": [{name: each[name] for name in names} for each in described]}
    if start + size < len(found):
        reply["NextToken"] = f"{start + size:0{TOKEN_DIGITS}x}"
    return reply


OPERATIONS: dict[str, Operation] = {
    "ImportTable": import_table,
    "DescribeImport": describe_import,
    "ListImports": list_imports,
}
