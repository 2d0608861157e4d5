"""Settings from the command line, the environment and one file, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.cli import config_file
from airflow_dynamo_pipeline.cli.main import main
from airflow_dynamo_pipeline.engine.requests import COERCIONS, ExportRequest
from tests.unit.cli.test_options import GIVEN
from tests.unit.cli.test_table_import import GIVEN as IMPORT_GIVEN
from tests.unit.cli.test_table_import import SOURCE
from tests.unit.cli.test_table_import import World as ImportWorld
from tests.unit.cli.test_table_import import world as import_world
from tests.unit.cli.world import EXPORT, World, messages_of

__all__ = ["import_world"]
LEAST = 'table_name = "orders"\ns3_uri = "s3://backups/daily"\n'
EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "dynamo-pipeline.toml"
File = Callable[[str], str]


@pytest.fixture
def file(tmp_path: Path) -> File:
    """Write the file and name it."""

    def write(text: str) -> str:
        path = tmp_path / "settings.toml"
        path.write_text(text, "utf-8")
        return str(path)

    return write


def only(world: World) -> ExportRequest:
    (request,) = world.requests
    return request


# --- the environment ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GIVEN)
def test_every_setting_of_an_export_may_be_a_variable(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text, value = GIVEN[name]
    monkeypatch.setenv(f"DYNAMO_PIPELINE_{name.upper()}", text or "true")
    more = ("--method", "auto") if name == "finish_within_seconds" else ()

    done = world.run(*EXPORT[:5], *more)

    assert value == getattr(only(world), name), done.output


@pytest.mark.parametrize("name", IMPORT_GIVEN)
def test_every_setting_of_an_import_may_be_a_variable(
    import_world: ImportWorld, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text, value = IMPORT_GIVEN[name]
    monkeypatch.setenv(f"DYNAMO_PIPELINE_{name.upper()}", text or "true")

    import_world.run("import", "--table", "orders", SOURCE)

    assert [value] == [getattr(request, name) for request in import_world.requests]


def test_one_variable_is_for_all_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_TABLE_NAME", "orders")
    monkeypatch.setenv("DYNAMO_PIPELINE_REGION_NAME", "eu-west-1")

    world.run("estimate")
    world.run("export", "--s3-uri", "s3://b")

    assert ["orders", "orders"] == [request.table_name for request in world.requests]
    assert {(None, "eu-west-1")} == set(world.profiles)


def test_a_variable_asks_for_json_even_where_the_usage_is_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_JSON", "true")

    assert world.run(*EXPORT).stdout.startswith("{")
    assert "UsageError" == messages_of(world.run("export", "--tabel", "x"))[-1]["code"]


def test_a_variable_that_no_command_knows_is_warned_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_RATOI", "0.5")

    done = world.run(*EXPORT)

    expected = "DYNAMO_PIPELINE_RATOI is a setting of no command; did you mean DYNAMO_PIPELINE_RATIO?"
    assert f"warning: {expected}\n" in done.stderr
    assert 0 == done.exit_code


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GIVEN)
def test_every_setting_of_an_export_may_be_in_the_file(world: World, file: File, name: str) -> None:
    _, value = GIVEN[name]
    more = ("--method", "auto") if name == "finish_within_seconds" else ()

    done = world.run("export", "--config", file(f"{LEAST}[export]\n{name} = {toml(value)}"), *more)

    assert value == getattr(only(world), name), done.output


@pytest.mark.parametrize("name", IMPORT_GIVEN)
def test_every_setting_of_an_import_may_be_in_the_file(
    import_world: ImportWorld, file: File, name: str
) -> None:
    _, value = IMPORT_GIVEN[name]
    native = {"changes_from": "2026-01-02T03:04:05Z", "attributes": '{id = "S"}'}
    written = native.get(name) or toml(value)

    import_world.run("import", "--config", file(f"[import]\n{LEAST}{name} = {written}"))

    assert [value] == [getattr(request, name) for request in import_world.requests]


def toml(value: Any) -> str:
    """As TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_values_of_an_expression_are_a_table(world: World, file: File) -> None:
    text = """
        filter_expression = "paid = :yes"
        [export.expression_attribute_values]
        ":yes" = {BOOL = true}
    """

    world.run(*EXPORT, "--config", file(text.replace("filter", "[export]\nfilter")))

    assert {":yes": {"BOOL": True}} == only(world).expression_attribute_values


