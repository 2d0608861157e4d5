"""What a run of the benchmark prints."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata

from rich.console import Console
from rich.table import Table as RichTable

DISTRIBUTIONS = ("apache-airflow", "apache-airflow-providers-amazon", "boto3", "botocore", "isal", "msgspec")
WIDTH = 150


@dataclass(frozen=True, slots=True)
class Verdict:
    """One number, its limit, and whether it holds."""

    name: str
    value: str
    limit: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as they are printed."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run found."""

    mode: str
    notes: Sequence[str]
    table: Table
    verdicts: Sequence[Verdict]

    @property
    def passed(self) -> bool:
        """Whether every number holds."""
        return all(verdict.passed for verdict in self.verdicts)


def versions() -> dict[str, str]:
    """Say what was measured and on what."""
    found = {"python": platform.python_version(), "cores": str(os.cpu_count()), "machine": platform.machine()}
    return found | {name: metadata.version(name) for name in DISTRIBUTIONS}


def print_json(report: Report) -> None:
    """Print one JSON document."""
    print(json.dumps({"versions": versions(), **asdict(report)}, indent=2))


def print_tables(report: Report) -> None:
    """Print tables for a person."""
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    console.print(", ".join(f"{name} {version}" for name, version in versions().items()), style="dim")
    console.print(_rich(report.mode, report.table))
    for note in report.notes:
        console.print(f"- {note}", style="dim")
    rows = [[v.name, v.value, v.limit, "pass" if v.passed else "FAIL"] for v in report.verdicts]
    console.print(_rich("acceptance", Table(["number", "value", "limit", "verdict"], rows)))


def _rich(title: str, table: Table) -> RichTable:
    made = RichTable(title=title)
    for column in table.columns:
        made.add_column(column, no_wrap=True)
    for row in table.rows:
        made.add_row(*row)
    return made
