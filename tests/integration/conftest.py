"""A world for each test."""

import pytest

from tests.integration.world import World
from tests.services import Services


@pytest.fixture
def world(services: Services, bucket: str) -> World:
    """Clients of DynamoDB Local and moto's S3, and an empty bucket."""
    return World.of(services, bucket)
