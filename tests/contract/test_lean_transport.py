"""The lean transport: what it learns, when it leaves a call to botocore, and what it never does."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.credentials import CredentialProvider, RefreshableCredentials
from botocore.httpsession import URLLib3Session

from airflow_dynamo_pipeline.adapters.lean_transport import LeanTransport
from airflow_dynamo_pipeline.adapters.wiring import engine_config, transport_for
from airflow_dynamo_pipeline.errors import ServiceTrouble
from tests.contract.raw_server import Answer, RawServer, answer, raw_server, throw_away_certificate
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

SCAN = b'{"TableName":"orders"}'
PUT = b'{"TableName":"orders","Item":{"pk":{"S":"a"}}}'
LEARNED = 2
OF_EVERY_CALL = ("content-type", "x-amz-target", "user-agent", "host", "accept-encoding")
ODD_TYPE = {"Content-Type": "text/json"}
NO_PROXIES = Config(proxies={})


def client_of(server: RawServer, config: Config = NO_PROXIES, **more: Any) -> Any:
    session: Any = boto3.Session(
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
    )
    given = Config(read_timeout=10).merge(config)
    return session.client("dynamodb", endpoint_url=server.url, config=engine_config(given), **more)


def lean(client: Any, warn: Callable[[str], None] = print) -> LeanTransport:
    found = transport_for(client, "orders", warn)
    assert isinstance(found, LeanTransport)
    return found


class Sessions:
    """botocore's HTTP session, and how often it sent."""

    def __init__(self, client: Any) -> None:
        self.sent = 0
        self._inner = client._endpoint.http_session
        self._verify = getattr(self._inner, "_verify", None)
        client._endpoint.http_session = self

    def send(self, request: Any) -> Any:
        self.sent += 1
        return self._inner.send(request)


def test_only_the_first_call_of_an_operation_is_botocores() -> None:
    with raw_server(answer()) as server:
        client = client_of(server)
        sessions, transport = Sessions(client), lean(client)

        for _ in range(5):
            assert json.loads(transport.call("Scan", SCAN))["Items"] == []
        transport.call("PutItem", PUT)
        transport.call("PutItem", PUT)

    assert 2 == sessions.sent
    assert [SCAN] * 5 + [PUT] * 2 == server.bodies


def test_botocore_makes_every_call_where_the_lean_way_is_switched_off() -> None:
    with raw_server(answer()) as server:
        client = client_of(server)
        sessions, transport = Sessions(client), transport_for(client, "orders", print, is_lean=False)

        for _ in range(4):
            transport.call("Scan", SCAN)

    assert 4 == sessions.sent


def test_a_lean_call_has_the_headers_of_botocores() -> None:
    with raw_server(answer()) as server:
        transport = lean(client_of(server))
        for _ in range(LEARNED + 1):
            transport.call("Scan", SCAN)

    first, *_, last = [request.headers for request in server.requests]
    assert [first.get(name) for name in OF_EVERY_CALL] == [last.get(name) for name in OF_EVERY_CALL]
    assert last["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/")
    assert f"/{REGION}/dynamodb/aws4_request" in last["authorization"]


def test_one_connection_serves_all_calls_of_a_thread() -> None:
    with raw_server(answer()) as server:
        transport = lean(client_of(server))
        for _ in range(10):
            transport.call("Scan", SCAN)

    assert 2 == server.accepted  # botocore's and ours


def test_a_connection_that_was_closed_between_calls_is_made_anew_and_nothing_is_sent_twice() -> None:
    with raw_server(Answer(answer(b"{}"), then_closes=True)) as server:
        transport = lean(client_of(server))
        for _ in range(8):
            transport.call("PutItem", PUT)
            server.closed.acquire(timeout=10)

    assert 8 == len(server.bodies)


def test_a_reply_that_ends_the_connection_is_the_last_on_it() -> None:
    with raw_server(answer(headers={"Connection": "close"})) as server:
        transport = lean(client_of(server))
        for _ in range(6):
            transport.call("Scan", SCAN)

    assert 6 == len(server.bodies) == server.accepted


def test_chunks_are_put_together() -> None:
    chunks = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks += b'8\r\n{"Items"\r\n20;x=y\r\n:[],"Count":0,"ScannedCount":0 }\r\n0\r\n\r\n'
    with raw_server(chunks) as server:
        client = client_of(server)
        sessions, transport = Sessions(client), lean(client)

        replies = [transport.call("Scan", SCAN) for _ in range(4)]

    assert [b'{"Items":[],"Count":0,"ScannedCount":0 }'] * 4 == replies
    assert 1 == sessions.sent


