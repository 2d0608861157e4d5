"""What one signed request of botocore's teaches: where to, in what name, with which headers."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.client import BaseClient
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from airflow_dynamo_pipeline.adapters.connections import Address, Connections
from airflow_dynamo_pipeline.adapters.signing import Credentials, Signer

SIGNATURE = "v4"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), .*"
)
PORTS = {"http": 80, "https": 443}
OF_ONE_CALL = frozenset(
    {
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "transfer-encoding",
        "x-amz-date",
        "x-amz-security-token",
        "x-amzn-trace-id",
    }
)


@dataclass(slots=True)
class Seen:
    """What was seen of a call that botocore makes."""

    operation: str
    signer: Any = None
    signature_version: Any = None
    request: AWSPreparedRequest | None = None


class Route:
    """One operation's way to the service."""

    def __init__(self, seen: Seen, scope: tuple[str, str], signed: set[str], address: Address) -> None:
        """``scope``: region and signing name; ``signed``: the headers that botocore signs, in lower case."""
        assert seen.request is not None  # noqa: S101
        self.operation = seen.operation
        self.url = address.url
        self.signer = seen.signer
        self.connections = Connections(address)
        self.was_shown = False
        self._region, self._service = scope
        host = _host_of(address.url)
        kept = {
            name: _text(value)
            for name, value in seen.request.headers.items()
            if name.lower() not in OF_ONE_CALL
        }
        to_sign = {name.lower(): value for name, value in kept.items() if name.lower() in signed}
        self._own_signer = Signer(self._region, self._service, {**to_sign, "host": host})
        lines = [f"{name}: {value}\r\n" for name, value in kept.items()]
        self._head = "".join(["POST / HTTP/1.1\r\n", f"Host: {host}\r\n", *lines])

    def credentials(self) -> Credentials | None:
        """The client's credentials at this moment, refreshed by botocore when they are due."""
        found: Credentials | None = self.signer.get_auth_instance(self._service, self._region).credentials
        return found

    def head(self, credentials: Credentials, stamp: str, body: bytes) -> bytes:
        """A signed request up to its body."""
        token = f"X-Amz-Security-Token: {credentials.token}\r\n" if credentials.token else ""
        return (
            f"{self._head}X-Amz-Date: {stamp}\r\n{token}"
            f"Authorization: {self._own_signer.authorization(credentials, stamp, body)}\r\n"
            f"Accept-Encoding: identity\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1")


def is_usual(client: Any) -> bool:
    """Whether nothing in the client's settings asks for more than the lean way can do."""
    if type(client).__bases__ != (BaseClient,):
        return False
    config = client.meta.config
    return not (config.proxies or config.client_cert)


def route_of(seen: Seen, client: Any) -> Route | None:
    """The route of a call that botocore has made; None where it did anything but the usual."""
    if seen.request is None or seen.signature_version != SIGNATURE:
        return None
    url = str(seen.request.url)
    parts = urlsplit(url)
    usual = parts.scheme in PORTS and parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
    authorization = AUTHORIZATION.fullmatch(_text(seen.request.headers.get("Authorization", "")))
    address = _address(url, client)
    if not usual or authorization is None or address is None or _has_proxy(url, client):
        return None
    region, service, signed = authorization.groups()
    return Route(seen, (region, service), set(signed.split(";")), address)


def _has_proxy(url: str, client: Any) -> bool:
    """Whether the environment names a proxy for this address, and the client does not overrule it."""
    return client.meta.config.proxies is None and urlsplit(url).scheme in get_environ_proxies(url)


def _address(url: str, client: Any) -> Address | None:
    parts = urlsplit(url)
    tls: ssl.SSLContext | None = None
    if parts.scheme == "https":
        verify = _verify(client)
        if verify is None:
            return None
        tls = _tls(verify)
    config = client.meta.config
    return Address(
        url=url,
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        tls=tls,
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        keep_alive_probes=bool(config.tcp_keepalive),
    )


def _verify(client: Any) -> bool | str | None:
    """How the client checks certificates; None where it cannot be told, and botocore makes the calls.

    No public member tells it. A botocore that names it otherwise costs speed, and nothing else.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    found: bool | str | None = getattr(session, "_verify", None)
    return found


def _tls(verify: bool | str) -> ssl.SSLContext:  # noqa: FBT001  botocore's own type for it
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    file = verify if isinstance(verify, str) else get_cert_path(verify=True)
    return ssl.create_default_context(cafile=file)


def _host_of(url: str) -> str:
    """The Host header: the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, PORTS[parts.scheme]) else f"{host}:{parts.port}"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
