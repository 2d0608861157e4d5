"""On a terminal there is a bar, in a log there are lines; a real terminal, or none."""

from __future__ import annotations

import json
import os
import pty
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.faults.table_world import COPY, TABLE, TableWorld
from tests.integration.test_cli import PATIENCE_SECONDS, Command
from tests.integration.test_cli_table import REQUEST
from tests.integration.world import World, create_table, fill
from tests.services import Services, aws_client

ITEMS = [{"pk": {"S": str(number)}} for number in range(40)]
BAR, CURSOR_UP = "━", "\x1b["


@dataclass
class Terminal:
    """What a command left, whose stderr was a terminal."""

    code: int
    out: str
    shown: str


def on_a_terminal(command: Command, *more: str) -> Terminal:
    """Run a command whose stderr is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**command.environment, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = replace(command, environment=environment).start(*more, stderr=theirs)
    os.close(theirs)
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(ours, shown))
    reader.start()
    try:
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        reader.join(PATIENCE_SECONDS)
        os.close(ours)
    return Terminal(process.returncode, out, b"".join(shown).decode())


def _read_all(terminal: int, into: list[bytes]) -> None:
    """Until the other side is closed, which is an error to a terminal."""
    try:
        while found := os.read(terminal, 65536):
            into.append(found)
    except OSError:
        return


@pytest.fixture(scope="module")
def gateway_table(services: Services) -> Iterator[str]:
    client = aws_client("dynamodb", services.gateway_url)
    name = create_table(client)
    fill(services.dynamodb_url, name, ITEMS)
    yield name
    client.delete_table(TableName=name)


@pytest.fixture
def command(services: Services) -> Command:
    return Command(services.gateway_url, services.moto_url)


def test_export_verify_and_import_show_a_bar_on_a_terminal_and_lines_elsewhere(
    world: World, command: Command, gateway_table: str
) -> None:
    quick = ("--table", gateway_table, "--units-per-second", "10000")
    export = ("export", *quick, "--s3-uri", f"s3://{world.bucket}/out")
    uri = command.run(*export, "--json").result["manifest_uri"]

    for arguments, last in (
        (export, "100%: 40 items"),
        (("verify", uri), "working"),
        (("verify", uri, *quick), "100%: "),
        (("import", *quick, "--on-existing", "new", uri), "100%: 40 items, 0 rejected"),
    ):
        seen, log = on_a_terminal(command, *arguments), command.run(*arguments)

        assert (0, 0) == (seen.code, log.code), seen.shown + log.err
        assert BAR in seen.shown, arguments
        assert last in seen.shown
        assert BAR not in log.err
        assert CURSOR_UP not in log.err
        assert last in log.err or last == "working"


@pytest.mark.parametrize("more", ["--quiet", "--json"])
def test_quiet_and_json_show_no_bar_on_a_terminal(
    world: World, command: Command, gateway_table: str, more: str
) -> None:
    arguments = ("export", "--table", gateway_table, "--s3-uri", f"s3://{world.bucket}/out")

    seen = on_a_terminal(command, *arguments, "--units-per-second", "10000", more)

    assert 0 == seen.code, seen.shown
    assert CURSOR_UP not in seen.shown
    if more == "--quiet":
        assert "" == seen.shown
        return
    kinds = {json.loads(line)["message_type"] for line in seen.shown.splitlines()}
    assert {"message", "status"} == kinds
    assert 40 == json.loads(seen.out)["item_count"]


def test_a_restore_of_a_table_shows_a_bar_on_a_terminal_and_lines_elsewhere(tmp_path: Path) -> None:
    world = TableWorld(settle_seconds=0)
    world.make(REQUEST)
    file = str(tmp_path / "orders.json")
    with world.aws.door() as door:
        command = Command(door.url, door.url, ("table",))
        command.run("save", TABLE, "--to", file)
        seen = on_a_terminal(command, "restore", file, "--table", COPY)
        log = command.run("restore", file, "--table", f"{COPY}-2")

    assert (0, 0) == (seen.code, log.code), seen.shown + log.err
    assert BAR in seen.shown
    assert BAR not in log.err
    assert CURSOR_UP not in log.err
