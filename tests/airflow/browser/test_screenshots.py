"""The documentation's pictures of the UI are those that the browser test takes."""

import re
from pathlib import Path

from tests.airflow.browser.shots import IMAGES, NAMES, PREFIX, file_name

DOCS = IMAGES.parent
IMAGE = re.compile(r"!\[[^\]]+\]\((?P<path>[^)\s]+)\)")
MOST_BYTES = 150_000


def named_images() -> dict[Path, Path]:
    """Each image that a page names, and the page."""
    return {
        (page.parent / found["path"]).resolve(): page
        for page in DOCS.rglob("*.md")
        for found in IMAGE.finditer(page.read_text())
    }


def test_each_image_that_the_documentation_names_exists() -> None:
    named = named_images()
    assert named
    assert [] == [f"{page}: {image}" for image, page in named.items() if not image.exists()]


def test_the_screenshots_in_the_documentation_are_those_of_the_list() -> None:
    shots = {file_name(name) for name in NAMES}
    assert shots == {image.name for image in named_images() if image.name.startswith(PREFIX)}
    assert shots == {path.name for path in IMAGES.glob(f"{PREFIX}*")}


def test_a_screenshot_is_small() -> None:
    assert [] == [path.name for path in IMAGES.glob("*.png") if path.stat().st_size > MOST_BYTES]
