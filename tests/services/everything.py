"""All services together."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.services.dynamodb_local import dynamodb_local
from tests.services.gateway import gateway
from tests.services.moto_server import moto_server


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Where the services listen."""

    dynamodb_url: str  # DynamoDB Local itself
    moto_url: str  # S3, CloudWatch and the rest
    gateway_url: str  # DynamoDB Local, with what it lacks answered by moto


@contextlib.contextmanager
def running_services() -> Iterator[Services]:
    """Start DynamoDB Local, moto and the gateway before them; stop all three at the end."""
    with (
        dynamodb_local() as dynamodb_url,
        moto_server() as moto_url,
        gateway(dynamodb_url=dynamodb_url, moto_url=moto_url) as gateway_url,
    ):
        yield Services(dynamodb_url=dynamodb_url, moto_url=moto_url, gateway_url=gateway_url)
