"""One DynamoDB endpoint made of two: DynamoDB Local, and moto for what Local does not have.

Local keeps the data and answers everything except the calls in ``MOTO_ANSWERS``. So that moto
knows the tables those ask about, the calls in ``BOTH_HEAR`` are repeated to it.
Bodies and headers pass byte for byte; a checksum that was right stays right. Only the name that Local gives
a table in an ARN becomes moto's, where moto answers.
"""

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.services.clients import REGION

MOTO_ANSWERS = frozenset(
    {"DescribeContinuousBackups", "UpdateContinuousBackups", "ListTagsOfResource", "TagResource"}
)
LOCAL_ARN = b"arn:aws:dynamodb:ddblocal:000000000000:"
MOTO_ARN = f"arn:aws:dynamodb:{REGION}:123456789012:".encode()
BOTH_HEAR = frozenset({"CreateTable", "DeleteTable"})
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
UPSTREAM_SECONDS = 60

Reply = tuple[http.client.HTTPResponse, bytes]


@contextlib.contextmanager
def gateway(*, dynamodb_url: str, moto_url: str) -> Iterator[str]:
    """Serve the combined endpoint from a thread of this process; yields its URL."""
    listener = _Gateway(dynamodb=urlsplit(dynamodb_url).netloc, moto=urlsplit(moto_url).netloc)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Gateway(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # clients that keep their connections open do not hold up the end
    request_queue_size = 128

    def __init__(self, *, dynamodb: str, moto: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dynamodb = dynamodb
        self.moto = moto


class _Handler(BaseHTTPRequestHandler):
    """One client connection; it keeps one connection to each upstream."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Gateway

    def setup(self) -> None:
        super().setup()
        self._upstreams: dict[str, http.client.HTTPConnection] = {}

    def finish(self) -> None:
        for connection in self._upstreams.values():
            connection.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            response, content = self._answer(operation, body)
        except (OSError, http.client.HTTPException) as error:
            self.send_error(502, explain=repr(error))
            return
        self._pass_on(response, content)

    def _answer(self, operation: str, body: bytes) -> Reply:
        if operation in MOTO_ANSWERS:
            return self._forward(self.server.moto, body.replace(LOCAL_ARN, MOTO_ARN))
        reply = self._forward(self.server.dynamodb, body)
        if operation in BOTH_HEAR and reply[0].status == http.client.OK:
            self._forward(self.server.moto, body)
        return reply

    def _forward(self, upstream: str, body: bytes) -> Reply:
        """Ask an upstream; once more when it had closed the idle connection we kept."""
        kept = self._upstreams.get(upstream)
        if kept is not None:
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                return self._ask(kept, body)
            kept.close()
        fresh = http.client.HTTPConnection(upstream, timeout=UPSTREAM_SECONDS)
        self._upstreams[upstream] = fresh
        return self._ask(fresh, body)

    def _ask(self, connection: http.client.HTTPConnection, body: bytes) -> Reply:
        connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response, response.read()

    def _pass_on(self, response: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing: one line per call would drown the tests' own output."""
