"""What a person sees: a bar on a terminal, lines in a log, a table or JSON at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports

BAR_SECONDS = 0.5
LINE_SECONDS = 10.0
MARGIN = 60  # beside the longest value: a URI must come out whole, or it cannot be copied


class Shown(Protocol):
    """A record of progress, of whatever is under way."""

    @property
    def share_done(self) -> float:
        """From 0 to 1."""
        ...

    def line(self) -> str:
        """One line for a log."""
        ...


class Output:
    """Messages go to stderr, results to stdout."""

    def __init__(self, *, json_output: bool) -> None:
        self._json = json_output
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars: Bars | None = None

    @property
    def reports(self) -> Reports:
        """Where the engine's records of progress go."""
        return Reports(self._report, self._every_seconds)

    @property
    def import_reports(self) -> ImportReports:
        """Where an import's go."""
        return ImportReports(self._report, self._every_seconds)

    @property
    def _every_seconds(self) -> float:
        return BAR_SECONDS if self._console.is_terminal else LINE_SECONDS

    def say(self, line: str) -> None:
        """One line of information."""
        self._console.print(line, markup=False, emoji=False)

    def warn(self, line: str) -> None:
        """One line somebody should see."""
        self._console.print(f"warning: {line}", markup=False, emoji=False, style="yellow")

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show a bar meanwhile, on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Bars(
            TextColumn("{task.description}"), BarColumn(), console=self._console, transient=True
        ) as bars:
            self._bars = bars
            bars.add_task("starting", total=1.0)
            try:
                yield
            finally:
                self._bars = None

    def _report(self, progress: Shown) -> None:
        """Show a record of progress."""
        if self._bars is None:
            self.say(progress.line())
            return
        self._bars.update(self._bars.task_ids[0], completed=progress.share_done, description=progress.line())

    def result(self, title: str, record: Mapping[str, Any]) -> None:
        """Print a result: a table for people, one JSON object for programs."""
        if self._json:
            click.echo(json.dumps(record))
            return
        table = Table(title=title, show_header=False, title_justify="left", box=None)
        for name, value in record.items():
            shown = f"{value:,}" if isinstance(value, int | float) else str(value)
            table.add_row(name, Text(shown, no_wrap=True, overflow="ignore"))
        longest = max(len(str(value)) for value in record.values())
        Console(highlight=False, width=longest + MARGIN).print(table)
