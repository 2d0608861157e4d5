"""What a client says of a body's bytes: verified, kept, and told to whoever reads them back.

CRC32, SHA-1, SHA-256 and Content-MD5 are verified. CRC32C and CRC64NVME are refused: the standard library
computes neither. The wire drops trailers, so a sum that comes after its body is computed, not compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.faults.s3.bodies import Body, Dropped
from tests.faults.s3.refusals import Refused

PREFIX = "x-amz-checksum-"
ABOUT_SUMS = frozenset(PREFIX + name for name in ("algorithm", "mode", "type"))
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


def _crc32(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


SUMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": _crc32,
    "sha1": lambda body: hashlib.sha1(body).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
}


@dataclass(frozen=True, slots=True)
class Checksum:
    """A sum as headers and documents show it."""

    algorithm: str  # in lower case: crc32
    value: str  # base64; ends in "-N" when it is composed of the sums of N parts
    kind: str = FULL_OBJECT

    @property
    def headers(self) -> dict[str, str]:
        """The sum in a reply."""
        return {PREFIX + self.algorithm: self.value, PREFIX + "type": self.kind}

    @property
    def member(self) -> str:
        """The sum's name in documents: ChecksumCRC32."""
        return f"Checksum{self.algorithm.upper()}"


def known(algorithm: str) -> str:
    """An algorithm's name in lower case, if it is computed here."""
    if algorithm.lower() not in SUMS:
        raise Refused(501, "NotImplemented", f"{algorithm} is not simulated")
    return algorithm.lower()


def text_of(algorithm: str, body: bytes) -> str:
    """A body's sum in base64."""
    return base64.b64encode(SUMS[algorithm](body)).decode()


def verified(headers: Mapping[str, str], body: Body) -> Checksum | None:
    """The sum that came with a body, None if none did; raises Refused where it is not the body's."""
    if isinstance(body, bytes) and "content-md5" in headers:
        _check_md5(headers["content-md5"], body)
    sent = sent_sum(headers)
    if sent is None:
        return _announced(headers, body)
    if isinstance(body, Dropped):
        return sent
    if len(_decoded(sent.value)) != len(SUMS[sent.algorithm](b"")):
        raise Refused(400, "InvalidRequest", f"Value for {PREFIX}{sent.algorithm} header is invalid.")
    if sent.value != text_of(sent.algorithm, body):
        name = sent.algorithm.upper()
        raise Refused(400, "BadDigest", f"The {name} you specified did not match the calculated checksum.")
    return sent


def sent_sum(headers: Mapping[str, str]) -> Checksum | None:
    """The one sum that the headers tell, unverified."""
    names = [name for name in headers if name.startswith(PREFIX) and name not in ABOUT_SUMS]
    if len(names) > 1:
        text = f"Expecting a single {PREFIX} header. Multiple checksum Types are not allowed."
        raise Refused(400, "InvalidRequest", text)
    return Checksum(known(names[0].removeprefix(PREFIX)), headers[names[0]]) if names else None


def composed(algorithm: str, values: list[str]) -> Checksum:
    """The sum of the parts' sums."""
    whole = text_of(algorithm, b"".join(base64.b64decode(value) for value in values))
    return Checksum(algorithm, f"{whole}-{len(values)}", COMPOSITE)


def _announced(headers: Mapping[str, str], body: Body) -> Checksum | None:
    """The sum of a body whose own one was in the trailer."""
    trailer = headers.get("x-amz-trailer", "")
    if not trailer.startswith(PREFIX):
        if "x-amz-sdk-checksum-algorithm" in headers:
            text = f"x-amz-sdk-checksum-algorithm specified, but no corresponding {PREFIX}* header was found."
            raise Refused(400, "InvalidRequest", text)
        return None
    algorithm = known(trailer.removeprefix(PREFIX))
    return None if isinstance(body, Dropped) else Checksum(algorithm, text_of(algorithm, body))


def _check_md5(sent: str, body: bytes) -> None:
    digest = _decoded(sent)
    if len(digest) != 16:
        raise Refused(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    if digest != hashlib.md5(body).digest():
        raise Refused(
            400, "BadDigest", "The Content-MD5 you specified did not match what we received.", ContentMD5=sent
        )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
