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

from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.lookup.progress import LookupReports

BAR_SECONDS = 0.5
LINE_SECONDS = 10.0
MARGIN = 60  # beside the longest value: a URI must come out whole, or it cannot be copied


class Shown(Protocol):
    """A record of progress, of whatever is under way."""

    def line(self) -> str:
        """One line for a log."""
        ...

    def to_json(self) -> JsonObject:
        """The record for a program."""
        ...


class Output:
    """Results go to stdout; messages, progress and errors to stderr, as text or as lines of JSON."""

    def __init__(self, manner: Manner | None = None) -> None:
        self._manner = manner or Manner.asked_for()
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
    def lookup_reports(self) -> LookupReports:
        """Where a lookup load's go."""
        return LookupReports(self._report, self._every_seconds)

    @property
    def _shows_bars(self) -> bool:
        return self._console.is_terminal and not self._manner.json and not self._manner.quiet

    @property
    def _every_seconds(self) -> float:
        return BAR_SECONDS if self._shows_bars else LINE_SECONDS

    def say(self, line: str) -> None:
        """One line of information."""
        if not self._manner.quiet:
            self._line("message", line, line)

    def warn(self, line: str) -> None:
        """One line somebody should see."""
        self._line("warning", line, f"warning: {line}", style="yellow")

    def error(self, text: str, record: Mapping[str, Any]) -> None:
        """What the command ends with: text for people, the record for programs."""
        if self._manner.json:
            _json_line({"message_type": "error", **record})
        else:
            click.echo(text, err=True)

    def _line(self, kind: str, message: str, text: str, style: str | None = None) -> None:
        if self._manner.json:
            _json_line({"message_type": kind, "message": message})
        else:
            self._console.print(text, markup=False, emoji=False, style=style)

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show a bar meanwhile, on a terminal; it only moves to and fro until progress is reported."""
        if not self._shows_bars:
            yield
            return
        with Bars(
            TextColumn("{task.description}"), BarColumn(), console=self._console, transient=True
        ) as bars:
            self._bars = bars
            bars.add_task("working", total=None)
            try:
                yield
            finally:
                self._bars = None

    def _report(self, progress: Shown) -> None:
        """Show a record of progress."""
        if self._manner.json and not self._manner.quiet:
            _json_line({"message_type": "status", **progress.to_json()})
        elif self._bars is None:
            self.say(progress.line())
        else:
            task, line = self._bars.task_ids[0], progress.line()
            share = getattr(progress, "share_done", None)  # a query does not say how far it is
            total = None if share is None else 1.0
            self._bars.update(task, total=total, completed=share or 0.0, description=line)

    def result(self, title: str, record: Mapping[str, Any]) -> None:
        """Print a result: a table for people, one JSON object for programs."""
        if self._manner.json:
            click.echo(json.dumps(record))
            return
        table = Table(title=title, show_header=False, title_justify="left", box=None)
        told = {name: value for name, value in record.items() if not isinstance(value, Mapping)}
        for name, value in told.items():
            table.add_row(name, Text(_shown(value), no_wrap=True, overflow="ignore"))
        longest = max(len(str(value)) for value in told.values())
        Console(highlight=False, width=longest + MARGIN).print(table)


def _shown(value: object) -> str:
    if isinstance(value, bool):  # which is an int as well
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _json_line(record: Mapping[str, Any]) -> None:
    click.echo(json.dumps(record), err=True)
