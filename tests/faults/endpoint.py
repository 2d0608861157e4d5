"""The fake AWS and its doors: a listening port for each attempt, with a script of faults and a log."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from airflow_dynamo_pipeline.adapters.transport import Transport
from airflow_dynamo_pipeline.adapters.wiring import engine_config
from airflow_dynamo_pipeline.items.page import ReplyText
from tests.clock import VirtualClock
from tests.faults.autoscaling import AutoScaling
from tests.faults.calls import Call, Service
from tests.faults.cloudwatch import CloudWatch
from tests.faults.dynamodb import DynamoDB
from tests.faults.dynamodb.native_imports import imports_of
from tests.faults.logs import Logs
from tests.faults.quotas import Quotas
from tests.faults.s3 import S3, operation_of
from tests.faults.script import Fault, Kind, Script
from tests.faults.strikes import Hangup, answer_of
from tests.faults.wire import Reply, Request, Wire
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY
from tests.step_clock import StepClock

HOST = "127.0.0.1"
PATIENCE_SECONDS = 30.0  # real ones, for a reply that is coming
IMPATIENCE_SECONDS = 2.0  # for one that a script holds back; a busy machine is late with the others
TARGETS = {
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "ServiceQuotasV20190624": "servicequotas",
    "GraniteServiceVersion20100801": "cloudwatch",
    "AnyScaleFrontendService": "application-autoscaling",
    "Logs_20140328": "logs",
    "TrentService": "kms",
}


# A StepClock stands still by itself while its one running thread makes a call; it knows no slow replies.
HarnessClock = VirtualClock | StepClock
CALLING = threading.local()  # whether this thread is in a call


class Killed(BaseException):
    """The process is gone: nothing that it would still do happens."""


class FakeAws:
    """DynamoDB and its streams, S3, CloudWatch, its logs and Service Quotas, on one clock."""

    def __init__(self, clock: HarnessClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.dynamodb = DynamoDB(self.clock)
        self.s3 = S3(self.clock)
        self.quotas = Quotas()
        self.cloudwatch = CloudWatch(self.dynamodb.consumed, self.clock)
        self.logs = Logs()
        self.autoscaling = AutoScaling()
        imports = imports_of(self.dynamodb)
        imports.s3, imports.logs = self.s3, self.logs
        self._services: dict[str, Service] = {
            "dynamodb": self.dynamodb,
            "dynamodbstreams": self.dynamodb,
            "s3": self.s3,
            "servicequotas": self.quotas,
            "cloudwatch": self.cloudwatch,
            "logs": self.logs,
            "application-autoscaling": self.autoscaling,
        }

    def answer(self, call: Call) -> Reply:
        """Let the service that is meant do what the call asks."""
        return self._services[call.service].answer(call)

    @contextlib.contextmanager
    def door(self, *faults: Fault, clock: HarnessClock | None = None) -> Iterator[Door]:
        """Listen for one attempt while the block lasts; ``clock`` is the attempt's own, if it has one."""
        with socket.create_server((HOST, 0), backlog=64) as listener:
            door = Door(self, Script(faults), clock or self.clock, listener)
            threading.Thread(target=door.serve, daemon=True).start()
            try:
                yield door
            finally:
                door.close()


