"""What the import benchmarks run runs, and what they say of it is so."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import import_memory, imports
from tests.benchmarks.endpoint import Stats, running_endpoint
from tests.benchmarks.report import Report, Table, Verdict
from tests.benchmarks.runs import ClientFailed, Measurement, check, measure
from tests.benchmarks.worker import WARM_UP_ITEMS, Job, Outcome

RUN = Measurement(
    client="import",
    segments=4,
    items=1_000_000,
    cpu_seconds=4.0,
    wall_seconds=3.0,
    loaded_rss_bytes=100_000_000,
    peak_rss_bytes=150_000_000,
    endpoint_cpu_seconds=0.4,
    scan_bytes=0,
    uploaded_bytes=0,
    writes=40_000,
    write_bytes=560_000_000,
    returned_items=0,
)
STATS = Stats(
    scans=0,
    scan_items=0,
    scan_bytes=0,
    writes=4,
    write_bytes=4000,
    written_items=100,
    returned_items=0,
    distinct_items=100,
    repeated_items=0,
    wrong_items=0,
    uploaded_bytes=0,
    cpu_seconds=0.0,
    page_json_bytes=1,
    items_per_page=1,
    items=1,
)


@pytest.mark.parametrize("client", ["import", "import-botocore", "batch-writer", "hook"])
def test_every_client_writes_each_item_once_though_some_come_back(client: str) -> None:
    with running_endpoint(pages=1, checks=True) as endpoint:
        run = measure(endpoint, client, items=500, segments=2, files=3, unprocessed=5)

        assert imports.is_exact(endpoint.stats(), 500)
    assert 500 == run.items
    assert 35 <= run.returned_items <= 40  # five of a hundred, and of those sent again; warm-up included


def test_a_verification_reads_the_table_once_and_finds_its_backup_equal() -> None:
    """Items repeat in both: the backup is what Scan hands out."""
    with running_endpoint(pages=1) as endpoint:
        items = endpoint.stats().items + 300
        before = endpoint.stats().scan_items
        measure(endpoint, "verify", items=items, segments=2, files=2)

        assert items + WARM_UP_ITEMS == endpoint.stats().scan_items - before


@pytest.mark.parametrize(("written", "stated"), [(699, 500), (700, 499), (701, 500)])
def test_a_client_that_wrote_or_states_another_number_is_refused(written: int, stated: int) -> None:
    job = Job(client="import", url="", items=500)
    outcome = Outcome(items=stated, cpu_seconds=1, wall_seconds=1, loaded_rss_bytes=1, peak_rss_bytes=1)
    after = replace(STATS, written_items=STATS.written_items + written)

    with pytest.raises(ClientFailed, match="of 500 items"):
        check([job], [outcome], STATS, after)


def test_a_client_that_wrote_what_it_should_is_not_refused() -> None:
    job = Job(client="hook", url="", items=500)
    outcome = Outcome(items=None, cpu_seconds=1, wall_seconds=1, loaded_rss_bytes=1, peak_rss_bytes=1)

    check([job], [outcome], STATS, replace(STATS, written_items=STATS.written_items + 700))


@pytest.mark.parametrize(
    "wrong",
    [{"written_items": 701}, {"distinct_items": 699}, {"repeated_items": 1}, {"wrong_items": 1}],
)
def test_a_run_is_exact_only_when_every_item_came_once_and_unchanged(wrong: dict[str, int]) -> None:
    stats = replace(STATS, written_items=700, distinct_items=700)

    assert imports.is_exact(stats, 500)
    assert not imports.is_exact(replace(stats, **wrong), 500)


def rounds_of(*peers: float) -> list[imports.Round]:
    """Rounds in which ours takes 4 s for a million items, the peers so many times that."""
    costs = {"import": 1.0, "import-botocore": 5.0}
    return [
        {
            key: replace(RUN, client=key[0], items=20_000, cpu_seconds=0.08 * costs.get(key[0], peer))
            for key in imports.KEYS
        }
        for peer in peers
    ]


@pytest.mark.parametrize(
    ("peers", "passed"),
    [
        ((36, 36, 36), [True, True, True, True]),
        ((34, 34, 60), [True, False, True, False]),
        ((29, 29, 29), [False, False, False, False]),
    ],
)
def test_the_median_round_is_held_to_the_limits(peers: tuple[float, ...], passed: list[bool]) -> None:
    verdicts = imports.report(rounds_of(*peers), dict.fromkeys(imports.KEYS, True)).verdicts

    assert passed == [verdict.passed for verdict in verdicts[:4]]


def test_one_client_that_is_not_exact_fails_the_report() -> None:
    checked = dict.fromkeys(imports.KEYS, True)
    (costly,) = rounds_of(40)
    cheap = [{key: replace(run, endpoint_cpu_seconds=0.001) for key, run in costly.items()}]

    assert imports.report(cheap, checked).passed
    assert not imports.report(cheap, {**checked, ("import", imports.PERCENT): False}).passed


def test_an_endpoint_that_costs_too_much_fails_the_report() -> None:
    checked = dict.fromkeys(imports.KEYS, True)

    assert not imports.report(rounds_of(40), checked).passed  # 0.4 s of its CPU beside 0.08 s of ours


def test_memory_is_held_to_its_limit_in_every_shape() -> None:
    heavy = replace(RUN, peak_rss_bytes=RUN.loaded_rss_bytes + 80_000_000)

    verdicts = import_memory.report([RUN, heavy, RUN]).verdicts

    assert [True, False, True] == [verdict.passed for verdict in verdicts]


def report_of(*, passed: bool) -> Report:
    return Report("a mode", [], Table(["figure"], [["1"]]), [Verdict("a number", "1", "2", passed)])


def test_modes_go_on_after_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_: argparse.Namespace) -> Report:
        raise ClientFailed("a client ended")

    monkeypatch.setattr(
        benchmarks,
        "MODES",
        {
            "bad": lambda _: report_of(passed=False),
            "broken": breaks,
            "good": lambda _: report_of(passed=True),
        },
    )

    def code(*modes: str) -> int:
        monkeypatch.setattr("sys.argv", ["benchmarks", *modes])
        return benchmarks.main()

    assert 0 == code("good", "good")
    assert 1 == code("bad", "good")
    capsys.readouterr()
    assert 2 == code("bad", "broken", "good")
    printed = capsys.readouterr()
    assert 2 == printed.out.count("acceptance")
    assert "broken: a client ended" in printed.err


def test_a_mode_that_nobody_knows_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "speed", "sped"])

    with pytest.raises(SystemExit):
        benchmarks.main()

    assert "no such mode: sped" in capsys.readouterr().err