def test_a_table_of_a_command_wins_over_settings_for_all(world: World, file: File) -> None:
    config = file(f"{LEAST}segments = 3\non_existing = 'new'\n[export]\nsegments = 7\n[import]\nsegments = 9")

    world.run("export", "--config", config)

    assert (7, "new") == (only(world).segments, only(world).on_existing)


def test_a_command_gets_what_it_knows_of_the_settings_for_all(world: World, file: File) -> None:
    config = file(f"{LEAST}on_conflict = 'skip'\nregion_name = 'eu-west-1'")

    assert 0 == world.run("export", "--config", config).exit_code
    assert [(None, "eu-west-1")] == world.profiles


def test_the_command_line_wins_over_a_variable_and_a_variable_over_the_file(
    world: World, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = file(f"{LEAST}part_bytes = 3000000\nsegments = 3\ncompression = 'none'")
    monkeypatch.setenv("DYNAMO_PIPELINE_CONFIG", config)
    monkeypatch.setenv("DYNAMO_PIPELINE_SEGMENTS", "4")
    monkeypatch.setenv("DYNAMO_PIPELINE_COMPRESSION", "zstd")

    world.run("export", "--compression", "gzip")

    request = only(world)
    assert (3_000_000, 4, "gzip") == (request.part_bytes, request.segments, request.compression)


def test_a_switch_of_the_file_may_be_switched_off(world: World, file: File) -> None:
    config = file(f"{LEAST}keep_checkpoint = true")

    world.run("export", "--config", config, "--no-keep-checkpoint")

    assert only(world).keep_checkpoint is False


def test_the_rate_that_stands_nearest_is_the_only_one(
    world: World, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = file(f"{LEAST}ratio = 0.5\n[export]\nunits_per_second = 100")

    world.run("export", "--config", config)
    monkeypatch.setenv("DYNAMO_PIPELINE_RATIO", "0.75")
    world.run("export", "--config", config)
    world.run("export", "--config", config, "--units-per-second", "7")

    assert [(None, 100.0), (0.75, None), (None, 7.0)] == [
        (request.ratio, request.units_per_second) for request in world.requests
    ]


def test_both_rates_in_one_place_are_refused(world: World, file: File) -> None:
    config = file(f"{LEAST}ratio = 0.5\nunits_per_second = 100")

    done = world.run("export", "--config", config)

    assert 10 == done.exit_code
    assert "ratio, units_per_second: both are given" in done.stderr
    assert f"ratio is from {config}\n" in done.stderr
    *_, error = messages_of(world.run("export", "--config", config, "--json"))
    assert [config] == [each["origin"] for each in error["problems"]]


def test_a_source_on_the_command_line_is_instead_of_that_in_the_file(
    import_world: ImportWorld, file: File
) -> None:
    config = file('[import]\ntable_name = "orders"\ns3_uri = ["s3://b/full", "s3://b/one"]')

    import_world.run("import", "--config", config)
    import_world.run("import", "--config", config, "s3://b/two")

    assert [("s3://b/full", "s3://b/one"), ("s3://b/two",)] == [
        request.s3_uri for request in import_world.requests
    ]


def test_no_file_is_read_that_is_not_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dynamo-pipeline.toml").write_text("segments = 3", "utf-8")
    monkeypatch.chdir(tmp_path)

    world.run(*EXPORT[:5])

    assert only(world).segments is None


def test_verbose_says_where_settings_come_from(
    world: World, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = file(LEAST)
    monkeypatch.setenv("DYNAMO_PIPELINE_SEGMENTS", "4")

    done = world.run("export", "--config", config, "--verbose")

    assert f"table_name is from {config}\n" in done.stderr
    assert "segments is from DYNAMO_PIPELINE_SEGMENTS\n" in done.stderr


# --- what is wrong with the file ------------------------------------------------------------------


def test_everything_that_is_wrong_in_the_file_is_said_at_once_whichever_command_runs(
    world: World, file: File
) -> None:
    config = file(
        """
        ratoi = 0.5
        table-name = "orders"
        verify = "orders"
        [export]
        keep_checkpoint = "yes"
        segments = [1]
        on_conflict = "skip"
        [import]
        expression_attribute_values = {":d" = 2026-01-02}
        csv_columns = 7
        s3_uri = 5
        [table.save]
        to = true
        [exprot]
        ratio = 1
        """
    )

    done = world.run(*EXPORT, "--config", config, "--json")

    (error,) = messages_of(done)
    assert (10, "", []) == (done.exit_code, done.stdout, world.requests)
    assert [
        ("ratoi", "is not a setting of any command", "did you mean 'ratio'?"),
        ("table-name", "is not a setting of any command", "did you mean 'table_name'?"),
        ("verify", "is a command; its settings stand in a table of that name", None),
        ("[export] keep_checkpoint", "is 'yes'; expected true or false", None),
        ("[export] segments", "is [1]; expected text or a number", None),
        ("[export] on_conflict", "is not a setting of dynamo-pipeline export", None),
    ] == [
        (each["where"].removeprefix(f"{config}: "), each["message"], each["hint"])
        for each in error["problems"][:6]
    ]
    assert [
        "[import] expression_attribute_values",
        "[import] csv_columns",
        "[import] s3_uri",
        "[table.save] to",
        "exprot",
    ] == [each["where"].removeprefix(f"{config}: ") for each in error["problems"][6:]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"ratio = 0.5\nratio = 0.6\n", "line 2"),
        (b"table_name = '\xff'", "is not UTF-8"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_10_and_says_why(
    world: World, tmp_path: Path, body: bytes | None, said: str
) -> None:
    path = tmp_path / "settings.toml"
    if body is not None:
        path.write_bytes(body)

    done = world.run(*EXPORT, "--config", str(path))

    assert (10, "", []) == (done.exit_code, done.stdout, world.requests)
    assert f"{path}: " in done.stderr
    assert said in done.stderr


def test_a_value_must_fit_every_command_that_would_be_given_it(world: World, file: File) -> None:
    """In the table of an import it may be a list, for all commands not."""
    config = file('s3_uri = ["s3://a", "s3://b"]')

    done = world.run("estimate", "--table", "orders", "--config", config)

    assert 10 == done.exit_code
    assert "s3_uri: is ['s3://a', 's3://b']; expected text or a number" in done.stderr


def test_a_variable_that_is_no_truth_ends_with_2(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_KEEP_CHECKPOINT", "perhaps")

    assert 2 == world.run(*EXPORT).exit_code


def test_the_file_knows_every_option_of_every_command() -> None:
    known = config_file.options_of(main)

    assert set(COERCIONS) < set(known)
    assert {"to", "kms_key_id", "max_differences", "json", "quiet", "verbose", "profile"} < set(known)
    assert "config" not in known


def test_a_file_that_a_file_names_is_not_read(world: World, file: File) -> None:
    done = world.run(*EXPORT, "--config", file('config = "other.toml"'))

    assert 10 == done.exit_code
    assert "config: is not a setting of any command" in done.stderr


@pytest.mark.parametrize("path", [("export",), ("import",), ("estimate",), ("table", "save"), ("verify",)])
def test_the_file_in_the_documentation_fits_every_command(path: tuple[str, ...]) -> None:
    assert "us-east-1" == example_for(path)["region_name"]


def test_the_file_in_the_documentation_has_tables_that_are_read() -> None:
    assert '{":yes": {"BOOL": true}}' == example_for(("export",))["expression_attribute_values"]
    assert True is example_for(("table", "save"))["allow_incomplete"]
    assert "skip" == example_for(("import",))["on_conflict"]


def example_for(path: Sequence[str]) -> dict[str, object]:
    return config_file.for_command(config_file.read(str(EXAMPLE), main), main, path)


# --- what one setting does to another -------------------------------------------------------------


def test_a_limit_goes_with_a_word_that_a_stronger_place_replaces(
    world: World, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = file(f"{LEAST}method = 'auto'\nfinish_within_seconds = 600")

    world.run("export", "--config", config)
    world.run("export", "--config", config, "--method", "scan")
    monkeypatch.setenv("DYNAMO_PIPELINE_METHOD", "scan")
    world.run("export", "--config", config)
    refused = world.run("export", "--config", config, "--finish-within-seconds", "60")
    monkeypatch.delenv("DYNAMO_PIPELINE_METHOD")
    file(f"{LEAST}method = 'auto'\nfinish_within_seconds = 600\n[export]\nmethod = 'scan'")
    world.run("export", "--config", config)

    assert [("auto", 600.0), ("scan", None), ("scan", None), ("scan", None)] == [
        (request.method, request.finish_within_seconds) for request in world.requests
    ]
    assert 10 == refused.exit_code


def test_a_condition_goes_with_the_word_that_needs_it(import_world: ImportWorld, file: File) -> None:
    condition = "on_conflict = 'condition'\ncondition_expression = 'a = :b'"
    config = file(f"[import]\n{LEAST}{condition}\nexpression_attribute_values = {{':b' = {{S = 'x'}}}}")

    import_world.run("import", "--config", config)
    import_world.run("import", "--config", config, "--on-conflict", "skip")

    assert [("condition", "a = :b", {":b": {"S": "x"}}), ("skip", None, {})] == [
        (request.on_conflict, request.condition_expression, request.expression_attribute_values)
        for request in import_world.requests
    ]


# --- values that say nothing ----------------------------------------------------------------------


@pytest.mark.parametrize("empty", ["", " ", "None"])
@pytest.mark.parametrize(
    "option", ["--table-name", "--ratio", "--filter-expression", "--profile", "--config"]
)
def test_an_option_with_an_empty_value_is_refused(world: World, option: str, empty: str) -> None:
    done = world.run(*EXPORT, option, empty)

    assert (10, "", []) == (done.exit_code, done.stdout, world.requests)
    assert f"{option} takes a value" in done.stderr


def test_every_empty_value_is_named_at_once(world: World) -> None:
    done = world.run(*EXPORT, "--ratio", "", "--index-name", "", "--json")

    *_, error = messages_of(done)
    assert {"ratio", "index_name"} == {each["where"] for each in error["problems"]}


def test_a_verification_with_an_empty_table_compares_nothing_and_says_so(world: World) -> None:
    uri = world.result(*EXPORT)["manifest_uri"]

    done = world.run("verify", uri, "--table-name", "")

    assert (10, "") == (done.exit_code, done.stdout)
    assert "table_name: is given, but empty" in done.stderr


def test_an_empty_rate_does_not_beat_a_real_one(
    world: World, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = file(f"{LEAST}units_per_second = 100")
    monkeypatch.setenv("DYNAMO_PIPELINE_RATIO", " ")
    monkeypatch.setenv("DYNAMO_PIPELINE_INDEX_NAME", "")

    world.run("export", "--config", config)
    refused = world.run("export", "--config", config, "--ratio", "")

    assert (None, 100.0, None) == (only(world).ratio, only(world).units_per_second, only(world).index_name)
    assert 10 == refused.exit_code


def test_only_the_text_for_nothing_may_be_empty(import_world: ImportWorld, file: File) -> None:
    config = file(f"[import]\n{LEAST}null_text = 'NULL'")

    import_world.run("import", "--config", config, "--null-text", "")
    refused = import_world.run("import", "--config", config, "s3://b", "")

    assert [""] == [request.null_text for request in import_world.requests]
    assert 10 == refused.exit_code


@pytest.mark.parametrize("written", ['ratio = ""', 'profile = "None"', '[import]\ns3_uri = ["s3://b", ""]'])
def test_an_empty_value_in_the_file_is_refused(world: World, file: File, written: str) -> None:
    done = world.run(*EXPORT, "--config", file(written))

    assert 10 == done.exit_code
    assert "is empty; leave it out" in done.stderr


@pytest.mark.parametrize("arguments", [EXPORT, ("--version",), ("table", "save", "x")])
def test_help_and_version_are_no_settings(
    world: World, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    before = world.run(*arguments)
    monkeypatch.setenv("DYNAMO_PIPELINE_HELP", "1")
    monkeypatch.setenv("DYNAMO_PIPELINE_VERSION", "1")

    done = world.run(*arguments)

    assert before.exit_code == done.exit_code
    assert "Show this message and exit" not in done.stdout
    assert ("item_count" in before.stdout) is ("item_count" in done.stdout)
