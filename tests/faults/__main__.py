"""The fault harness from a shell: random schedules, and the table of promises."""

from __future__ import annotations

import secrets

import click

from tests.faults.import_schedules import ImportSchedule, ImportTrial
from tests.faults.import_world import in_small_steps
from tests.faults.lookup_schedules import LookupSchedule, LookupTrial
from tests.faults.promises import run_and_write
from tests.faults.schedules import Schedule, Trial

IMPORT = "import-"  # before the seed of a schedule of an import
LOOKUP = "lookup-"  # and of lookup loads


@click.group(help=__doc__)
@click.pass_context
def main(context: click.Context) -> None:
    context.with_resource(in_small_steps())


def trial_of(seed: str) -> Trial | ImportTrial | LookupTrial:
    """The trial of a seed, of an import or of lookup loads where it says so."""
    if seed.startswith(LOOKUP):
        return LookupTrial(LookupSchedule.of(int(seed.removeprefix(LOOKUP))))
    if seed.startswith(IMPORT):
        return ImportTrial(ImportSchedule.of(int(seed.removeprefix(IMPORT))))
    return Trial(Schedule.of(int(seed)))


@main.command()
@click.argument("seed")
def replay(seed: str) -> None:
    """Play the schedule of a seed, as a failing test printed it: 7, import-7 or lookup-7."""
    trial = trial_of(seed)
    click.echo(trial.schedule)
    try:
        trial.play()
    finally:
        for outcome in trial.outcomes:
            click.echo(repr(outcome))
    click.echo(f"whole, after {trial.fault_points} faults")


@main.command()
@click.option("--count", default=1000, show_default=True, help="How many seeds to try of each kind.")
def explore(count: int) -> None:
    """Play schedules of exports, imports and lookup loads that nobody has seen, until one fails."""
    points = 0
    for number in range(1, count + 1):
        for kind in ("", IMPORT, LOOKUP):
            seed = f"{kind}{secrets.randbits(32)}"
            try:
                points += trial_of(seed).play().fault_points
            except BaseException:
                click.echo(f"failed after {number} schedules; play it again: make replay SEED={seed}")
                raise
    click.echo(f"{count} schedules of each kind with {points} faults: all of them whole")


@main.command()
def promises() -> None:
    """Run every test that carries the number of a promise, and write the table of the documentation."""
    run_and_write()


if __name__ == "__main__":
    main()
