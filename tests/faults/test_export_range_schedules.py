"""Random faults over several workers at once; threads of one machine: a seed repeats what, not when."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Tally
from tests.faults.range_schedules import RangeSchedule, RangeTrial

SEEDS = range(10)


def test_a_schedule_is_a_function_of_its_seed() -> None:
    assert RangeSchedule.of(7) == RangeSchedule.of(7)
    assert RangeSchedule.of(7) != RangeSchedule.of(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_e1_e2_e3_e4_e5_a_table_in_use_is_shared_out_and_whole_whatever_goes_wrong(
    tally: Tally, seed: int
) -> None:
    trial = RangeTrial(RangeSchedule.of(seed)).play()

    tally(trial.fault_points)
    assert len(trial.outcomes) >= trial.schedule.ranges + 3  # the plan, a range twice, the commit
