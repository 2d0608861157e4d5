from __future__ import annotations

import itertools
import json

import pytest

from airflow_dynamo_pipeline.engine.import_records import Accounts, FileState
from airflow_dynamo_pipeline.engine.ledger import BlockAccount, Ledger, Outcome, Reject
from tests.unit.engine.import_parts import opened, some, states


def test_a_block_counts_once_all_its_items_are_resolved() -> None:
    ledger = Ledger(())
    entries = opened(ledger, "a", some(3))

    ledger.resolve(entries[:2], Outcome.WRITTEN)
    assert {} == states(ledger)
    ledger.resolve(entries[2:], Outcome.SKIPPED)

    assert {"a": FileState(key="a", lines=3, accounts=Accounts(read=3, written=2, skipped=1))} == states(
        ledger
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_blocks_count_in_the_order_of_the_file_whatever_order_they_are_resolved_in(order: list[int]) -> None:
    ledger = Ledger(())
    blocks = [opened(ledger, "a", some(2), first=1 + 2 * n) for n in range(3)]
    resolved: set[int] = set()

    for number in order:
        ledger.resolve(blocks[number], Outcome.WRITTEN)
        resolved.add(number)
        front = next(n for n in range(4) if n not in resolved)
        assert 2 * front == sum(state.lines for state in states(ledger).values())
        assert 2 * front == ledger.accounts.written


def test_a_file_is_done_when_it_was_read_to_its_end_and_all_is_resolved() -> None:
    ledger = Ledger(())
    entries = opened(ledger, "a", some(1))
    ledger.end_file(ledger.file("a"))
    assert 0 == ledger.files_done

    ledger.resolve(entries, Outcome.CONFLICTED)

    assert 1 == ledger.files_done
    assert (
        FileState(key="a", lines=1, done=True, accounts=Accounts(read=1, conflicted=1)) == states(ledger)["a"]
    )


def test_an_empty_file_is_done_too() -> None:
    ledger = Ledger(())

    ledger.end_file(ledger.file("a"))

    assert {"a": FileState(key="a", done=True)} == states(ledger)


def test_rejected_items_are_handed_out_once_and_only_when_they_count() -> None:
    ledger = Ledger(())
    first, second = opened(ledger, "a", some(2))
    ledger.reject(second, "too large")

    assert (1, []) == (ledger.rejected, ledger.take()[1])
    ledger.resolve([first], Outcome.WRITTEN)
    assert ledger.reject_bytes > 0
    (reject,) = ledger.take()[1]
    assert 0 == ledger.reject_bytes

    assert ("a", 2, "too large", "dynamodb_json") == (reject.file, reject.line, reject.reason, reject.reader)
    assert {"Item": {"pk": {"S": "001"}}} == json.loads(reject.text)
    assert [] == ledger.take()[1]


def test_lines_that_are_no_items_count_with_their_block() -> None:
    ledger = Ledger(())
    file = ledger.file("a")
    bad = Reject("a", 1, "not JSON", b"x")
    ledger.open_block(BlockAccount(file, 1, 0, read=1, rejects=[bad]))

    assert ([bad], 1, 1, bad) == (ledger.take()[1], ledger.rejected, ledger.resolved, ledger.first_reject)
    assert Accounts(read=1, rejected=1) == ledger.accounts


def test_what_earlier_attempts_counted_goes_on_counting() -> None:
    before = FileState(key="a", lines=9, accounts=Accounts(read=9, written=6, rejected=3))
    ledger = Ledger([before])
    assert (3, 9, {"a": before}) == (ledger.rejected, ledger.resolved, states(ledger))

    ledger.resolve(opened(ledger, "a", some(1), first=10), Outcome.WRITTEN)

    wanted = FileState(key="a", lines=10, accounts=Accounts(read=10, written=7, rejected=3))
    assert {"a": wanted} == states(ledger)


def test_a_batch_of_items_of_several_files_is_resolved_at_once() -> None:
    ledger = Ledger(())
    batch = [*opened(ledger, "a", some(2)), *opened(ledger, "b", some(3))]
    assert 5 == ledger.under_way

    ledger.resolve(batch, Outcome.WRITTEN)

    assert (0, 5) == (ledger.under_way, ledger.resolved)
    assert {"a": 2, "b": 3} == {key: state.accounts.written for key, state in states(ledger).items()}


@pytest.mark.parametrize(
    ("accounts", "balanced"),
    [
        (Accounts(read=4, written=1, skipped=1, conflicted=1, rejected=1), True),
        (Accounts(read=4, written=4, deleted=2, expired=1), True),
        (Accounts(read=4, written=3), False),
        (Accounts(read=4, written=5), False),
    ],
)
def test_accounts_balance_when_every_item_read_became_one_thing(accounts: Accounts, balanced: bool) -> None:
    assert balanced == accounts.balanced
