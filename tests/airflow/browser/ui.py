"""Airflow's UI as a person sees it: what can be pressed, filled in and read, by its roles and labels."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.airflow.scheduler.running import PATIENCE_SECONDS, wait_until
from tests.demo.airflow_env import PASSWORD, USER

FIELD = re.compile(r'"(\w+)": ([0-9.]+)')  # of a JSON object, a line each


class Form:
    """The dialog that asks for a run's parameters."""

    def __init__(self, dialog: Locator) -> None:
        self.dialog = dialog

    @property
    def submit(self) -> Locator:
        """The button that starts the run."""
        return self.dialog.get_by_role("button", name="Trigger", exact=True)

    @property
    def number(self) -> Locator:
        """The only field for a number: the ratio."""
        return self.dialog.get_by_role("spinbutton")

    def field(self, label: str) -> Locator:
        """A label with its input and its description."""
        page = self.dialog.page
        starts = page.locator("label").filter(has_text=re.compile(f"^{label}"))
        return self.dialog.get_by_role("group").filter(has=starts)

    def help(self, label: str) -> str:
        """The description of a field."""
        return self.field(label).locator("[data-part=helper-text]").inner_text()

    def fill(self, label: str, text: str) -> None:
        """Write into a text field."""
        self.field(label).get_by_role("textbox").fill(text)

    def fill_number(self, text: str, *, becomes: str | None = None) -> str:
        """Write a number and go to the next field; what the field then holds, when it is as expected."""
        self.number.fill(text)
        self.number.press("Tab")
        expect(self.number).to_have_value(becomes or text, timeout=PATIENCE_SECONDS * 1000)
        return self.number.input_value()

    def choose(self, label: str, option: str) -> list[str]:
        """Choose one of a list, by the beginning of its text; returns all that were offered."""
        self.field(label).get_by_role("combobox").click()
        options = self.dialog.get_by_role("option")
        options.first.wait_for()
        offered = options.all_inner_texts()
        options.filter(has_text=re.compile(f"^{option}")).click()
        return offered

    def refused(self) -> str:
        """Press Trigger and read why it was refused."""
        self.submit.press("Enter")
        self.dialog.get_by_text("400 Bad Request").wait_for()
        return self.dialog.get_by_role("paragraph").first.inner_text()


class Ui:
    """One window."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def log_in(self) -> None:
        """Open Airflow and say who we are."""
        self.page.goto("/")
        self.page.get_by_role("textbox", name="Username").fill(USER)
        self.page.get_by_role("textbox", name="Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def open_dags(self) -> list[str]:
        """Go to the list of DAGs; returns their names."""
        self.page.get_by_role("link", name="Dags", exact=True).first.click()
        links = self.page.locator("a[href^='/dags/']")
        links.first.wait_for()
        return links.all_inner_texts()

    def open_dag(self, dag_id: str) -> None:
        """Press a DAG of the list."""
        self.page.get_by_role("link", name=dag_id, exact=True).first.click()
        self.page.get_by_role("button", name="Dag Docs").wait_for()

    def open_docs(self) -> Locator:
        """Press the book."""
        self.page.get_by_role("button", name="Dag Docs").click()
        return self._dialog("Dag Documentation")

    def close(self, dialog: Locator) -> None:
        """Press the cross of a dialog."""
        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="hidden")

    def open_form(self) -> Form:
        """Press Trigger."""
        self.page.get_by_role("button", name="Trigger Dag").click()
        form = Form(self._dialog("Trigger Dag"))
        form.number.wait_for()
        return form

    def trigger(self, form: Form) -> str:
        """Press the form's button; returns the run's id."""
        form.submit.press("Enter")
        self.page.wait_for_url("**/runs/*")
        breadcrumb = self.page.get_by_role("navigation", name="breadcrumb")
        return breadcrumb.get_by_text(re.compile("^manual__")).inner_text()

    def open_task(self, task_id: str) -> None:
        """Press a task of the run's list."""
        self.page.get_by_role("row").get_by_role("link", name=task_id, exact=True).click()
        self.page.get_by_role("heading", name=task_id, exact=True).wait_for()

    def reload(self) -> None:
        """Press the browser's own button."""
        self.page.reload()

    def open_tab(self, *names: str) -> None:
        """Press a tab, and one below it."""
        for name in names:
            self.page.get_by_role("link", name=name, exact=True).click()

    def wait_for_state(self, state: str) -> None:
        """Until the open task is in a state, as its badge says."""
        badge = self.page.get_by_text(state, exact=True).first
        expect(badge).to_be_visible(timeout=PATIENCE_SECONDS * 1000)

    def wait_for_progress(self, *, after: float = -1) -> dict[str, float]:
        """The numbers of ``progress`` in the open tab, as soon as it counts more items than ``after``."""
        lines = self._row("progress").locator(".view-line")
        last: list[dict[str, float]] = [{}]

        def look() -> dict[str, float] | None:
            texts = [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines.all_inner_texts()]
            found = {name: float(number) for name, number in FIELD.findall("\n".join(texts))}
            before, last[0] = last[0], found
            whole = found == before and {"items", "share_done"} <= set(found)  # it is drawn line by line
            return found if whole and found["items"] > after else None

        return wait_until("progress in the UI", look)

    def copied_xcom(self, key: str) -> Any:
        """Unfold the XComs, and press Copy beside one."""
        self.page.get_by_role("button", name="Expand all").click()
        row = self._row(key)
        row.get_by_role("button", name="Copy to clipboard").click()
        row.scroll_into_view_if_needed()
        read = "navigator.clipboard.readText()"
        return json.loads(wait_until("a copied XCom", lambda: self.page.evaluate(read)))

    def message(self, start: str) -> Locator:
        """The first line of the open log with this text: wrapped, and with the log at its beginning."""
        line = self.page.get_by_role("code").get_by_text(start).first
        line.wait_for()
        self.page.keyboard.press("w")
        self.page.keyboard.press("Control+ArrowUp")
        line.click(trial=True)  # waits until it is in the window and has come to rest
        return line

    def links(self, *names: str) -> dict[str, str]:
        """The links of the open Details tab, when these are there."""
        found = self.page.get_by_role("heading", name="Extra Links").locator("xpath=..").get_by_role("link")
        for name in names:
            found.filter(has_text=name).wait_for()
        return {link.inner_text(): link.get_attribute("href") or "" for link in found.all()}

    def follow(self, link: str) -> str:
        """Press a link that opens another window; returns where that leads."""
        with self.page.expect_popup() as popup:
            self.page.get_by_role("link", name=link, exact=True).click()
        popup.value.wait_for_load_state()
        url = popup.value.url
        popup.value.close()
        return url

    def open_clear(self) -> Locator:
        """Press the arrow that clears the open task."""
        self.page.get_by_role("button", name="to clear").click()
        dialog = self._dialog("Clear Task Instance")
        dialog.get_by_role("cell", name="export", exact=True).wait_for()
        return dialog

    def confirm(self, dialog: Locator) -> None:
        """Press Confirm."""
        dialog.get_by_role("button", name="Confirm").press("Enter")
        dialog.wait_for(state="hidden")

    def _row(self, key: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=key, exact=True))

    def _dialog(self, title: str) -> Locator:
        heading = self.page.get_by_role("heading", name=re.compile(f"^{title}"))
        dialog = self.page.get_by_role("dialog").filter(has=heading)
        dialog.wait_for()
        return dialog
