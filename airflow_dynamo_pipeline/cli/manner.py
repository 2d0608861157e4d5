"""How a command is to talk: the options that every command has, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from airflow_dynamo_pipeline.engine.settings import TRUE

KEY = "airflow_dynamo_pipeline.cli.manner."
HELP = {
    "json": "Print one JSON object to stdout, and messages, progress and errors to stderr as lines of JSON.",
    "quiet": "Print no messages and no progress; warnings and errors only.",
    "verbose": "Say where each setting comes from, and show what caused an error.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """Text for people by default."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    @classmethod
    def asked_for(cls) -> Manner:
        """That of the command that runs in this thread."""
        context = click.get_current_context(silent=True)
        meta = context.meta if context else {}
        return cls(**{name: meta.get(KEY + name, False) for name in HELP})


def manner_options() -> list[click.Option]:
    """The options that ask for it."""
    return [
        click.Option(
            [f"--{name}", name], is_flag=True, help=text, expose_value=False, callback=_note, is_eager=True
        )
        for name, text in HELP.items()
    ]


def foresee(context: click.Context, arguments: Sequence[str], json_variable: str | None) -> None:
    """Note whether JSON is asked for, before options are read: they may be wrong themselves."""
    options_given = arguments[: arguments.index("--")] if "--" in arguments else arguments
    by_variable = (json_variable or "").strip().lower() in TRUE
    context.meta[KEY + "json"] = "--json" in options_given or by_variable


def _note(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's way
    context.meta[f"{KEY}{parameter.name}"] = bool(value)
