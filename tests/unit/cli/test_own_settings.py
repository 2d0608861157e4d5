"""What a command writes to, and what a policy allows, is named for that command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.cli.main import main
from tests.unit.cli.test_settings import EXAMPLE, File, file
from tests.unit.cli.test_table_import import SOURCE
from tests.unit.cli.test_table_import import World as ImportWorld
from tests.unit.cli.test_table_import import world as import_world
from tests.unit.cli.world import EXPORT, World, messages_of

__all__ = ["file", "import_world"]
GENERAL = "DYNAMO_PIPELINE_TABLE_NAME"
OWN = "DYNAMO_PIPELINE_IMPORT_TABLE_NAME"
POLICY = ("iam-policy", "export", "--table", "orders", "--s3-uri", "s3://backups/orders")
MANIFEST = "s3://b/AWSDynamoDB/x/manifest-summary.json"
PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli.md").read_text("utf-8")


def targets(world: ImportWorld) -> list[tuple[str, Sequence[str]]]:
    return [(request.table_name, request.s3_uri) for request in world.requests]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="dynamo-pipeline")


# --- import ---------------------------------------------------------------------------------------


def test_the_file_of_the_documentation_imports_nothing_by_itself(import_world: ImportWorld) -> None:
    done = import_world.run("import", "--config", str(EXAMPLE))

    assert (10, []) == (done.exit_code, import_world.requests)
    assert f"table_name of {EXAMPLE} is not used here: name it by --table-name, {OWN} or in [import]" in (
        done.stderr
    )


def test_a_general_table_and_source_are_not_imported(
    import_world: ImportWorld, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GENERAL, "live")
    monkeypatch.setenv("DYNAMO_PIPELINE_S3_URI", "s3://live")

    done = import_world.run("import", "--config", file("ratio = 0.5"), "--json")

    *_, error = messages_of(done)
    assert (10, []) == (done.exit_code, import_world.requests)
    hints = {each["where"]: each["hint"] for each in error["problems"]}
    assert f"table_name of {GENERAL} is not used here" in hints["table_name"]
    assert "s3_uri of DYNAMO_PIPELINE_S3_URI is not used here" in hints["s3_uri"]


def test_a_general_table_does_not_replace_that_of_the_import(
    import_world: ImportWorld, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = file(f'table_name = "orders"\n[import]\ntable_name = "staging"\ns3_uri = "{SOURCE}"')
    monkeypatch.setenv(GENERAL, "live")

    done = import_world.run("import", "--config", config)

    assert [("staging", (SOURCE,))] == targets(import_world)
    assert f"table_name is from {config}: staging\n" in done.stderr
    assert f"s3_uri is from {config}: {SOURCE}\n" in done.stderr


def test_a_variable_may_name_table_and_sources_for_imports_alone(
    import_world: ImportWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OWN, "staging")
    monkeypatch.setenv("DYNAMO_PIPELINE_IMPORT_S3_URI", "s3://b/full s3://b/one")

    done = import_world.run("import")

    assert [("staging", ("s3://b/full", "s3://b/one"))] == targets(import_world)
    assert f"table_name is from {OWN}: staging\n" in done.stderr
    assert "setting of no command" not in done.stderr


def test_the_command_line_names_the_target_and_nothing_is_said(
    import_world: ImportWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GENERAL, "live")

    done = import_world.run("import", "--table", "orders", SOURCE)

    assert [("orders", (SOURCE,))] == targets(import_world)
    assert "table_name" not in done.stderr.replace(GENERAL, "")


def test_a_missing_table_that_nobody_named_has_no_such_hint(import_world: ImportWorld) -> None:
    assert "is not used here" not in import_world.run("import").stderr


def test_reading_commands_take_the_general_table_and_say_where_an_export_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GENERAL, "orders")
    monkeypatch.setenv("DYNAMO_PIPELINE_S3_URI", "s3://backups/daily")

    done = world.run("export")

    assert 0 == done.exit_code
    assert "s3_uri is from DYNAMO_PIPELINE_S3_URI: s3://backups/daily\n" in done.stderr


@pytest.mark.parametrize(
    ("written", "where", "belongs"),
    [
        ('account_id = "111122223333"', "account_id", "[iam-policy."),
        ('[table]\ntable_name = "orders"', "[table] table_name", "[table.restore]"),
    ],
)
def test_a_setting_that_nothing_takes_from_where_it_stands_is_refused(
    world: World, file: File, written: str, where: str, belongs: str
) -> None:
    config = file(written)

    done = world.run(*EXPORT, "--config", config)

    assert 10 == done.exit_code
    assert f"{config}: {where}: stands in the table of a command only, as in {belongs}" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        OWN,
        "DYNAMO_PIPELINE_IMPORT_S3_URI",
        "DYNAMO_PIPELINE_LOOKUP_METHOD",
        "DYNAMO_PIPELINE_LOOKUP_S3_URI",
        "DYNAMO_PIPELINE_LOOKUP_TABLE_NAME",
        "DYNAMO_PIPELINE_TABLE_RESTORE_TABLE_NAME",
    ],
)
def test_the_reference_names_the_variables_of_one_command(name: str) -> None:
    assert f"| `{name}` |" in PAGE


# --- policies -------------------------------------------------------------------------------------


def test_settings_of_an_export_do_not_widen_a_policy(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = run(*POLICY).stdout
    monkeypatch.setenv("DYNAMO_PIPELINE_METHOD", "auto")

    assert narrow == run(*POLICY, "--config", file("save_table_definition = true")).stdout
    assert "ExportTableToPointInTime" in run(*POLICY, "--method", "auto").stdout


def test_a_policy_has_tables_of_its_own_in_the_file(file: File) -> None:
    config = file('[iam-policy]\nregion_name = "eu-west-1"\n[iam-policy.export]\nmethod = "auto"')

    done = run(*POLICY, "--config", config)

    assert "arn:aws:dynamodb:eu-west-1:" in done.stdout
    assert "ExportTableToPointInTime" in done.stdout


def test_a_policy_says_why_a_setting_that_is_there_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GENERAL, "orders")

    done = run(*POLICY[:2], *POLICY[4:])

    assert 10 == done.exit_code
    assert f"table_name of {GENERAL} is not used here: name it by --table-name or in [iam-policy.export]" in (
        done.stderr
    )


def test_the_command_line_replaces_what_says_the_same(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMO_PIPELINE_S3_URI", "s3://elsewhere")
    config = file('[iam-policy]\ninstance_role = "machines"\ns3_uri = "s3://elsewhere"')

    verify = run("iam-policy", "verify", "--manifest-uri", MANIFEST, "--config", config)
    role = run("iam-policy", "emr-pipeline-role", "--job-role", "jobs", "--config", config)
    both = run("iam-policy", "emr-pipeline-role", "--job-role", "jobs", "--instance-role", "machines")

    assert "elsewhere" not in json.dumps(json.loads(verify.stdout))
    assert "role/jobs" in role.stdout
    assert "role/machines" not in role.stdout
    assert 10 == both.exit_code


def test_a_nearer_table_replaces_what_says_the_same(file: File) -> None:
    written = f'[iam-policy]\ns3_uri = "s3://elsewhere"\n[iam-policy.verify]\nmanifest_uri = "{MANIFEST}"'

    done = run("iam-policy", "verify", "--config", file(written))

    assert "arn:aws:s3:::b" in done.stdout
    assert "elsewhere" not in done.stdout
