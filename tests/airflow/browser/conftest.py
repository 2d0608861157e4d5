"""One journey through the UI of one Airflow; each test asks about a part of it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from tests.airflow.browser.journey import DAG_ID, Seen, walk
from tests.airflow.browser.shots import Camera
from tests.airflow.browser.ui import Ui
from tests.airflow.scheduler.running import PATIENCE_SECONDS, RunningAirflow, running_airflow, wait_until
from tests.demo.airflow_env import EXAMPLE_DAGS
from tests.demo.table import prepare
from tests.services import Services, running_services
from tests.services.chromium import NoChromium, chromium
from tests.services.clients import SECRET_KEY

EXAMPLES = len(list(EXAMPLE_DAGS.glob("*.py")))
WIDTH, HEIGHT = 1280, 800
SHOWN_CHARACTERS = 6000
ALONE = ("--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


@dataclass(frozen=True, slots=True)
class Told:
    """The journey, and what else it left."""

    seen: Seen
    taken: list[str]  # names of screenshots
    asked_elsewhere: list[str]  # addresses that are not on this machine


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Everything is started for it and has ended when the tests ask."""
    scratch = tmp_path_factory.mktemp("screenshots")
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(_browser())
        services = stack.enter_context(running_services())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airflow-browser-")))
        bundles = {"examples": EXAMPLE_DAGS}
        airflow = stack.enter_context(running_airflow(home, services, SECRET_KEY, bundles))
        prepare(services)
        airflow.wait_until_ready(frozenset({DAG_ID}))
        wait_until("a DAG of each file", lambda: len(airflow.api.dag_ids()) >= EXAMPLES)
        return _told(browser, airflow, services, scratch)


def _told(browser: Browser, airflow: RunningAirflow, services: Services, scratch: Path) -> Told:
    context, elsewhere = _context(browser, airflow.base_url)
    page = context.new_page()
    camera = Camera(page, scratch)
    try:
        seen = walk(Ui(page), camera, airflow, services)
    except Exception as error:
        error.add_note(_shown(page))
        raise
    return Told(seen, camera.taken, elsewhere)


@contextlib.contextmanager
def _browser() -> Iterator[Browser]:
    try:
        build = chromium()
    except NoChromium as error:
        pytest.skip(str(error))
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=build.executable,
            args=ALONE,
            env={**os.environ, **build.env},
            timeout=PATIENCE_SECONDS * 1000,
        )
        yield launched
        launched.close()


def _context(browser: Browser, base_url: str) -> tuple[BrowserContext, list[str]]:
    """A new profile; what it asks of others than this machine is answered here and written down."""
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": WIDTH, "height": HEIGHT},
        locale="en-US",
        timezone_id="UTC",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    elsewhere: list[str] = []

    def answer(route: Route) -> None:
        elsewhere.append(route.request.url)
        route.fulfill(body="not on this machine")

    context.route(lambda url: urlsplit(url).hostname not in {"127.0.0.1", None}, answer)
    return context, elsewhere


def _shown(page: Page) -> str:
    """What the page says to those who cannot see it, for the report of a failure."""
    return f"{page.url}\n{page.locator('body').aria_snapshot()[-SHOWN_CHARACTERS:]}"
