"""Signature Version 4 for one kind of request: a POST to "/" without a query.

What stays the same from call to call is computed once a day and once for each set of credentials.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

ALGORITHM = "AWS4-HMAC-SHA256"
DATE = "x-amz-date"
TOKEN = "x-amz-security-token"  # noqa: S105  a header's name


class Credentials(Protocol):
    """Frozen credentials, as botocore's signer has them."""

    @property
    def access_key(self) -> str:
        """The public half."""
        ...

    @property
    def secret_key(self) -> str:
        """The private half."""
        ...

    @property
    def token(self) -> str | None:
        """The session's token; None for a user's own key."""
        ...


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All of a signature that does not depend on the second and the body."""

    valid_for: tuple[str, str, str | None, str]
    before_date: str
    after_date: str
    scope: str
    code: hmac.HMAC
    head: str


class Signer:
    """Signs for one region and service. Threads may share it."""

    def __init__(self, region: str, service: str, headers: Mapping[str, str]) -> None:
        """``headers`` are signed besides date and token: names in lower case, host among them."""
        self._region = region
        self._service = service
        self._headers = {name: " ".join(value.split()) for name, value in headers.items()}
        self._prepared: _Prepared | None = None

    def authorization(self, credentials: Credentials, stamp: str, body: bytes) -> str:
        """The value of the Authorization header. ``stamp`` is that of X-Amz-Date: 20260102T030405Z."""
        ready = self._prepared
        wanted = (credentials.access_key, credentials.secret_key, credentials.token, stamp[:8])
        if ready is None or ready.valid_for != wanted:
            ready = self._prepared = self._prepare(*wanted)
        canonical = f"{ready.before_date}{stamp}{ready.after_date}{hashlib.sha256(body).hexdigest()}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{ALGORITHM}\n{stamp}\n{ready.scope}\n{digest}"
        code = ready.code.copy()  # a third cheaper than to begin with the key
        code.update(text.encode())
        return ready.head + code.hexdigest()

    def _prepare(self, access_key: str, secret_key: str, token: str | None, day: str) -> _Prepared:
        signed = {**self._headers, DATE: ""}
        if token:
            signed[TOKEN] = " ".join(token.split())
        names = sorted(signed)
        lines = [f"{name}:{signed[name]}\n" for name in names]
        at = names.index(DATE)
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        return _Prepared(
            valid_for=(access_key, secret_key, token, day),
            before_date="POST\n/\n\n" + "".join(lines[:at]) + f"{DATE}:",
            after_date="\n" + "".join(lines[at + 1 :]) + "\n" + ";".join(names) + "\n",
            scope=scope,
            code=hmac.new(_signing_key(secret_key, scope), digestmod="sha256"),
            head=f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature=",
        )


def _signing_key(secret_key: str, scope: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
