"""The command line without a network."""

import pytest

from tests.unit.cli.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Five items in a table, nothing in the bucket."""
    made = World()
    made.put_in(monkeypatch)
    return made
