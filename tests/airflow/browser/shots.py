"""The screenshots of the documentation: one list of names, and who takes them."""

import os
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
PREFIX = "ui-"
NAMES = ("dags", "docs", "form", "refused", "progress", "links", "failed", "clear", "result")
KEEP = "SCREENSHOTS"  # an environment variable that `make screenshots` sets
MARGIN = 4
HIGH = 1600


def file_name(name: str) -> str:
    """As the documentation calls it."""
    return f"{PREFIX}{name}.png"


class Camera:
    """Takes each screenshot into a folder: the documentation's when asked to, else one that is thrown away.

    A picture never shows a path or a name of this machine: ``until`` cuts the window below an element.
    """

    def __init__(self, page: Page, scratch: Path) -> None:
        self.taken: list[str] = []
        self._page = page
        self._folder = IMAGES if os.environ.get(KEEP) else scratch
        self._folder.mkdir(exist_ok=True)

    def window(self, name: str, *, until: Locator | None = None) -> None:
        """What the window shows, from its top down to the end of an element."""
        width, end = map(float, self._size())
        if until is not None:
            box = until.bounding_box()
            assert box is not None
            end = min(end, box["y"] + box["height"] + MARGIN)
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": end}
        self._page.screenshot(path=self._path(name), clip=clip, animations="disabled", caret="hide")

    def dialog(self, name: str, dialog: Locator) -> None:
        """A dialog alone, in a window that is high enough for it and for what pops up below it."""
        width, height = self._size()
        self._page.set_viewport_size({"width": width, "height": HIGH})
        dialog.click(trial=True, position={"x": 1, "y": 1})  # waits until it has come to rest
        box = dialog.bounding_box()
        assert box is not None
        self._page.screenshot(path=self._path(name), clip=box, animations="disabled", caret="hide")
        self._page.set_viewport_size({"width": width, "height": height})

    def _size(self) -> tuple[int, int]:
        size = self._page.viewport_size
        assert size is not None
        return size["width"], size["height"]

    def _path(self, name: str) -> Path:
        self.taken.append(name)
        return self._folder / file_name(name)
