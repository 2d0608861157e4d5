"""A server that answers with the bytes it was given, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.faults.wire import Request, Wire

HOST = "127.0.0.1"
PAGE = b'{"Count":0,"Items":[],"ScannedCount":0}'


@dataclass(frozen=True, slots=True)
class Answer:
    """Raw bytes; ``then_closes`` as a server does that keeps no idle connections."""

    text: bytes
    then_closes: bool = False


def answer(body: bytes = PAGE, status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """A reply as DynamoDB frames it."""
    usual = {
        "Content-Type": "application/x-amz-json-1.0",
        "x-amz-crc32": str(zlib.crc32(body)),
        "Content-Length": str(len(body)),
    }
    lines = [f"{name}: {value}" for name, value in {**usual, **(headers or {})}.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


@dataclass
class RawServer:
    """Takes the next answer of a script at every request; the last one repeats."""

    listener: socket.socket
    script: list[Answer]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    accepted: int = 0
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def port(self) -> int:
        """Where it listens."""
        found: int = self.listener.getsockname()[1]
        return found

    @property
    def url(self) -> str:
        """Its address."""
        return f"http{'s' if self.tls else ''}://{HOST}:{self.port}"

    def serve(self) -> None:
        """One thread for each connection."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, plain: socket.socket) -> None:
        with contextlib.suppress(EOFError, OSError), plain:
            connection = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
            with connection:
                wire = Wire(connection)
                while True:
                    request = wire.read_head()
                    self.bodies.append(wire.read_body(request))
                    self.requests.append(request)
                    told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                    connection.sendall(told.text)
                    if told.then_closes:
                        break
            self.closed.release()


@contextlib.contextmanager
def raw_server(*script: Answer | bytes, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Serve a script on a free port."""
    answers = [one if isinstance(one, Answer) else Answer(one) for one in script]
    with socket.create_server((HOST, 0)) as listener:
        server = RawServer(listener, answers, tls)
        threading.Thread(target=server.serve, daemon=True).start()
        try:
            yield server
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def throw_away_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for the loopback that signs itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "throw-away")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return certificate_file, context