# --- what is left to botocore ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        Config(proxies={"https": "http://127.0.0.1:1"}),
        Config(client_cert="client.pem"),
        Config(signature_version=UNSIGNED),
    ],
    ids=["proxy", "client certificate", "unsigned"],
)
def test_settings_out_of_the_common_leave_all_calls_to_botocore(config: Config) -> None:
    with raw_server(answer()) as server:
        client = client_of(server, config)
        sessions, transport = Sessions(client), lean(client)

        for _ in range(4):
            transport.call("Scan", SCAN)

    assert 4 == sessions.sent
    assert not transport.is_lean


@pytest.mark.parametrize(("passed_over", "is_lean"), [("", False), ("127.0.0.1", True)])
def test_a_proxy_of_the_environment_leaves_all_calls_to_botocore(
    monkeypatch: pytest.MonkeyPatch, passed_over: str, is_lean: bool
) -> None:
    with raw_server(answer()) as server:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.url)  # it answers as a proxy too
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, passed_over)
        transport = lean(client_of(server, Config()))

        for _ in range(LEARNED + 1):
            transport.call("Scan", SCAN)

    assert is_lean == transport.is_lean


def test_a_client_of_somebodys_own_class_leaves_all_calls_to_botocore() -> None:
    with raw_server(answer()) as server:
        client = client_of(server)
        client.__class__ = type("Traced", (type(client),), {})
        transport = lean(client)

        for _ in range(LEARNED + 1):
            transport.call("Scan", SCAN)

    assert not transport.is_lean


@pytest.mark.parametrize("event", ["before-parameter-build", "before-call", "before-send", "before-parse"])
def test_whoever_listens_to_the_client_hears_every_call_once(event: str) -> None:
    heard: list[str] = []

    def listen(event_name: str, **_: object) -> None:
        heard.append(event_name)

    with raw_server(answer()) as server:
        client = client_of(server)
        client.meta.events.register(f"{event}.dynamodb.Scan", listen)
        transport = lean(client)
        for _ in range(5):
            transport.call("Scan", SCAN)

    assert [f"{event}.dynamodb.Scan"] * 5 == heard
    assert 5 == len(server.bodies)
    assert not transport.is_lean


def test_a_listener_may_answer_in_the_services_place() -> None:
    body = b'{"Items":[],"Count":0,"ScannedCount":7}'

    class Raw:
        def stream(self, **_: object) -> Any:
            yield body

    def reply(request: Any, **_: object) -> AWSResponse:
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, Raw())  # type: ignore[arg-type]

    with raw_server(answer()) as server:
        client = client_of(server)
        transport = lean(client)
        transport.call("Scan", SCAN)
        client.meta.events.register("before-send.dynamodb", reply)

        replies = [transport.call("Scan", SCAN) for _ in range(3)]

    assert [body] * 3 == replies
    assert 1 == len(server.bodies)


def test_a_listener_may_send_the_call_itself() -> None:
    sent: list[int] = []

    def send(request: Any, **_: object) -> AWSResponse:
        response: AWSResponse = URLLib3Session().send(request)
        sent.append(response.status_code)
        return response

    with raw_server(answer()) as server:
        client = client_of(server)
        transport = lean(client)
        transport.call("Scan", SCAN)
        client.meta.events.register("before-send.dynamodb", send)

        for _ in range(3):
            assert json.loads(transport.call("Scan", SCAN))["Items"] == []

    assert [200] * 3 == sent
    assert [SCAN] * 4 == server.bodies


def test_a_reply_that_is_not_json_is_asked_for_again_by_botocore_and_so_is_all_that_follows() -> None:
    warned: list[str] = []
    with raw_server(*[answer()] * LEARNED, answer(headers=ODD_TYPE)) as server:
        client = client_of(server)
        sessions, transport = Sessions(client), lean(client, warned.append)
        for _ in range(LEARNED):
            transport.call("Scan", SCAN)

        replies = [json.loads(transport.call("Scan", SCAN)) for _ in range(2)]

    assert [{"Items": [], "Count": 0, "ScannedCount": 0}] * 2 == replies
    assert LEARNED + 3 == len(server.bodies)
    assert 3 == sessions.sent
    assert [True] == ["text/json" in line for line in warned]


