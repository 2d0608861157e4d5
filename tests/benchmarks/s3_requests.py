"""S3's REST dialect, path style, over ``objects.Bucket``."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.benchmarks.objects import KEPT_BYTES, Bucket, Refused, Stored
from tests.benchmarks.wire import Reply, Request, Wire

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
DATE = "2024-01-01T00:00:00.000Z"
HTTP_DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


def answer(bucket: Bucket, request: Request, wire: Wire) -> Reply:
    """Answer one request, whose body is still on the wire."""
    name, _, key = request.path.lstrip("/").partition("/")
    if request.method == "PUT" and key:
        stored = receive(request, wire)
        return _guarded(lambda: _put(bucket, request, f"{name}/{key}", stored))
    body = wire.read_body(request)
    if key:
        return _guarded(lambda: _on_object(bucket, request, f"{name}/{key}", body))
    return _guarded(lambda: _on_bucket(bucket, request, name, body))


def receive(request: Request, wire: Wire) -> Stored:
    """Take a body off the wire; one that is too big to keep is not even copied."""
    if request.is_framed or request.length < KEPT_BYTES:
        return Stored.of(wire.read_body(request))
    wire.drop_body(request)
    return Stored.dropped(request.length)


def _guarded(work: Callable[[], Reply]) -> Reply:
    try:
        return work()
    except Refused as refused:
        text = f"<Error><Code>{refused.code}</Code><Message>{escape(str(refused))}</Message></Error>"
        return Reply(refused.status, [text.encode()], {"Content-Type": "application/xml"})


def _put(bucket: Bucket, request: Request, key: str, stored: Stored) -> Reply:
    if "x-amz-copy-source" in request.headers:
        raise Refused(501, "NotImplemented", "copies are not simulated")
    if "uploadId" in request.query:
        number = int(request.query["partNumber"])
        stored = bucket.put_part(request.query["uploadId"], number, stored)
    else:
        stored = bucket.put(key, stored, request.headers)
    return Reply(200, (), {"ETag": stored.etag})


def _on_object(bucket: Bucket, request: Request, key: str, body: bytes) -> Reply:
    upload_id = request.query.get("uploadId", "")
    if request.method == "POST":
        return _complete(bucket, request, key, body) if upload_id else _begin(bucket, key)
    if request.method == "DELETE":
        if upload_id:
            bucket.abort(upload_id)
        else:
            bucket.delete(key)
        return Reply(204)
    return _read(bucket, request, key)


def _begin(bucket: Bucket, key: str) -> Reply:
    name, _, rest = key.partition("/")
    fields = f"<Bucket>{name}</Bucket><Key>{escape(rest)}</Key><UploadId>{bucket.begin(key)}</UploadId>"
    return _xml("InitiateMultipartUploadResult", fields)


def _complete(bucket: Bucket, request: Request, key: str, body: bytes) -> Reply:
    parts = [(int(_text(part, "PartNumber")), _text(part, "ETag")) for part in _all(body, "Part")]
    stored = bucket.complete(request.query["uploadId"], parts, request.headers)
    name, _, rest = key.partition("/")
    fields = f"<Bucket>{name}</Bucket><Key>{escape(rest)}</Key><ETag>{escape(stored.etag)}</ETag>"
    return _xml("CompleteMultipartUploadResult", fields)


def _read(bucket: Bucket, request: Request, key: str) -> Reply:
    stored = bucket.get(key)
    headers = {"ETag": stored.etag, "Last-Modified": HTTP_DATE, "Content-Type": "binary/octet-stream"}
    if request.method == "HEAD":
        return Reply(200, (), {**headers, "Content-Length": str(stored.size_bytes)})
    if stored.body is None:
        raise Refused(501, "NotImplemented", "bodies of 1 MiB and more are not kept")
    return Reply(200, [stored.body], headers)


def _on_bucket(bucket: Bucket, request: Request, name: str, body: bytes) -> Reply:
    if request.method == "HEAD":
        return Reply(200, (), {"x-amz-bucket-region": "eu-west-1"})
    if request.method == "POST" and "delete" in request.query:
        for entry in _all(body, "Object"):
            bucket.delete(f"{name}/{_text(entry, 'Key')}")
        return _xml("DeleteResult", "")
    if request.method == "GET" and "uploads" in request.query:
        return _list_uploads(bucket, request, name)
    if request.method == "GET" and request.query.get("list-type") == "2":
        return _list(bucket, request, name)
    if request.method == "GET" and "location" in request.query:
        return _xml("LocationConstraint", "eu-west-1")
    call = f"{request.method} {request.path} {dict(request.query)}"
    raise Refused(501, "NotImplemented", f"{call} is not simulated")


def _list(bucket: Bucket, request: Request, name: str) -> Reply:
    """ListObjectsV2; folders count towards the page's length, as keys do."""
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    after = max(request.query.get("continuation-token", ""), request.query.get("start-after", ""))
    limit = int(request.query.get("max-keys", 1000))
    rows: dict[str, str] = {}
    for full_key, stored in bucket.matching(f"{name}/{prefix}"):
        key = full_key.removeprefix(f"{name}/")
        folder = _folder(key, prefix, delimiter)
        if (folder or key) > after:
            rows[folder or key] = _folder_row(folder) if folder else _key_row(key, stored)
    page = list(rows)[:limit]
    more = len(rows) > len(page)
    token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more and page else ""
    fields = f"<Name>{name}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
    fields += f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
    return _xml("ListBucketResult", fields + "".join(rows[key] for key in page))


def _folder(key: str, prefix: str, delimiter: str) -> str:
    rest = key.removeprefix(prefix)
    return prefix + rest.partition(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""


def _folder_row(folder: str) -> str:
    return f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"


def _key_row(key: str, stored: Stored) -> str:
    fields = f"<ETag>{escape(stored.etag)}</ETag><Size>{stored.size_bytes}</Size>"
    return f"<Contents><Key>{escape(key)}</Key><LastModified>{DATE}</LastModified>{fields}</Contents>"


def _list_uploads(bucket: Bucket, request: Request, name: str) -> Reply:
    rows = [
        f"<Upload><Key>{escape(key.removeprefix(f'{name}/'))}</Key><UploadId>{upload_id}</UploadId>"
        f"<Initiated>{DATE}</Initiated></Upload>"
        for key, upload_id in bucket.uploads(f"{name}/{request.query.get('prefix', '')}")
    ]
    fields = f"<Bucket>{name}</Bucket><IsTruncated>false</IsTruncated>{''.join(rows)}"
    return _xml("ListMultipartUploadsResult", fields)


def _xml(root: str, fields: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{XMLNS}">{fields}</{root}>'
    return Reply(200, [text.encode()], {"Content-Type": "application/xml"})


def _all(body: bytes, name: str) -> list[ET.Element]:
    return [element for element in ET.fromstring(body).iter() if element.tag.endswith(f"}}{name}")]


def _text(element: ET.Element, name: str) -> str:
    return next(child.text or "" for child in element if child.tag.endswith(f"}}{name}"))
