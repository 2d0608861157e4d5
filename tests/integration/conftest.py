"""A world for each test."""

from collections.abc import Iterator

import pytest

from tests.integration.world import World
from tests.quick_clients import spare_looking_for_the_caller
from tests.services import Services


@pytest.fixture
def world(services: Services, bucket: str) -> World:
    """Clients of DynamoDB Local and moto's S3, and an empty bucket."""
    return World.of(services, bucket)


@pytest.fixture(scope="session", autouse=True)
def _quick_hooks() -> Iterator[None]:
    """Hooks do not read the source of the whole stack for their user agent."""
    with pytest.MonkeyPatch.context() as patch:
        spare_looking_for_the_caller(patch)
        yield
