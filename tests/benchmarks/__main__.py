"""Side by side benchmarks, printed as ratios of one run over the same data.

``speed`` compares exports, ``memory`` measures an export's peak at 1, 5 and 10 GB, ``rate`` the rate held and
the worst second. ``import`` compares imports, ``import-memory`` measures their peak, ``verify`` compares a
verification with an export, ``lookup`` nightly mirrors with a reload, ``spark`` a Spark job with one worker.
``soak`` exports twenty million items and looks for growth; ``rate-soak`` looks for the worst second and
minute of simulated hours; ``scale`` simulates exports by many workers. Several modes run one after the other,
whatever became of those before. The exit code is 1 when an acceptance number fails, 2 when a client did.
Trust the ratios: seconds are the machine's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping

from tests.benchmarks import (
    import_memory,
    imports,
    lookups,
    memory,
    rate,
    rate_soak,
    scale,
    soak,
    spark_job,
    speed,
    verify_speed,
)
from tests.benchmarks.endpoint import running_endpoint
from tests.benchmarks.lookup_endpoint import running_lookup_endpoint
from tests.benchmarks.report import Report, print_json, print_tables
from tests.benchmarks.runs import ClientFailed

SPEED_ITEMS = 4_000_000
ROUNDS = 3
FAILED_NUMBER, FAILED_CLIENT = 1, 2

Chosen = argparse.Namespace


def run_speed(chosen: Chosen) -> Report:
    """Exports side by side."""
    items = chosen.items or SPEED_ITEMS
    with running_endpoint() as endpoint:
        return speed.report(speed.run_rounds(endpoint, items=items, rounds=chosen.rounds), items)


def run_memory(_: Chosen) -> Report:
    """The memory of exports."""
    with running_endpoint() as endpoint:
        return memory.report(memory.run_sizes(endpoint))


def run_rate(_: Chosen) -> Report:
    """The rate of exports."""
    with running_endpoint() as endpoint:
        return rate.report(rate.run_rates(endpoint))


def run_import(chosen: Chosen) -> Report:
    """Imports side by side, after a look at whether they write each item once."""
    items = chosen.items or imports.ITEMS
    checked = imports.run_checked()
    with running_endpoint() as endpoint:
        rounds = imports.run_rounds(endpoint, items=items, rounds=chosen.rounds)
        return imports.report(rounds, checked)


def run_import_memory(_: Chosen) -> Report:
    """The memory of imports."""
    with running_endpoint() as endpoint:
        return import_memory.report(import_memory.run_shapes(endpoint))


def run_verify(chosen: Chosen) -> Report:
    """A verification beside an export."""
    items = chosen.items or verify_speed.ITEMS
    with running_endpoint() as endpoint:
        return verify_speed.report(verify_speed.run_rounds(endpoint, items=items, rounds=chosen.rounds))


def run_lookup(chosen: Chosen) -> Report:
    """Nightly mirrors beside reloads; one round, whatever is asked: millions of keys even out."""
    with running_lookup_endpoint() as endpoint:
        return lookups.report(lookups.run_pairs(endpoint, chosen.items or lookups.KEYS))


def run_spark(chosen: Chosen) -> Report:
    """A Spark job beside one worker; one round, whatever is asked: gigabytes even out."""
    far = running_endpoint(scan_seconds=spark_job.SCAN_SECONDS)
    with running_endpoint() as near, far as late:
        return spark_job.report(spark_job.run_all(near, late, chosen.items or spark_job.ITEMS))


def run_soak(chosen: Chosen) -> Report:
    """A long export."""
    with running_endpoint() as endpoint:
        return soak.report(soak.run(endpoint, chosen.items or soak.ITEMS))


def run_rate_soak(_: Chosen) -> Report:
    """Simulated hours."""
    return rate_soak.report(rate_soak.run_courses())


def run_scale(_: Chosen) -> Report:
    """Simulated exports by many workers."""
    return scale.report(scale.run_all())


MODES: Mapping[str, Callable[[Chosen], Report]] = {
    "speed": run_speed,
    "memory": run_memory,
    "rate": run_rate,
    "import": run_import,
    "import-memory": run_import_memory,
    "verify": run_verify,
    "lookup": run_lookup,
    "spark": run_spark,
    "soak": run_soak,
    "rate-soak": run_rate_soak,
    "scale": run_scale,
}


def arguments() -> Chosen:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modes", nargs="*", metavar="mode", help=f"{', '.join(MODES)}; default: speed")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="rounds of those that compare (%(default)s)"
    )
    numbers = f"speed: {SPEED_ITEMS:,}, import: {imports.ITEMS:,}, verify: {verify_speed.ITEMS:,}"
    numbers += f", lookup: {lookups.KEYS:,}, spark: {spark_job.ITEMS:,}, soak: {soak.ITEMS:,}"
    parser.add_argument("--items", type=int, help=f"items ({numbers})")
    parser.add_argument("--json", action="store_true", help="print a JSON document for each mode")
    chosen = parser.parse_args()
    if unknown := [mode for mode in chosen.modes if mode not in MODES]:
        parser.error(f"no such mode: {', '.join(unknown)}; there are {', '.join(MODES)}")
    return chosen


def run(mode: str, chosen: Chosen) -> int:
    """Run one mode against an endpoint of its own, print what it found; 0 when every number holds."""
    try:
        report = MODES[mode](chosen)
    except ClientFailed as failed:
        print(f"{mode}: {failed}", file=sys.stderr, flush=True)
        return FAILED_CLIENT
    (print_json if chosen.json else print_tables)(report)
    sys.stdout.flush()
    return 0 if report.passed else FAILED_NUMBER


def main() -> int:
    """Run the modes, all of them; 0 when every number of every mode holds."""
    chosen = arguments()
    return max([run(mode, chosen) for mode in chosen.modes or ["speed"]])


if __name__ == "__main__":
    sys.exit(main())
