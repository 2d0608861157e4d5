"""The one TOML file that a person may name: settings for all commands, and tables for some of them.

::

    region_name = "eu-west-1"    # of every command that takes it

    [export]                     # of one command; nearer settings win
    ratio = 0.5

    [table.save]                 # of a command below another
    allow_incomplete = true
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from airflow_dynamo_pipeline.cli.options import LISTS, TABLES, says_nothing, without_rivals
from airflow_dynamo_pipeline.cli.own_settings import takes
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

NOT_SETTINGS = ("help", "version", "config")
MOMENT = "changes_from"


def read(file: str, root: click.Group) -> dict[str, Any]:
    """Everything that stands in the file, whichever command runs; InvalidRequest with all problems."""
    found = _parsed(file)
    problems = list(_problems(found, root, file, ()))
    if problems:
        raise InvalidRequest(problems)
    return found


def for_command(found: Mapping[str, Any], root: click.Command, path: Sequence[str]) -> dict[str, object]:
    """The settings for the command at ``path``, as click takes defaults."""
    merged: dict[str, object] = {}
    for depth, command, table in _tables(found, root, path):
        below = _below(command)
        here = {
            name: value for name, value in table.items() if name not in below and takes(path, name, depth)
        }
        merged = without_rivals(merged, here) | here
    known = {option.name: option for option in settings_of(command)}
    return {name: _as_given(known[name], value) for name, value in merged.items() if name in known}


def passed_over(found: Mapping[str, Any], root: click.Command, path: Sequence[str]) -> set[str]:
    """Settings that the command at ``path`` knows and does not take from where they stand."""
    passed = {
        name
        for depth, _, table in _tables(found, root, path)
        for name in table
        if not takes(path, name, depth)
    }
    *_, (_, command, _) = _tables(found, root, path)
    return passed & {option.name for option in settings_of(command) if option.name}


def settings_of(command: click.Command) -> list[click.Option]:
    """The options of one command that are settings."""
    options = [option for option in command.params if isinstance(option, click.Option)]
    return [option for option in options if option.name not in NOT_SETTINGS]


def options_of(
    command: click.Command, path: Sequence[str] = ()
) -> dict[str, list[tuple[Sequence[str], click.Option]]]:
    """The settings of a command or, of a group, of its commands, by name; each with the command's words."""
    found: dict[str, list[tuple[Sequence[str], click.Option]]] = {}
    for words, each in _leaves(command, path):
        for option in settings_of(each):
            found.setdefault(option.name or "", []).append((words, option))
    return found


def _leaves(command: click.Command, path: Sequence[str]) -> Iterator[tuple[Sequence[str], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, each in command.commands.items():
        yield from _leaves(each, (*path, name))


def _parsed(file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise InvalidRequest([Problem(file, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest([Problem(file, f"is not UTF-8: {error.reason}")]) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest([Problem(file, f"is not TOML: {error}")]) from error


def _problems(
    table: Mapping[str, Any], command: click.Command, file: str, path: Sequence[str]
) -> Iterator[Problem]:
    """What is wrong in the table of a command, and in those below."""
    below = _below(command)
    anywhere = options_of(command, path)
    known = {
        name: [option for words, option in each if takes(words, name, len(path))]
        for name, each in anywhere.items()
    }
    header = f"[{'.'.join(path)}] " if path else ""
    for name, value in table.items():
        where = f"{file}: {header}{name}"
        if name in below and isinstance(value, dict):
            yield from _problems(value, below[name], file, (*path, name))
        elif name in below:
            yield Problem(where, "is a command; its settings stand in a table of that name")
        elif name not in known:
            yield Problem(where, f"is not a setting of {_title(path)}", _did_you_mean(name, [*known, *below]))
        elif not known[name]:
            words, _ = anywhere[name][0]
            yield Problem(where, f"stands in the table of a command only, as in [{'.'.join(words)}]")
        elif says_nothing(name, value):
            yield Problem(where, "is empty; leave it out")
        else:
            yield from _misfit(where, known[name], value)


def _misfit(where: str, options: Sequence[click.Option], value: object) -> Iterator[Problem]:
    """What is wrong with a value for any of the commands that would be given it."""
    for option in options:
        try:
            _as_given(option, value)
        except InvalidSetting as refused:
            yield Problem(where, f"is {value!r}; expected {refused.expected}")
            return


def _tables(
    found: Mapping[str, Any], root: click.Command, path: Sequence[str]
) -> Iterator[tuple[int, click.Command, Mapping[str, Any]]]:
    """The tables that a command may take settings from, the farthest first, and whose each is."""
    table, command = found, root
    yield 0, command, table
    for depth, step in enumerate(path, 1):
        table, command = table.get(step, {}), _below(command)[step]
        yield depth, command, table


def _below(command: click.Command) -> Mapping[str, click.Command]:
    return command.commands if isinstance(command, click.Group) else {}


def _title(path: Sequence[str]) -> str:
    return " ".join(("dynamo-pipeline", *path)) if path else "any command"


def _did_you_mean(name: str, known: Sequence[str]) -> str | None:
    near = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
    return f"did you mean {near[0]!r}?" if near else None


def _as_given(option: click.Option, value: object) -> object:
    """A value of TOML as the command line would have given it; raises InvalidSetting."""
    expected, found = _taken(option, value)
    if found is None:
        raise InvalidSetting(option.name or "", value, expected)
    return found


def _taken(option: click.Option, value: object) -> tuple[str, object]:
    """What an option takes, in words, and the value if it is one."""
    name = option.name
    is_text = isinstance(value, str)
    if option.is_flag:
        return "true or false", value if isinstance(value, bool) else None
    if option.multiple:
        return "text or a list of texts", [value] if is_text else _texts(value)
    if name in LISTS:
        return "text or a list of texts", value if is_text else _joined(_texts(value))
    if name in TABLES:
        return "a table or JSON text", value if is_text else _json_text(value)
    if name == MOMENT:
        return "a moment", value.isoformat() if isinstance(value, datetime) else value if is_text else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "text or a number", str(value) if is_text or is_number else None


def _texts(value: object) -> list[str] | None:
    texts = [each for each in value if isinstance(each, str)] if isinstance(value, list) else None
    return texts if texts == value else None


def _joined(texts: list[str] | None) -> str | None:
    return ",".join(texts) if texts else None


def _json_text(value: object) -> str | None:
    """None for what is not a table, or has dates in it, which JSON has not."""
    try:
        return json.dumps(value) if isinstance(value, dict) else None
    except TypeError:
        return None