@pytest.mark.parametrize(
    "odd",
    [
        answer(headers=ODD_TYPE),
        answer(headers={"Content-Encoding": "gzip"}),
        answer(headers={"Content-Length": "1, 1"}),
        answer(headers={"Content-Length": str(1 << 40)}),
        answer(status="302 Found"),
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_a_write_whose_reply_cannot_be_read_is_not_sent_again(odd: bytes) -> None:
    with raw_server(*[answer(b"{}")] * LEARNED, odd, answer(b"{}")) as server:
        transport = lean(client_of(server))
        for _ in range(LEARNED):
            transport.call("PutItem", PUT)

        with pytest.raises(ServiceTrouble, match="dynamodb:PutItem on table orders: a reply"):
            transport.call("PutItem", PUT)

        assert LEARNED + 1 == len(server.bodies)
        assert b"{}" == transport.call("PutItem", PUT)


def test_a_signature_that_is_refused_is_made_by_botocore_from_then_on() -> None:
    refusal = answer(b'{"__type":"x#InvalidSignatureException","message":"no"}', "400 Bad Request")
    with raw_server(*[answer(b"{}")] * LEARNED, refusal, answer(b"{}")) as server:
        client = client_of(server)
        sessions, transport = Sessions(client), lean(client)
        for _ in range(LEARNED):
            transport.call("PutItem", PUT)

        assert b"{}" == transport.call("PutItem", PUT)
        assert b"{}" == transport.call("PutItem", PUT)

    assert 3 == sessions.sent


# --- credentials and TLS --------------------------------------------------------------------------


class ShortLived(CredentialProvider):
    """Credentials that are renewed when they are due; each set has a name of its own."""

    METHOD = CANONICAL_NAME = "short-lived"

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.count = 0

    def load(self) -> RefreshableCredentials:
        first = self.fresh()
        return RefreshableCredentials(
            first["access_key"],
            first["secret_key"],
            first["token"],
            dt.datetime.fromisoformat(first["expiry_time"]),
            self.fresh,
            self.METHOD,
            time_fetcher=lambda: self.now,
        )

    def fresh(self) -> dict[str, str]:
        self.count += 1
        until = self.now + dt.timedelta(hours=1)
        name = f"KEY{self.count}"
        return {
            "access_key": name,
            "secret_key": "s",
            "token": f"token-{name}",
            "expiry_time": until.isoformat(),
        }


def test_credentials_are_renewed_when_they_are_due() -> None:
    provider = ShortLived()
    session: Any = botocore.session.Session()
    session.get_component("credential_provider").providers.insert(0, provider)
    with raw_server(answer()) as server:
        client = session.create_client(
            "dynamodb", REGION, endpoint_url=server.url, config=engine_config(NO_PROXIES)
        )
        sessions, transport = Sessions(client), lean(client)
        for _ in range(LEARNED + 1):
            transport.call("Scan", SCAN)
        provider.now += dt.timedelta(hours=2)
        transport.call("Scan", SCAN)

    assert 1 == sessions.sent
    names = [request.headers["authorization"].split("=")[1].split("/")[0] for request in server.requests]
    assert ["KEY1"] * 3 + ["KEY2"] == names
    assert "token-KEY2" == server.requests[-1].headers["x-amz-security-token"]
    assert "x-amz-security-token" in server.requests[-1].headers["authorization"]


@pytest.mark.parametrize("verified", [True, False])
def test_tls_is_checked_as_the_client_checks_it(tmp_path: Path, verified: bool) -> None:
    certificate, context = throw_away_certificate(tmp_path)
    with raw_server(answer(), tls=context) as server:
        client = client_of(server, verify=str(certificate) if verified else False)
        sessions, transport = Sessions(client), lean(client)

        for _ in range(5):
            transport.call("Scan", SCAN)

    assert 1 == sessions.sent
    assert 5 == len(server.bodies)


def test_a_certificate_that_is_not_the_clients_is_refused(tmp_path: Path) -> None:
    folders = [tmp_path / "known", tmp_path / "unknown"]
    for folder in folders:
        folder.mkdir()
    certificate, known = throw_away_certificate(folders[0])
    _, unknown = throw_away_certificate(folders[1])
    with raw_server(Answer(answer(), then_closes=True), tls=known) as server:
        client = client_of(server, verify=str(certificate))
        sessions, transport = Sessions(client), lean(client)
        for _ in range(LEARNED):
            transport.call("Scan", SCAN)
            server.closed.acquire(timeout=10)
        server.tls = unknown

        with pytest.raises(ServiceTrouble, match="SSL"):
            transport.call("Scan", SCAN)

    assert 1 == sessions.sent
    assert LEARNED == len(server.bodies)


def test_a_botocore_that_hides_how_it_checks_makes_the_calls_itself(tmp_path: Path) -> None:
    certificate, context = throw_away_certificate(tmp_path)
    with raw_server(answer(), tls=context) as server:
        client = client_of(server, verify=str(certificate))
        sessions = Sessions(client)
        del sessions._verify
        transport = lean(client)

        for _ in range(4):
            transport.call("Scan", SCAN)

    assert 4 == sessions.sent
