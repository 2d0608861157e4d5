"""The fault harness from a shell: random schedules, and the table of promises."""

from __future__ import annotations

import secrets

import click

from airflow_dynamo_pipeline.engine import requests
from tests.faults.promises import run_and_write
from tests.faults.schedules import Schedule, Trial


@click.group(help=__doc__)
def main() -> None:
    requests.MIN_PART_BYTES = 1


@main.command()
@click.argument("seed", type=int)
def replay(seed: int) -> None:
    """Play the schedule of a seed, as a failing test printed it."""
    schedule = Schedule.of(seed)
    click.echo(schedule)
    trial = Trial(schedule)
    try:
        trial.play()
    finally:
        for outcome in trial.outcomes:
            click.echo(repr(outcome))
    click.echo(f"whole, after {trial.fault_points} faults")


@main.command()
@click.option("--count", default=1000, show_default=True, help="How many seeds to try.")
def explore(count: int) -> None:
    """Play schedules nobody has seen, until one fails."""
    points = 0
    for number in range(1, count + 1):
        seed = secrets.randbits(32)
        try:
            points += Trial(Schedule.of(seed)).play().fault_points
        except BaseException:
            click.echo(f"failed after {number} schedules; play it again: make replay SEED={seed}")
            raise
    click.echo(f"{count} schedules with {points} faults: every export whole")


@main.command()
def promises() -> None:
    """Run every test that carries the number of a promise, and write the table of the documentation."""
    run_and_write()


if __name__ == "__main__":
    main()
