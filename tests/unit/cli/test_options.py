"""Every setting of an export is an option under its own name."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.cli.options import FLAGS, HELP, VERIFY_HELP
from airflow_dynamo_pipeline.engine import verify_request
from airflow_dynamo_pipeline.engine.requests import COERCIONS, REQUIRED
from tests.unit.cli.world import EXPORT, World

GIVEN: dict[str, tuple[str, Any]] = {
    "ratio": ("0.5", 0.5),
    "units_per_second": ("12.5", 12.5),
    "segments": ("7", 7),
    "index_name": ("by-shop", "by-shop"),
    "filter_expression": ("a > b", "a > b"),
    "projection_expression": ("a, b", "a, b"),
    "file_format": ("data_pipeline", "data_pipeline"),
    "compression": ("none", "none"),
    "part_bytes": ("2000000", 2_000_000),
    "on_existing": ("new", "new"),
    "resume_within_seconds": ("60", 60.0),
    "s3_sse_kms_key_id": ("alias/k", "alias/k"),
    "consistent_read": ("", True),
    "keep_checkpoint": ("", True),
    "save_table_definition": ("", True),
    "method": ("auto", "auto"),
    "finish_within_seconds": ("600", 600.0),
}
TOGETHER = {"expression_attribute_names", "expression_attribute_values"}  # refused without an expression


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_there_is_an_option_and_a_line_of_help_for_every_setting() -> None:
    assert set(COERCIONS) == set(HELP)


def test_there_is_a_case_here_for_every_setting() -> None:
    assert set(COERCIONS) == {*GIVEN, *REQUIRED, *TOGETHER}


@pytest.mark.parametrize("command", ["export", "estimate"])
def test_help_names_every_setting(world: World, command: str) -> None:
    shown = world.run(command, "--help").stdout

    assert [] == [name for name in COERCIONS if f"{option(name)} " not in shown.replace("\n", " ")]
    assert "--table" in shown


def test_help_names_the_defaults_that_hold(world: World) -> None:
    shown = " ".join(world.run("export", "--help").stdout.split())

    world.run("export", "--table", "orders", "--s3-uri", "s3://b")
    (request,) = world.requests
    for default in (
        request.effective_ratio,
        request.file_format,
        request.compression,
        request.part_bytes,
        request.on_existing,
        f"{request.resume_within_seconds:g}",
        "auto",
    ):
        assert f"[default: {default}]" in shown, default
    assert request.segments is None


@pytest.mark.parametrize("name", GIVEN)
def test_an_option_reaches_the_request(world: World, name: str) -> None:
    text, value = GIVEN[name]
    arguments = EXPORT[:5] if name == "segments" else EXPORT

    more = ("--method", "auto") if name == "finish_within_seconds" else ()  # refused without it

    world.run(*arguments, *more, option(name), *([] if name in FLAGS else [text]))

    (request,) = world.requests
    assert value == getattr(request, name)
    assert value != getattr(type(request)(table_name="orders", s3_uri="s3://b"), name), (
        "the default shows nothing"
    )


def test_names_and_values_are_given_as_json(world: World) -> None:
    world.run(
        *EXPORT,
        "--filter-expression",
        "#n = :v",
        "--expression-attribute-names",
        '{"#n": "name"}',
        "--expression-attribute-values",
        '{":v": {"S": "x"}}',
    )

    (request,) = world.requests
    assert {"#n": "name"} == request.expression_attribute_names
    assert {":v": {"S": "x"}} == request.expression_attribute_values


def test_table_may_be_called_by_its_full_name(world: World) -> None:
    world.run("export", "--table-name", "orders", "--s3-uri", "s3://b")

    assert ["orders"] == [request.table_name for request in world.requests]


def test_a_flag_that_is_not_given_is_off(world: World) -> None:
    world.run(*EXPORT)

    (request,) = world.requests
    assert (False, False) == (request.consistent_read, request.keep_checkpoint)


# --- verify ---------------------------------------------------------------------------------------


def test_there_is_an_option_for_every_setting_of_a_verification_but_its_argument() -> None:
    assert set(verify_request.COERCIONS) == {*VERIFY_HELP, "manifest_uri"}


def test_every_option_of_a_verification_reaches_the_request(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]
    given = ["--segments", "3", "--max-differences", "7", "--consistent-read", "--units-per-second", "50"]
    world.result("verify", uri, "--table-name", "orders", *given)

    assert [
        verify_request.VerifyRequest(
            manifest_uri=uri,
            table_name="orders",
            units_per_second=50.0,
            segments=3,
            consistent_read=True,
            max_differences=7,
        )
    ] == world.verifications


def test_the_default_of_max_differences_is_what_its_help_says(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]
    world.result("verify", uri, "--table-name", "orders", "--ratio", "0.5")
    (request,) = world.verifications

    assert f"[default: {request.max_differences}]" in VERIFY_HELP["max_differences"]
