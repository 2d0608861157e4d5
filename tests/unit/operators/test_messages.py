from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import airflow_dynamo_pipeline
from airflow_dynamo_pipeline import errors
from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobFailed
from airflow_dynamo_pipeline.engine.capacity_state import NotYetAllowed, StillChanging
from airflow_dynamo_pipeline.engine.import_records import Accounts
from airflow_dynamo_pipeline.engine.import_result import refuse_too_many_rejects
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    ImportFailed,
    ImportRefused,
    NotFound,
    PipelineError,
    PreflightFailed,
    Problem,
    ServiceTrouble,
    TableChanged,
    TableDiffers,
    Temporary,
    Throttled,
    UnexpectedReply,
    with_hint,
)
from airflow_dynamo_pipeline.operators.messages import WHAT_TO_DO, told, what_to_do
from tests.unit.test_errors import EXAMPLES

ALL = [
    *EXAMPLES,
    StillChanging("table orders is UPDATING"),
    NotYetAllowed("not before 12:00"),
    EmrJobFailed("s-1", "FAILED", "out of memory"),
]
BY_CODE = "airflow_dynamo_pipeline."  # tests have error classes of their own


def classes_below(kind: type[PipelineError]) -> Iterator[type[PipelineError]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith(BY_CODE):
            yield each
            yield from classes_below(each)


def every_class() -> set[type[PipelineError]]:
    """All error classes, wherever a module of the package makes one."""
    for module in pkgutil.walk_packages(airflow_dynamo_pipeline.__path__, BY_CODE):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {PipelineError, *classes_below(PipelineError)}


def in_errors() -> set[type[PipelineError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return {kind for kind in found if issubclass(kind, PipelineError)}


HINT_AT = {  # which argument of a call is the hint
    "with_hint": 1,
    "Problem": 2,
    "NotFound": 2,
    "RecoveryUnavailable": 2,
    "AccessDenied": 3,
    "NativeJobFailed": 4,
}
HINT_NAME = re.compile(r"_?(MEND|HINT|ALLOW)(_|$)")
MOST_LETTERS = 400


def texts(node: ast.expr) -> Iterator[str]:
    """A text as it stands in the code, with a word for each value in it; none of what is computed."""
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.JoinedStr(parts):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "something" for part in parts
            )
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one)
            yield from texts(other)


def hints_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Assign(targets=[ast.Name(name)], value=value) if HINT_NAME.match(name) or name == "hint":
            yield from texts(value)
        case ast.keyword(arg="hint", value=value):
            yield from texts(value)
        case ast.Call(func=ast.Name(name), args=args) if len(args) > HINT_AT.get(name, len(args)):
            yield from texts(args[HINT_AT[name]])


def every_hint() -> set[str]:
    """The hints that stand in the package's code."""
    sources = Path(airflow_dynamo_pipeline.__file__).parent.rglob("*.py")
    nodes = (node for source in sources for node in ast.walk(ast.parse(source.read_text())))
    return {hint for node in nodes for hint in hints_in(node)} - {"\nHINT: ", "HINT: "}


def clears(line: str) -> int:
    return len(re.findall(r"\bclear\b", line, re.IGNORECASE))


def first_line(error: PipelineError) -> str:
    return told(error).splitlines()[0]


def test_something_to_do_is_said_for_every_class_of_errors_py() -> None:
    assert set() == in_errors() - set(WHAT_TO_DO)


def test_what_other_modules_make_of_them_is_told_by_their_own_or_a_final_or_temporary_class() -> None:
    nearest = {kind: next(each for each in kind.__mro__ if each in WHAT_TO_DO) for kind in every_class()}

    assert [] == [
        kind.__name__ for kind, by in nearest.items() if by in (PipelineError, Temporary) and by is not kind
    ]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_the_first_line_says_what_happened_and_what_to_do(error: PipelineError) -> None:
    line = first_line(error)
    what, _, do = line.partition("; to mend it: ")

    assert what.startswith(str(error).splitlines()[0].removesuffix(": 1 problem"))
    assert len("press Clear") <= len(do)


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_nothing_of_the_error_is_lost(error: PipelineError) -> None:
    message = told(error)

    for line in str(error).splitlines():
        assert line.removeprefix("HINT: ").removesuffix(": 1 problem") in message


def test_every_class_has_an_example_here() -> None:
    bases = {PipelineError, Temporary}

    assert set() == set(WHAT_TO_DO) - {type(error) for error in ALL} - bases


def test_the_hint_of_an_error_is_what_to_do() -> None:
    error = NotFound("table", "orders", "check the name and the region")

    assert "no such table: orders; to mend it: check the name and the region, then press Clear" == told(error)


def test_without_a_hint_the_class_says_what_to_do() -> None:
    assert f"no such table: orders; to mend it: {what_to_do(NotFound)}" == told(NotFound("table", "orders"))


def test_one_finding_is_one_line() -> None:
    error = PreflightFailed([Problem("table_name", "no such table: orders", "create it")])

    assert (
        "preflight failed before the first Scan: table_name: no such table: orders; "
        "to mend it: create it, then press Clear"
    ) == told(error)


def test_of_several_findings_the_first_line_counts_all_and_tells_the_first() -> None:
    problems = [Problem("table_name", "no such table: orders", "create it"), Problem("s3_uri", "no bucket")]

    lines = told(ImportRefused(problems)).splitlines()

    assert (
        "preflight failed before the first write: 2 problems, the first: table_name: no such table: orders; "
        "to mend it: create it, then press Clear"
    ) == lines[0]
    assert ["table_name: no such table: orders", "HINT: create it", "s3_uri: no bucket"] == lines[1:]


def test_a_finding_of_several_lines_keeps_them() -> None:
    error = PreflightFailed([Problem("table_name", "odd\nvery odd", "mend it")])

    assert ["very odd"] == told(error).splitlines()[1:]


def test_a_single_difference_loses_nothing_of_what_is_said_beside_it() -> None:
    error = TableDiffers(
        "s3://b/m.json", "orders", [Problem("k1", "n differs")], counts=(0, 0, 1), rest="more"
    )

    head, *rest = told(error).splitlines()

    assert ", the first: k1: n differs; to mend it: " in head
    assert "more" == rest[0]
    assert rest[1].startswith("HINT: what was written while this ran counts, too")


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_only_what_a_retry_can_help_is_said_to_be_tried_again(error: PipelineError) -> None:
    assert isinstance(error, Temporary) == ("tries again by itself" in first_line(error))


def test_access_that_was_denied_names_action_and_resource_first() -> None:
    line = first_line(AccessDenied("dynamodb:Scan", "table orders"))

    assert line.startswith("access denied: dynamodb:Scan on table orders; to mend it: allow dynamodb:Scan on")


def test_what_lasts_has_something_to_do_besides_waiting() -> None:
    assert "lower the rate" in first_line(Throttled("too fast"))
    assert "nothing at first" in first_line(ServiceTrouble("500"))


def test_a_comparison_that_failed_is_told_by_its_counts() -> None:
    line = first_line(TableDiffers("s3://b/m.json", "orders", [], counts=(1, 2, 3)))

    assert "1 items only in the export, 2 only in the table, 3 different" in line
    assert "compare again while nobody writes to the table" in line


def test_hints_are_found_in_the_code() -> None:
    hints = every_hint()

    assert 80 < len(hints)
    assert "source or definition have changed since; Clear the task to import what is there now" in hints
    assert [] == [hint for hint in hints if not hint.strip()]


@pytest.mark.parametrize("hint", sorted(every_hint()))
@pytest.mark.parametrize("is_temporary", [False, True])
def test_whatever_the_hint_the_first_line_names_clear_once_at_most_and_is_short(
    hint: str, is_temporary: bool
) -> None:
    said = with_hint("what happened", hint)
    line = first_line(ServiceTrouble(said) if is_temporary else UnexpectedReply(said))

    assert 1 == clears(line), line
    assert len(line) <= MOST_LETTERS, line
    assert ". " not in line, line


def test_the_rest_of_a_long_hint_stands_below_with_all_of_it() -> None:
    hint = "mend the table, e.g. its name. Or use another one"

    assert [
        "what happened; to mend it: mend the table, e.g. its name, then press Clear",
        f"HINT: {hint}",
    ] == told(UnexpectedReply(with_hint("what happened", hint))).splitlines()


def test_items_that_were_rejected_are_told_in_one_readable_line() -> None:
    place = SimpleNamespace(rejects_uri="s3://backups/_imports/x/rejects/")
    with pytest.raises(ImportFailed) as caught:
        refuse_too_many_rejects(Accounts(read=9, written=7, rejected=2), 0, place, "orders", None)  # type: ignore[arg-type]

    assert first_line(caught.value).endswith(
        "; to mend it: raise max_rejected, then press Clear or run it again: it goes on after what was read"
    )


def test_a_table_that_is_gone_or_another_one_is_told_what_to_make_of_it() -> None:
    line = first_line(TableChanged("table orders was deleted during the export"))

    assert "if it is gone make or restore it; when the right one is ACTIVE press Clear" in line
