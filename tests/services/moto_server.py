"""moto's server: S3 and whatever of AWS DynamoDB Local does not have."""

import contextlib
import sys
from collections.abc import Iterator

from tests.services.process import server


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run moto as a process of its own; yields its URL."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]

    with server("moto", command) as url:
        yield url
