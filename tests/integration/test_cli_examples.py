"""The examples in the help of every command run as they stand there, for people and for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.cli import table as table_module
from airflow_dynamo_pipeline.cli.main import main
from tests.faults.table_world import TableWorld
from tests.integration.test_cli_table import BUCKET, REQUEST
from tests.unit.cli.test_lookup import World as LookupWorld
from tests.unit.cli.test_lookup import world as lookup_world
from tests.unit.cli.test_table_import import World as ImportWorld
from tests.unit.cli.test_table_import import world as import_world
from tests.unit.cli.world import EXPORT, World

__all__ = ["import_world", "lookup_world"]
PROGRAM = "dynamo-pipeline"
Run = Callable[..., Result]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = list(leaves(main))
OFFLINE = [path for path in COMMANDS if path[0] in ("iam-policy", "completion")]
WITH_AN_INDEX = [("spark-bundle",)]  # pip fetches from it: tests/unit/cli has its example with pip replaced
WITH_AWS = [path for path in COMMANDS if path not in (*OFFLINE, *WITH_AN_INDEX)]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name=PROGRAM)


def examples(*path: str) -> list[list[str]]:
    """The arguments of those lines of the help that begin with the command, less what a shell does."""
    lines = [line.strip() for line in invoke(*path, "--help").stdout.splitlines()]
    beginning = " ".join((PROGRAM, *path))
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"{beginning} ")]


def one_object(done: Result) -> bool:
    assert 0 == done.exit_code, done.output
    assert all(isinstance(json.loads(line), dict) for line in done.stderr.splitlines())
    return isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_takes_what_all_take_and_has_an_example(path: tuple[str, ...]) -> None:
    shown = invoke(*path, "--help").stdout

    for option in ("--json", "--quiet", "--verbose"):
        assert f"{option} " in shown
    assert ("completion" not in path) is ("--config " in shown)
    assert examples(*path)


@pytest.mark.parametrize("path", OFFLINE, ids=" ".join)
def test_an_example_that_calls_nothing_prints_one_object(path: tuple[str, ...]) -> None:
    for example in examples(*path):
        until = example.index(">") if ">" in example else len(example)

        assert one_object(invoke(*example[:until], "--json"))


def test_the_commands_that_call_aws_are_those_below() -> None:
    assert {"export", "estimate", "verify", "import", "lookup", "table save", "table restore"} == {
        " ".join(path) for path in WITH_AWS
    }


@pytest.mark.parametrize("command", ["export", "estimate"])
def test_an_example_that_reads_a_table_prints_one_object(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    World().put_in(monkeypatch)

    for example in examples(command):
        assert one_object(invoke(*example, "--json"))


def test_the_example_of_verify_prints_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.put_in(monkeypatch)
    made = world.result(*EXPORT)["manifest_uri"]

    for example in examples("verify"):
        assert one_object(invoke(*(made if each.startswith("s3://") else each for each in example), "--json"))


def test_the_example_of_import_prints_one_object(import_world: ImportWorld) -> None:
    import_world.rejected = 0

    for example in examples("import"):
        assert one_object(invoke(*example, "--json"))


def test_the_example_of_lookup_prints_one_object(
    lookup_world: LookupWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "products.sql").write_text("SELECT id FROM products")

    for example in examples("lookup"):
        assert one_object(invoke(*example, "--json"))
    assert lookup_world.works


def test_the_examples_of_table_print_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = TableWorld(settle_seconds=0)
    world.make(REQUEST)
    world.aws.s3.create_bucket(BUCKET)
    monkeypatch.chdir(tmp_path)
    with world.aws.door() as door:
        monkeypatch.setattr(table_module, "clients", lambda *_: door.client)
        monkeypatch.setattr(table_module, "SystemClock", lambda: world.clock)

        for command in ("save", "restore"):
            for example in examples("table", command):
                assert one_object(invoke(*example, "--json"))
