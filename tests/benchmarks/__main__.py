"""Side by side export benchmark, printed as ratios of one run over the same data.

``python -m tests.benchmarks`` measures speed, ``python -m tests.benchmarks memory`` peak memory at 1, 5 and
10 GB, ``python -m tests.benchmarks rate`` the rate held and the worst second. ``soak`` exports twenty million
items and looks for growth; ``rate-soak`` looks for the worst second and minute of simulated hours. The exit
code is 1 when an acceptance number fails. Trust the ratios: seconds are the machine's.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks import memory, rate, rate_soak, soak, speed
from tests.benchmarks.endpoint import running_endpoint
from tests.benchmarks.report import Report, print_json, print_tables
from tests.benchmarks.runs import ClientFailed

ITEMS = 2_000_000
MODES = ("speed", "memory", "rate", "soak", "rate-soak")
ROUNDS = 3


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mode", nargs="?", choices=MODES, default="speed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of speed (%(default)s)")
    parser.add_argument("--items", type=int, help=f"items in speed ({ITEMS:,}) or in soak ({soak.ITEMS:,})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def run(chosen: argparse.Namespace) -> Report:
    """Run one mode, against a fresh endpoint if it needs one."""
    if chosen.mode == "rate-soak":
        return rate_soak.report(rate_soak.run_courses())
    with running_endpoint() as endpoint:
        if chosen.mode == "memory":
            return memory.report(memory.run_sizes(endpoint))
        if chosen.mode == "rate":
            return rate.report(rate.run_rates(endpoint))
        if chosen.mode == "soak":
            return soak.report(soak.run(endpoint, chosen.items or soak.ITEMS))
        items = chosen.items or ITEMS
        return speed.report(speed.run_rounds(endpoint, items=items, rounds=chosen.rounds), items)


def main() -> int:
    """Run and print; 0 when every number holds."""
    chosen = arguments()
    try:
        report = run(chosen)
    except ClientFailed as failed:
        print(failed, file=sys.stderr)
        return 2
    (print_json if chosen.json else print_tables)(report)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
