"""The share of fault points that a test tries."""

import pytest

from tests.faults.points import EVERY_POINT, ONE_IN, least, some_of


@pytest.fixture
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EVERY_POINT, raising=False)


def points_of(test: str, monkeypatch: pytest.MonkeyPatch, count: int = 10) -> list[int]:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", f"tests/faults/test_kills.py::test_e1[{test}] (call)")
    return list(some_of(range(count)))


@pytest.mark.usefixtures("_no_environment")
def test_a_test_tries_every_fifth_point_and_the_same_ones_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = points_of("a kind of fault", monkeypatch)

    assert list(range(found[0], 10, ONE_IN)) == found
    assert found[0] < ONE_IN
    assert found == points_of("a kind of fault", monkeypatch)


@pytest.mark.usefixtures("_no_environment")
def test_tests_of_different_names_strike_all_points_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {point for number in range(30) for point in points_of(str(number), monkeypatch)}

    assert set(range(10)) == tried


@pytest.mark.usefixtures("_no_environment")
def test_of_a_few_points_one_is_tried_and_of_none_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        assert 1 == len(points_of(str(number), monkeypatch, count=2))
    assert [] == points_of("any", monkeypatch, count=0)


def test_every_point_is_tried_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EVERY_POINT, "yes")

    assert list(range(10)) == points_of("a kind of fault", monkeypatch)
    assert 11 == least(11)
