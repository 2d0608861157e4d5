"""Small parts, so that a small table makes several; and a count of the fault points that were tried."""

from collections.abc import Callable, Iterator

import pytest

from airflow_dynamo_pipeline.engine import requests
from tests.faults.import_world import in_small_steps
from tests.faults.promises import PROPERTY

Tally = Callable[[int], None]


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Let a part be closed after a few items."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "MIN_PART_BYTES", 1)
        yield


@pytest.fixture(scope="module")
def small_steps() -> Iterator[None]:
    """Let an import of a few items read several blocks and write several checkpoints."""
    with in_small_steps():
        yield


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Count fault points; the sum goes into the record that the table of promises is made of."""
    points: list[int] = []
    yield points.append
    assert sum(points) > 0, "no fault point was tried"
    record_property(PROPERTY, sum(points))
