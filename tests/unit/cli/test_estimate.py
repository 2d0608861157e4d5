"""What ``estimate`` shows, and prices of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.world import EXPORT, World

ESTIMATE = ("estimate", "--table", "orders")


@pytest.fixture
def ours(tmp_path: Path) -> str:
    file = tmp_path / "ours.json"
    file.write_text('{"as_of": "2026-01-31", "read_capacity_hour": 1}', "utf-8")
    return str(file)


def test_a_person_reads_words(world: World) -> None:
    done = world.run(*ESTIMATE)

    shown = dict(line.strip().split("  ", 1) for line in done.stdout.splitlines()[1:])
    assert "orders" == shown["table"].strip()
    assert "list prices of us-east-1" in shown["price"]
    assert "scan: nothing else is possible" == shown["method"].strip()
    assert "not possible, point-in-time recovery" in shown["- full"]
    assert ("scan", "scan, the only way whose time can be told") == (
        shown["cheapest"].strip(),
        shown["fastest"].strip(),
    )


def test_a_program_reads_figures(world: World) -> None:
    found = world.result(*ESTIMATE)

    assert ("us-east-1", "provisioned", 0.0) == (found["region"], found["billing"], found["dollars"])
    assert ("scan", "scan") == (found["cheapest"], found["fastest"])


def test_prices_of_ones_own_are_taken_and_named(world: World, ours: str) -> None:
    found = world.result(*ESTIMATE, "--prices", ours)

    assert found["prices"].startswith(f"prices of {ours} for us-east-1, 2026-01-31; the rest list prices")
    assert round(found["read_units"] / 3600, 4) == found["paid_anyway_dollars"]


def test_an_export_is_planned_with_prices_of_ones_own(world: World, ours: str) -> None:
    done = world.run(*EXPORT, "--prices", ours, "--json")

    assert f"prices of {ours}" in done.stderr
    assert "2026-01-31" == json.loads(done.stdout)["plan"]["prices_as_of"]


@pytest.mark.parametrize("command", [ESTIMATE, EXPORT])
def test_what_is_wrong_with_settings_and_prices_is_said_at_once(
    world: World, tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = tmp_path / "wrong.json"
    file.write_text('{"export_gb": -1, "import": 1}', "utf-8")

    done = world.run(*command, "--ratio", "7", "--prices", str(file))

    assert 10 == done.exit_code
    assert "3 problems" in done.stderr
    for word in ("ratio", "prices: export_gb", "prices: import"):
        assert word in done.stderr


def test_a_table_that_was_not_counted_is_warned_of(world: World) -> None:
    world.table.items.clear()

    assert "warning: DynamoDB says that orders is empty" in world.run(*ESTIMATE).stderr


def test_a_table_that_was_not_counted_has_no_figures(world: World) -> None:
    world.table.items.clear()

    found = world.result(*ESTIMATE)
    shown = dict(line.strip().split("  ", 1) for line in world.run(*ESTIMATE).stdout.splitlines()[1:])

    assert [None] * 4 == [found[name] for name in ("read_units", "seconds", "dollars", "cheapest")]
    for name in ("read units", "time", "cheapest", "fastest"):
        assert "not known" == shown[name].strip()
    assert shown["price"].strip().startswith("an unknown price")
