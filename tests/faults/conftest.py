"""Small parts, so that a small table makes several; and a count of the fault points that were tried."""

import gc
from collections.abc import Callable, Iterator

import psutil  # type: ignore[import-untyped]  # of Airflow's own requirements
import pytest

from airflow_dynamo_pipeline.engine import requests
from airflow_dynamo_pipeline.engine.collector import give_free_memory_back
from tests.faults.import_world import in_small_steps
from tests.faults.promises import PROPERTY

Tally = Callable[[int], None]
MUCH_GARBAGE_BYTES = 150_000_000


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Let a part be closed after a few items."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "MIN_PART_BYTES", 1)
        yield


class Heap:
    """The memory of this process, and what it was when it held no garbage."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._clean_bytes = self._process.memory_info().rss

    def keep_low(self) -> None:
        """Collect the clients of many attempts: left to itself Python lets gigabytes of them pile up."""
        if self._process.memory_info().rss > self._clean_bytes + MUCH_GARBAGE_BYTES:
            gc.collect()
            give_free_memory_back()
            self._clean_bytes = self._process.memory_info().rss


@pytest.fixture(scope="session")
def heap() -> Heap:
    """One for all tests of a process."""
    return Heap()


@pytest.fixture(autouse=True)
def _no_piles_of_garbage(heap: Heap) -> Iterator[None]:
    yield
    heap.keep_low()


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
