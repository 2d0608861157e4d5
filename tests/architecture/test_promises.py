"""The published table of promises names every numbered test, and no other."""

from tests.faults.promises import PAGE, promise_tests

MADE = {f"{letter}{number}" for letter in "EI" for number in range(1, 13)}


def test_every_promise_of_export_and_import_has_a_test() -> None:
    tested = {number for test in promise_tests() for number in test.numbers}

    assert MADE == tested & MADE


def test_the_page_lists_every_numbered_test_beside_its_promise() -> None:
    page = PAGE.read_text()
    wanted = {
        f"| {number} | `{test.path}::{test.name}` |" for test in promise_tests() for number in test.numbers
    }
    listed = {line[: line.index("` |") + 3] for line in page.splitlines() if "` |" in line and "::" in line}

    assert wanted == listed


def test_the_page_says_what_each_promise_is() -> None:
    page = PAGE.read_text()

    assert [] == [number for number in MADE if f"\n| {number} | " not in page]
