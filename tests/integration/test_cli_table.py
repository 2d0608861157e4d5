"""``dynamo-pipeline table`` as people run it, against the fake AWS of the fault tests."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.table_definition import read_complete
from airflow_dynamo_pipeline.cli import main as shell
from airflow_dynamo_pipeline.cli import table as module
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition, decode_definition
from tests.faults.script import Fault, Kind
from tests.faults.table_world import COPY, TABLE, TableWorld
from tests.integration.test_cli import PATIENCE_SECONDS, Command, ended, read_until, running

BUCKET = "backups"
REQUEST = {
    "TableName": TABLE,
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
    "Tags": [{"Key": "team", "Value": "billing"}],
}


@pytest.fixture
def world() -> TableWorld:
    made = TableWorld(settle_seconds=0)
    made.make(REQUEST, time_to_live="expires", recovery_days=7)
    made.aws.s3.create_bucket(BUCKET)
    return made


class Shell:
    """The command inside this process, whose calls meet faults."""

    def __init__(self, world: TableWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world = world
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str, faults: tuple[Fault, ...] = ()) -> Result:
        with self._world.aws.door(*faults) as door:
            self._monkeypatch.setattr(module, "clients", lambda *_: door.client)
            self._monkeypatch.setattr(module, "SystemClock", lambda: self._world.clock)
            return CliRunner().invoke(shell.main, ["table", *arguments], prog_name="dynamo-pipeline")


@pytest.fixture
def command(world: TableWorld, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(world, monkeypatch)


@pytest.mark.parametrize("place", ["file", "object", "folder"])
def test_a_definition_is_saved_and_restored_from_a_file_and_from_s3(
    world: TableWorld, command: Shell, tmp_path: Path, place: str
) -> None:
    where = {
        "file": str(tmp_path / "orders.json"),
        "object": f"s3://{BUCKET}/kept/orders.json",
        "folder": f"s3://{BUCKET}/kept/",
    }[place]

    saved = command.run("save", TABLE, "--to", where, "--json")
    restored = command.run("restore", where, "--table-name", COPY, "--json")

    assert (0, 0) == (saved.exit_code, restored.exit_code), saved.output + restored.output
    assert {"table_name": TABLE, "definition": where, "not_carried": [], "not_read": []} == json.loads(
        saved.stdout
    )
    assert {
        "table_name": COPY,
        "table_arn": world.aws.dynamodb.table(COPY).arn,
        "start": "new",
        "done": ["table", "time to live", "point-in-time recovery", "tag dynamo-pipeline-restore"],
        "not_put_back": [],
    } == json.loads(restored.stdout)
    assert world.replies(TABLE) == world.replies(COPY)


def test_what_is_saved_in_s3_is_the_file_an_export_would_put_there(world: TableWorld, command: Shell) -> None:
    command.run("save", TABLE, "--to", f"s3://{BUCKET}/kept/")

    body = world.aws.s3.objects(BUCKET)["kept/table-definition.json"]

    assert TABLE == decode_definition(body, "the file").table.table_name


def test_a_process_of_its_own_saves_and_restores(world: TableWorld, tmp_path: Path) -> None:
    file = str(tmp_path / "orders.json")
    with world.aws.door() as door:
        process = Command(door.url, door.url, ("table",))
        process.run("save", TABLE, "--to", file)
        ended = process.run("restore", file, "--table", COPY)

    assert 0 == ended.code, ended.err
    assert "not_put_back" in ended.out
    assert world.replies(TABLE) == world.replies(COPY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["save", "restore"])
def test_a_signal_ends_it_while_nobody_answers(
    world: TableWorld, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    file = tmp_path / "orders.json"
    if command == "restore":
        file.write_bytes(world.save().definition.to_json())
    before = list(tmp_path.iterdir())
    arguments = {"save": (TABLE, "--to", str(file)), "restore": (str(file),)}[command]
    process = Command(url, url).start("table", command, *arguments)
    with running(process):
        read_until(process.stderr, "trying again")
        process.send_signal(number)
        left = ended(process)

    assert (130, "") == (left.code, left.out)
    assert "Traceback" not in left.err
    assert before == list(tmp_path.iterdir())


def test_a_signal_while_the_table_is_read_leaves_no_file(
    command: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_and_interrupt(calls: AwsCalls, name: str) -> TableDefinition:
        found = read_complete(calls, name)
        signal.raise_signal(signal.SIGINT)
        assert calls.stop.wait(PATIENCE_SECONDS)
        return found

    monkeypatch.setattr(module, "read_complete", read_and_interrupt)

    result = command.run("save", TABLE, "--to", str(tmp_path / "orders.json"))

    assert 130 == result.exit_code
    assert [] == list(tmp_path.iterdir())


def test_what_could_not_be_read_refuses_and_leaves_no_file(command: Shell, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"

    result = command.run(
        "save", TABLE, "--to", str(file), faults=(Fault(Kind.DENY, on="DescribeTimeToLive"),)
    )

    assert 10 == result.exit_code
    assert "access denied: dynamodb:DescribeTimeToLive" in result.stderr
    assert not file.exists()


def test_what_could_not_be_read_is_named_in_the_file_when_that_is_allowed(
    command: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "orders.json"
    denial = (Fault(Kind.DENY, on="DescribeTimeToLive"),)

    saved = command.run("save", TABLE, "--to", str(file), "--allow-incomplete", "--json", faults=denial)
    restored = command.run("restore", str(file), "--table-name", COPY)

    assert (0, ["time to live"]) == (saved.exit_code, json.loads(saved.stdout)["not_read"])
    assert ["time to live"] == [each["what"] for each in json.loads(file.read_text())["notRead"]]
    assert 12 == restored.exit_code
    assert "not put back: time to live: unknown wanted, as it is found" in restored.stderr


def test_another_exit_code_tells_that_not_everything_could_be_put_back(
    world: TableWorld, command: Shell, tmp_path: Path
) -> None:
    file = str(tmp_path / "orders.json")
    command.run("save", TABLE, "--to", file)

    result = command.run(
        "restore", file, "--table-name", COPY, "--json", faults=(Fault(Kind.DENY, on="UpdateTimeToLive"),)
    )

    assert 12 == result.exit_code
    (expiry, mark) = sorted(json.loads(result.stdout)["not_put_back"], key=lambda each: -len(each["what"]))[
        ::-1
    ]
    assert ("time to live", "expires", "none") == (expiry["what"], expiry["wanted"], expiry["found"])
    assert f"access denied: dynamodb:UpdateTimeToLive on table {COPY}" in expiry["why"]
    assert "tag dynamo-pipeline-restore" == mark["what"]
    assert "not put back: time to live: expires wanted, none found (access denied:" in result.stderr
    assert [] == world.aws.dynamodb.table(COPY).tags[2:]


def test_without_a_name_the_table_gets_its_own_and_one_in_use_is_refused(
    world: TableWorld, command: Shell, tmp_path: Path
) -> None:
    file = str(tmp_path / "orders.json")
    command.run("save", TABLE, "--to", file)
    world.aws.dynamodb.table(TABLE).time_to_live = None

    refused = command.run("restore", file)
    asked = command.run("restore", file, "--onto-existing", "--json")

    assert 10 == refused.exit_code
    assert f"table {TABLE}: exists, and differs in time to live: expires wanted, none found" in refused.stderr
    assert (0, ["time to live"]) == (asked.exit_code, json.loads(asked.stdout)["done"])


GENERAL = "DYNAMO_PIPELINE_TABLE_NAME"


def kept(command: Shell, tmp_path: Path) -> str:
    """The file with the definition of the table."""
    command.run("save", TABLE, "--to", str(tmp_path / "orders.json"))
    return str(tmp_path / "orders.json")


def test_an_empty_name_is_not_the_name_in_the_definition(
    world: TableWorld, command: Shell, tmp_path: Path
) -> None:
    definition = kept(command, tmp_path)
    world.aws.dynamodb.table(TABLE).time_to_live = None

    refused = command.run("restore", definition, "--table-name", "", "--onto-existing")

    assert (10, "") == (refused.exit_code, refused.stdout)
    assert "table_name: is given, but empty" in refused.stderr
    assert world.aws.dynamodb.table(TABLE).time_to_live is None


@pytest.mark.parametrize("place", ["file", "variable"])
def test_a_name_for_all_commands_is_no_target_and_makes_the_definitions_unclear(
    command: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    definition, config = kept(command, tmp_path), tmp_path / "settings.toml"
    config.write_text(f'table_name = "{COPY}"' if place == "file" else "", "utf-8")
    if place == "variable":
        monkeypatch.setenv(GENERAL, COPY)

    refused = command.run("restore", definition, "--onto-existing", "--config", str(config))
    named = command.run("restore", definition, "--table-name", TABLE, "--onto-existing", "--json")

    assert 10 == refused.exit_code
    assert f"table_name of {config if place == 'file' else GENERAL} is not used here" in refused.stderr
    assert f"no such table: {COPY}" in command.run("save", COPY, "--to", definition).stderr
    assert (0, TABLE) == (named.exit_code, json.loads(named.stdout)["table_name"])


def test_a_target_that_is_not_on_the_command_line_is_said(
    world: TableWorld, command: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition, config = kept(command, tmp_path), tmp_path / "settings.toml"
    config.write_text(f'[table.restore]\ntable_name = "{COPY}"\nonto_existing = true\n', "utf-8")

    by_definition = command.run("restore", definition, "--onto-existing")
    by_file = command.run("restore", definition, "--config", str(config))
    world.aws.dynamodb.table(COPY).time_to_live = None
    off = command.run("restore", definition, "--config", str(config), "--no-onto-existing")
    monkeypatch.setenv("DYNAMO_PIPELINE_TABLE_RESTORE_TABLE_NAME", "by-variable")
    by_variable = command.run("restore", definition)

    assert f"table_name is from {definition}: {TABLE}\n" in by_definition.stderr
    assert f"table_name is from {config}: {COPY}\n" in by_file.stderr
    assert "by-variable\n" in by_variable.stderr
    assert [0, 0, 10, 0] == [each.exit_code for each in (by_definition, by_file, off, by_variable)]


def test_what_could_not_be_read_refuses_where_the_file_allows_it_and_the_command_line_not(
    command: Shell, tmp_path: Path
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("[table.save]\nallow_incomplete = true", "utf-8")
    arguments = ("save", TABLE, "--to", str(tmp_path / "orders.json"), "--config", str(config))
    denial = (Fault(Kind.DENY, on="DescribeTimeToLive"),)

    assert 0 == command.run(*arguments, faults=denial).exit_code
    assert 10 == command.run(*arguments, "--no-allow-incomplete", faults=denial).exit_code


def test_the_help_says_that_items_may_be_deleted(command: Shell) -> None:
    said = " ".join(command.run("restore", "--help").stdout.split())

    assert "Time to live may be switched on: DynamoDB then deletes expired items." in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("save", TABLE, "--to", "/nowhere/orders.json"), 10, "to is '/nowhere/orders.json'"),
        (("save", TABLE, "--to", "s3://backups"), 10, "s3://bucket/key"),
        (("save", "none", "--to", "s3://backups/x.json"), 1, "no such table: none"),
        (("save", TABLE), 2, "Missing option '--to'"),
        (("restore", "/nowhere/orders.json"), 10, "source is '/nowhere/orders.json'"),
        (("restore", "s3://backups/none.json"), 1, "no such key: s3://backups/none.json"),
        (("restore", __file__), 1, "is not the definition of a table"),
    ],
)
def test_what_cannot_work_says_why(command: Shell, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = command.run(*arguments)

    assert code == result.exit_code
    assert said in result.stderr


def test_the_file_of_a_newer_package_is_refused(command: Shell, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text('{"version": 2, "newer": true}')

    result = command.run("restore", str(file))

    assert 1 == result.exit_code
    assert f"{file} has version 2; this package reads up to 1" in result.stderr
