"""Settings that must be named for the command itself, and where what is written to was named.

What a command writes to is never taken from where settings for several commands stand: a table that is
named for exports must not become the target of an import. A policy must not grow by a setting of an export.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import click

from airflow_dynamo_pipeline.cli.manner import HELP as MANNER
from airflow_dynamo_pipeline.cli.origins import PREFIX, given_anywhere, origins
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

Path = Sequence[str]  # the words of a command

SOURCE_PASSWORD = "DYNAMO_PIPELINE_SOURCE_PASSWORD"  # noqa: S105  the name of a variable; it is no option
POLICIES = "iam-policy"  # commands whose every setting is their own
OWN: Mapping[tuple[str, ...], Sequence[str]] = {
    ("import",): ("table_name", "s3_uri"),
    ("lookup",): ("table_name", "s3_uri", "method"),  # methods of exports are others
    ("table", "restore"): ("table_name",),
}
TARGETS: Mapping[tuple[str, ...], Sequence[str]] = {
    ("export",): ("s3_uri",),
    ("import",): ("table_name", "s3_uri", "rejects_s3_uri"),
    ("lookup",): ("table_name", "s3_uri"),
    ("table", "save"): ("to",),
    ("table", "restore"): ("table_name",),
}
PASSED_OVER = "airflow_dynamo_pipeline.cli.own_settings.passed_over"


def takes(path: Path, name: str, depth: int) -> bool:
    """Whether a command takes a setting from a place for the first ``depth`` of its words.

    >>> takes(("import",), "table_name", 0), takes(("import",), "table_name", 1)
    (False, True)
    """
    if path[:1] == (POLICIES,):
        return depth > 0 or name in MANNER
    return depth == len(path) or name not in OWN.get(tuple(path), ())


def own_variable(path: Path, name: str) -> str | None:
    """The variable of a setting that is for one command only, if there is one.

    >>> own_variable(("table", "restore"), "table_name")
    'DYNAMO_PIPELINE_TABLE_RESTORE_TABLE_NAME'
    """
    return "_".join((PREFIX, *path, name)).upper() if name in OWN.get(tuple(path), ()) else None


def pass_over(context: click.Context, found: Mapping[str, str]) -> None:
    """Note settings that are there and not taken, with their origin."""
    context.meta[PASSED_OVER] = found


def is_passed_over(name: str) -> bool:
    """Whether the command that runs was not given a setting that others would be given."""
    context = click.get_current_context()
    return name in context.meta.get(PASSED_OVER, {}) and not given_anywhere(context, name)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Of a setting that is missing because it was passed over, say so."""
    try:
        yield
    except InvalidRequest as refused:
        raise InvalidRequest(_with_hint(problem, path) for problem in refused.problems) from refused


def lines(context: click.Context, path: Path) -> Iterator[str]:
    """Where what is written to was named, if not on the command line."""
    for name, origin in origins(context).items():
        if name in TARGETS.get(tuple(path), ()):
            value = context.params.get(name)
            yield f"{name} is from {origin}: {' '.join(value) if isinstance(value, tuple) else value}"


def _with_hint(problem: Problem, path: Path) -> Problem:
    names = [name for name in problem.where.split(" or ") if is_passed_over(name)]
    if not names:
        return problem
    passed_over = click.get_current_context().meta[PASSED_OVER]
    said = ", ".join(f"{name} of {passed_over[name]}" for name in names)
    return replace(problem, hint=f"{said} is not used here: name it by {_or(_places(path, names))}")


def _places(path: Path, names: Sequence[str]) -> Iterator[str]:
    yield from (f"--{name.replace('_', '-')}" for name in names)
    yield from (found for name in names if (found := own_variable(path, name)))
    yield f"in [{'.'.join(path)}] of a file"


def _or(places: Iterable[str]) -> str:
    *first, last = places
    return f"{', '.join(first)} or {last}"
