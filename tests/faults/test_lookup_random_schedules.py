"""Random faults over several nights of lookup loads; a failing seed can be played again."""

from __future__ import annotations

from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.faults.__main__ import main
from tests.faults.conftest import Tally
from tests.faults.lookup_schedules import WAYS, LookupSchedule, LookupTrial

EXAMPLES = 6
SEEDS = st.integers(0, 2**32 - 1)


def test_a_schedule_of_lookup_loads_is_a_function_of_its_seed() -> None:
    assert LookupSchedule.of(7) == LookupSchedule.of(7)
    assert LookupSchedule.of(7) != LookupSchedule.of(8)


def test_schedules_are_of_every_way_of_loading() -> None:
    assert set(WAYS) == {LookupSchedule.of(seed).way for seed in range(40)}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=SEEDS)
def test_r1_r5_every_night_ends_with_the_table_of_its_query_whatever_goes_wrong(
    tally: Tally, seed: int
) -> None:
    note(f"play it again: make replay SEED=lookup-{seed}")

    trial = LookupTrial(LookupSchedule.of(seed)).play()

    tally(max(1, trial.fault_points))
    assert trial.outcomes


def test_the_shell_plays_a_schedule_of_lookup_loads_again() -> None:
    told = CliRunner().invoke(main, ["replay", "lookup-7"])

    assert 0 == told.exit_code, told.output
    assert "LookupSchedule(seed=7" in told.output
    assert "whole, after" in told.output
