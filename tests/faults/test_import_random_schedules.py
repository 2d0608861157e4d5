"""Random faults over larger imports of every kind; a failing seed can be played again."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.faults.__main__ import main
from tests.faults.conftest import Tally
from tests.faults.import_schedules import MODES, ImportSchedule, ImportTrial

pytestmark = pytest.mark.usefixtures("small_steps")
EXAMPLES = 30
SEEDS = st.integers(0, 2**32 - 1)


def test_a_schedule_of_an_import_is_a_function_of_its_seed() -> None:
    assert ImportSchedule.of(7) == ImportSchedule.of(7)
    assert ImportSchedule.of(7) != ImportSchedule.of(8)
    assert ImportSchedule.of(7).scene() == ImportSchedule.of(7).scene()


def test_schedules_are_of_every_mode() -> None:
    assert set(MODES) == {ImportSchedule.of(seed).mode for seed in range(40)}


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS)
def test_i1_i2_i3_i11_an_import_ends_whole_whatever_goes_wrong(tally: Tally, seed: int) -> None:
    note(f"play it again: make replay SEED=import-{seed}")

    trial = ImportTrial(ImportSchedule.of(seed)).play()

    tally(trial.fault_points)
    assert trial.outcomes


def test_the_shell_plays_a_schedule_of_an_import_again() -> None:
    told = CliRunner().invoke(main, ["replay", "import-7"])

    assert 0 == told.exit_code, told.output
    assert "ImportSchedule(seed=7" in told.output
    assert "whole, after" in told.output
