from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import airflow_dynamo_pipeline
from airflow_dynamo_pipeline import errors
from airflow_dynamo_pipeline.engine.capacity_state import NotYetAllowed, StillChanging
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    ImportRefused,
    NotFound,
    PipelineError,
    PreflightFailed,
    Problem,
    ServiceTrouble,
    TableDiffers,
    Temporary,
    Throttled,
)
from airflow_dynamo_pipeline.operators.messages import WHAT_TO_DO, told, what_to_do
from tests.unit.test_errors import EXAMPLES

ALL = [*EXAMPLES, StillChanging("table orders is UPDATING"), NotYetAllowed("not before 12:00")]
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
