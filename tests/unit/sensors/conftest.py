"""No sensor test sleeps."""

import pytest


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the sensor's poke loop slept, without sleeping."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found
