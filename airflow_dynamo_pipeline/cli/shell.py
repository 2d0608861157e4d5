"""The group of all commands: knows from the first word whether a program or a person listens."""

from __future__ import annotations

import os
from typing import Any

import click

from airflow_dynamo_pipeline.cli.ending import exiting_by_code
from airflow_dynamo_pipeline.cli.manner import foresee
from airflow_dynamo_pipeline.cli.origins import variable


class Shell(click.Group):
    """A group whose every end is reported in the manner asked for, wrong usage and Ctrl-C too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look for ``--json`` before options are read: they may be wrong themselves."""
        foresee(ctx, args, os.environ.get(variable("json")))
        with exiting_by_code():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with exiting_by_code():
            return super().invoke(ctx)