@dataclass
class Door:
    """Where one attempt, or one process, meets the fake."""

    aws: FakeAws
    script: Script
    clock: HarnessClock
    listener: socket.socket
    calls: list[Call] = field(default_factory=list)
    dead: threading.Event = field(default_factory=threading.Event)
    frozen: threading.Event = field(default_factory=threading.Event)
    thaw: threading.Event = field(default_factory=threading.Event)
    on_kill: Callable[[], None] = lambda: None
    before: Callable[[Call], None] = lambda _: None  # what the rest of the world does before a call arrives
    impatient: bool = False

    def __post_init__(self) -> None:
        self._closed = False
        self._counting = threading.Lock()
        self._connections: list[socket.socket] = []
        self._clients: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return f"http://{HOST}:{self.listener.getsockname()[1]}"

    def client(self, service: str) -> Any:
        """A client that dies with its attempt, and for whose calls virtual time stands still."""
        if service not in self._clients:
            seconds = IMPATIENCE_SECONDS if self.impatient else PATIENCE_SECONDS
            given = Config(read_timeout=seconds, proxies={}, s3={"addressing_style": "path"})
            make: Callable[..., Any] = _session().client
            client = make(service, endpoint_url=self.url, config=engine_config(given))
            client._endpoint.http_session = _MortalSession(client._endpoint.http_session, self)
            self._clients[service] = client
        return self._clients[service]

    def around(self, transport: Transport) -> Transport:
        """A transport that dies with its attempt, whichever way it sends."""
        return _MortalTransport(transport, self)

    def operations(self) -> list[str]:
        """The names of the calls so far."""
        return [call.operation for call in self.calls]

    def busy(self) -> contextlib.AbstractContextManager[None]:
        """Time stands still while a call is under way."""
        return self.clock.busy() if isinstance(self.clock, VirtualClock) else contextlib.nullcontext()

    def alive(self) -> None:
        """Go on only if the process lives."""
        if self.dead.is_set():
            raise Killed

    def close(self) -> None:
        """Stop listening, and let every connection go."""
        self._closed = True
        self.thaw.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for client in self._clients.values():
            client.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Give each connection a thread until the door is closed."""
        while not self._closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, ConnectionError, Killed, OSError):
            wire = Wire(connection)
            while True:
                request = wire.read_head()
                call = identify(request, wire.read_body(request), self.clock.monotonic())
                try:
                    reply = self._answer(call, connection)
                except Hangup as hangup:
                    connection.sendall(hangup.first)
                    return
                wire.send(reply)

    def _answer(self, call: Call, connection: socket.socket) -> Reply:
        self.alive()
        self.before(call)
        with self._counting:  # calls are numbered alike here and in the script
            self.calls.append(call)
            fault = self.script.take(call)
        if fault is None:
            return self.aws.answer(call)
        match fault.kind:
            case Kind.KILL | Kind.FREEZE | Kind.SLOW | Kind.TIME_OUT:
                return self._interrupted(fault, call, connection)
            case _:
                return answer_of(fault, call, self.aws.answer)

    def _interrupted(self, fault: Fault, call: Call, connection: socket.socket) -> Reply:
        """A call that is answered as always, if it is, but something happens before or after it."""
        reply = self.aws.answer(call) if fault.after else None
        if fault.kind is Kind.KILL:
            self.dead.set()
            self.on_kill()
        elif fault.kind is Kind.FREEZE:
            self.frozen.set()
            self.thaw.wait()
        elif fault.kind is Kind.SLOW:
            assert isinstance(self.clock, VirtualClock)
            with self.clock.waiting():
                self.clock.wait(self.thaw, fault.seconds)
        else:
            connection.recv(1)  # the client gives up and closes
            raise Hangup
        self.alive()
        return reply or self.aws.answer(call)


class _MortalSession:
    """botocore's own HTTP session, with a fate."""

    def __init__(self, inner: Any, door: Door) -> None:
        self._inner = inner
        self._door = door

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        with _fate(self._door):
            response: AWSResponse = self._inner.send(request)
        return response

    def close(self) -> None:
        self._inner.close()


class _MortalTransport:
    """A transport that need not use botocore's session, with the same fate."""

    def __init__(self, inner: Transport, door: Door) -> None:
        self._inner = inner
        self._door = door

    def call(self, operation: str, body: bytes) -> ReplyText:
        with _fate(self._door):
            return self._inner.call(operation, body)


@contextlib.contextmanager
def _fate(door: Door) -> Iterator[None]:
    """Time stands still meanwhile. Raises Killed before, or in place of any outcome, if the process died.

    A transport may hand a call on to botocore's session: that is one call, and as busy as one.
    """
    door.alive()
    within = getattr(CALLING, "now", False)
    CALLING.now = True
    try:
        with contextlib.nullcontext() if within else door.busy():
            yield
    except Exception:
        door.alive()
        raise
    finally:
        CALLING.now = within
    door.alive()


def identify(request: Request, body: bytes, at: float) -> Call:
    """Name a request's service and operation."""
    family, _, operation = request.headers.get("x-amz-target", "").partition(".")
    if family in TARGETS:
        return Call(TARGETS[family], operation, request, body, at)
    if "/operation/" in request.path:  # CloudWatch in CBOR
        return Call("cloudwatch", request.path.rpartition("/")[2], request, body, at)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Call("cloudwatch", parse_qs(body.decode())["Action"][0], request, body, at)
    return Call("s3", operation_of(request), request, body, at)


@functools.cache
def _session() -> boto3.Session:
    """One session for all clients: it keeps the service models it has read."""
    return boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION)
