"""Where settings come from: the command line, then the environment, then the file."""

from __future__ import annotations

import click
from click.core import ParameterSource

PREFIX = "DYNAMO_PIPELINE"
FILE = "airflow_dynamo_pipeline.cli.origins.file"
STRONGEST_FIRST = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


def variable(name: str) -> str:
    """The environment variable of a setting: one for all commands.

    >>> variable("table_name")
    'DYNAMO_PIPELINE_TABLE_NAME'
    """
    return f"{PREFIX}_{name.upper()}"


def variable_of(parameter: click.Parameter) -> str | None:
    """The environment variable that a command takes a parameter from, if there is one."""
    if isinstance(parameter.envvar, str):
        return parameter.envvar
    is_general = isinstance(parameter, click.Option) and parameter.allow_from_autoenv
    return variable(parameter.name) if is_general and parameter.name else None


def weakness(context: click.Context, name: str) -> int:
    """How weak the origin of a parameter is; 0 is the command line."""
    source = context.get_parameter_source(name)
    return STRONGEST_FIRST.index(source) if source in STRONGEST_FIRST else len(STRONGEST_FIRST)


def given_anywhere(context: click.Context, name: str) -> bool:
    """Whether somebody gave a parameter, wherever."""
    return weakness(context, name) < len(STRONGEST_FIRST)


def origins(context: click.Context) -> dict[str, str]:
    """Where the settings came from that are not from the command line: a variable or the file."""
    file = str(context.meta.get(FILE))
    parameters = {parameter.name: parameter for parameter in context.command.params if parameter.name}
    places = {
        name: {1: variable_of(parameter), 2: file}.get(weakness(context, name))
        for name, parameter in parameters.items()
    }
    return {name: place for name, place in places.items() if place}
