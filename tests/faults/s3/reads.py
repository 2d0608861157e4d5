"""Reading one object: whole, in part, or its headers only."""

from __future__ import annotations

import re
from email.utils import format_datetime

from tests.faults.s3.bodies import Dropped
from tests.faults.s3.conditions import is_unchanged
from tests.faults.s3.objects import Stored
from tests.faults.s3.refusals import Refused, not_simulated
from tests.faults.wire import Reply, Request

RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def get(held: Stored, request: Request) -> Reply:
    """GetObject."""
    status, headers, span = _headers(held, request)
    if status == 304:
        return Reply(304, (), headers)
    if isinstance(held.body, Dropped):
        raise not_simulated("reading a body that was too big to keep")
    return Reply(status, [held.body if span is None else memoryview(held.body)[span]], headers)


def head(held: Stored, request: Request) -> Reply:
    """HeadObject."""
    status, headers, span = _headers(held, request)
    size = len(held.body) if span is None else span.stop - span.start
    return Reply(status, (), headers if status == 304 else {**headers, "Content-Length": str(size)})


def _headers(held: Stored, request: Request) -> tuple[int, dict[str, str], slice | None]:
    """Status, headers, and which part of the body is meant; None is all of it."""
    if "partNumber" in request.query:
        raise not_simulated("reading one part of an object")
    headers = {
        "ETag": held.quoted_etag,
        "Last-Modified": format_datetime(held.modified_at, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if is_unchanged(request.headers, held):
        return 304, headers, None
    headers |= {name: value for name, value in held.headers.items() if value != "STANDARD"}
    span = _span(request.headers.get("range", ""), len(held.body))
    if span is not None:
        told = f"bytes {span.start}-{span.stop - 1}/{len(held.body)}"
        return 206, {**headers, "Content-Range": told}, span
    wants_sum = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    if held.checksum and wants_sum:
        headers |= held.checksum.headers
    return 200, headers, None


def _span(asked: str, size: int) -> slice | None:
    """The bytes that a Range names; a header that names none is passed over, as HTTP wants it."""
    if "," in asked:
        raise not_simulated("reading several ranges")
    found = RANGE.match(asked)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if first and last and int(last) < start:
        return None
    if start >= size:
        text = "The requested range is not satisfiable"
        raise Refused(416, "InvalidRange", text, RangeRequested=asked, ActualObjectSize=str(size))
    return slice(start, stop)
