"""Memory does not follow the table. The benchmarks show that it is flat; this holds it to the bound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.endpoint import Endpoint, running_endpoint
from tests.benchmarks.runs import Measurement, measure

MB = 1_000_000
BOUND_BYTES = 200 * MB  # above the interpreter with Airflow loaded, at up to eight segments
SEGMENTS = 8

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with running_endpoint() as found:
        yield found


def exported(endpoint: Endpoint, items: int) -> Measurement:
    """The operator in a process of its own; fails unless it read and reported each item once."""
    return measure(endpoint, "ours", items=items, segments=SEGMENTS, kind="small")


def test_e12_ten_million_items_stay_below_the_bound_that_is_documented(endpoint: Endpoint) -> None:
    ten = exported(endpoint, 10_000_000)

    assert ten.scan_bytes > 2.5 * BOUND_BYTES  # kept in memory, they alone would be above it
    assert ten.peak_rss_bytes - ten.loaded_rss_bytes < BOUND_BYTES
