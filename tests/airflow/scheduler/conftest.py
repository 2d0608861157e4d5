"""The stories are told in one Airflow, some at once; each test asks about one of them."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from tests.airflow.scheduler.approval import imports_are_decided
from tests.airflow.scheduler.assets import export_starts_a_dag
from tests.airflow.scheduler.cleared import killed_after_the_commit, marked_failed
from tests.airflow.scheduler.imports import import_is_killed
from tests.airflow.scheduler.killed import supervisor_is_lost, task_is_killed, worker_is_lost
from tests.airflow.scheduler.notices import people_are_told
from tests.airflow.scheduler.ranges import ranges_are_lost
from tests.airflow.scheduler.waiting import triggerer_is_killed, two_runs
from tests.airflow.scheduler.world import World, running_world

STORIES: tuple[Callable[[World], Any], ...] = (
    worker_is_lost,
    supervisor_is_lost,
    task_is_killed,
    import_is_killed,
    marked_failed,
    killed_after_the_commit,
    triggerer_is_killed,
    two_runs,
    export_starts_a_dag,
    people_are_told,
    imports_are_decided,
    ranges_are_lost,
)
AT_ONCE = 4  # each task reads Airflow's modules anew: more of them keep one another waiting
TAIL_CHARACTERS = 4000
ACCESS = "[http.access]"

Told = TypeVar("Told")


class Stories:
    """Begins to tell all stories when it is made."""

    def __init__(self, world: World, threads: ThreadPoolExecutor) -> None:
        self.world = world
        self._begun: dict[Callable[[World], Any], Future[Any]] = {
            story: threads.submit(story, world) for story in STORIES
        }

    def told(self, story: Callable[[World], Told]) -> Told:
        """What came of it; raises what went wrong in it."""
        found: Told = self._begun[story].result()
        return found

    def all_over(self) -> None:
        """Wait for every story's end, good or bad."""
        for future in self._begun.values():
            future.exception()


@pytest.fixture(scope="module")
def stories() -> Iterator[Stories]:
    """An Airflow of its own, in which all stories run."""
    with running_world() as world, ThreadPoolExecutor(AT_ONCE) as threads:
        yield Stories(world, threads)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with the end of every log."""
    report = yield
    told = getattr(item, "funcargs", {}).get("stories")
    if report.failed and told is not None:
        logs = told.world.airflow.logs()
        report.sections += [(name, _tail(text)) for name, text in sorted(logs.items())]
    return report


def _tail(log: str) -> str:
    """The end of a log, without the hundreds of lines on requests that went well."""
    told = [line for line in log.splitlines() if not (ACCESS in line and "status_code=2" in line)]
    return "\n".join(told)[-TAIL_CHARACTERS:]
