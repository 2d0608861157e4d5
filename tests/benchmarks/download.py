"""The floor: download the same pages and compress them, with no item handling at all.

``http.client`` on one kept connection for each segment, a thread for each segment, isal's gzip level 1 over
the whole JSON body as it came, the output discarded. It finds the next page's key by searching the end of
the body. It does not sign, verifies no checksum, uploads nothing and writes no checkpoint or manifest:
what the export does beyond this is what its figure pays for.
"""

from __future__ import annotations

import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from isal import isal_zlib

from tests.benchmarks.worker import Job

GZIP = 31  # wbits: a gzip header and trailer
LEVEL = 1
HEADERS = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "application/x-amz-json-1.0"}
TAIL_BYTES = 300
KEY_MARK, COUNT_MARK = b'"LastEvaluatedKey":', b',"ScannedCount":'


def run(job: Job) -> int:
    """Download every segment, and return how many items the pages say they held."""
    with ThreadPoolExecutor(job.segments) as pool:
        return sum(pool.map(lambda segment: download(job, segment), range(job.segments)))


def download(job: Job, segment: int) -> int:
    """Download and compress one segment."""
    connection = connected(job)
    gzip = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, GZIP)
    call = {"TableName": job.table, "Segment": segment, "TotalSegments": job.segments}
    request, key, items = json.dumps({**call, "ReturnConsumedCapacity": "TOTAL"}).encode()[:-1], b"", 0
    while True:
        start = b',"ExclusiveStartKey":' + key if key else b""
        connection.request("POST", "/", request + start + b"}", HEADERS)
        body = connection.getresponse().read()
        gzip.compress(body)
        key, count = cursor(body[-TAIL_BYTES:])
        items += count
        if not key:
            gzip.flush()
            connection.close()
            return items


def connected(job: Job) -> http.client.HTTPConnection:
    """A connection to the endpoint, as its address says."""
    where = urlsplit(job.url).netloc
    if not job.certificate:
        return http.client.HTTPConnection(where)
    return http.client.HTTPSConnection(where, context=ssl.create_default_context(cafile=job.certificate))


def cursor(tail: bytes) -> tuple[bytes, int]:
    """Find LastEvaluatedKey, empty if there is none, and ScannedCount at the end of a page.

    >>> cursor(b'],"LastEvaluatedKey":{"pk":{"S":"a"}},"ScannedCount":7}')
    (b'{"pk":{"S":"a"}}', 7)
    """
    before, _, count = tail.rpartition(COUNT_MARK)
    return before.partition(KEY_MARK)[2], int(count[:-1])
