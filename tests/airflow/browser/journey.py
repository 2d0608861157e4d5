"""What a person does who only clicks, and what they see on the way."""

from dataclasses import dataclass
from typing import Any

from tests.airflow.browser.shots import Camera
from tests.airflow.browser.ui import Form, Ui
from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.running import RunningAirflow
from tests.demo.table import TABLE, prepare
from tests.services import Services, aws_client

DAG_ID = "export_table"
RATIO = 0.05  # of the demo's table: two minutes, of which thirty seconds are needed to see progress twice
TARGET = "s3://backups/from-the-form"
LINKS = ("DynamoDB table", "S3 prefix")
FEWER_ITEMS = 2_000
VANISHED = f"table {TABLE} was deleted"


@dataclass(frozen=True, slots=True)
class Asked:
    """The form: what it says and what it refuses."""

    help: dict[str, str]
    formats: list[str]
    ratio_of_3: str  # what the field makes of it
    why_not_0: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The whole journey."""

    dags: list[str]
    docs: str
    asked: Asked
    conf: dict[str, Any]  # of the run that the form began
    progress: list[dict[str, float]]
    links: dict[str, str]  # while the task ran
    link_opened: str
    message: str  # of the log, when the table was gone
    attempts: list[int]  # when it had failed, and when it had succeeded
    to_be_cleared: str
    result: dict[str, Any]
    links_after: dict[str, str]
    run_state: str


def walk(ui: Ui, camera: Camera, airflow: RunningAirflow, services: Services) -> Seen:
    """Trigger, watch, open a link, remove the table, read why it failed, make the table, Clear."""
    ui.log_in()
    dags = ui.open_dags()
    camera.window("dags")
    ui.open_dag(DAG_ID)
    docs = _docs(ui, camera)
    form = ui.open_form()
    asked = _asked(form, camera)
    instance = Instance(DAG_ID, ui.trigger(form), "export")
    conf = airflow.api.conf(DAG_ID, instance.run_id)
    links, opened, progress = _watched(ui, camera)
    message = _failed(ui, camera, services)
    attempts = [airflow.api.look(instance)["try_number"]]
    prepare(services, FEWER_ITEMS)
    to_be_cleared = _cleared(ui, camera)
    ui.wait_for_state("Success")
    attempts.append(airflow.api.look(instance)["try_number"])
    result, links_after = _succeeded(ui, camera)
    return Seen(
        dags=dags,
        docs=docs,
        asked=asked,
        conf=conf,
        progress=progress,
        links=links,
        link_opened=opened,
        message=message,
        attempts=attempts,
        to_be_cleared=to_be_cleared,
        result=result,
        links_after=links_after,
        run_state=airflow.wait_for_end(instance),
    )


def _docs(ui: Ui, camera: Camera) -> str:
    dialog = ui.open_docs()
    text = dialog.inner_text()
    camera.dialog("docs", dialog)
    ui.close(dialog)
    return text


def _asked(form: Form, camera: Camera) -> Asked:
    """Fill in the form, with two mistakes on the way."""
    labels = ("Table", "Target on S3", "Go-ahead", "Share of the read capacity", "File format")
    helps = {label: form.help(label) for label in labels}
    form.fill("Target on S3", TARGET)
    formats = form.choose("File format", "AWS Data Pipeline")
    too_much = form.fill_number("3", becomes="1.5")
    form.fill_number(str(RATIO))
    camera.dialog("form", form.dialog)
    form.fill_number("0")
    why_not = form.refused()
    camera.dialog("refused", form.dialog)
    form.fill_number(str(RATIO))
    return Asked(helps, formats, too_much, why_not)


def _watched(ui: Ui, camera: Camera) -> tuple[dict[str, str], str, list[dict[str, float]]]:
    """The links, where one leads, and two values of progress, all while the task runs."""
    ui.open_task("export")
    ui.wait_for_state("Running")
    ui.open_tab("Details")
    links = ui.links(*LINKS)
    camera.window("links", until=ui.page.get_by_role("cell", name="Run ID"))
    opened = ui.follow("S3 prefix")
    ui.open_tab("Storage", "Task State Store")
    first = ui.wait_for_progress()
    second = ui.wait_for_progress(after=first["items"])
    camera.window("progress")
    ui.wait_for_state("Running")
    return links, opened, [first, second]


def _failed(ui: Ui, camera: Camera, services: Services) -> str:
    """Remove the table, and read the log."""
    aws_client("dynamodb", services.gateway_url).delete_table(TableName=TABLE)
    ui.wait_for_state("Failed")
    ui.open_tab("Logs")
    line = ui.message(VANISHED)
    camera.window("failed", until=line)
    return line.inner_text()


def _cleared(ui: Ui, camera: Camera) -> str:
    """Press Clear and confirm; returns what the dialog says will run again."""
    dialog = ui.open_clear()
    text = dialog.inner_text()
    camera.dialog("clear", dialog)
    ui.confirm(dialog)
    return text


def _succeeded(ui: Ui, camera: Camera) -> tuple[dict[str, Any], dict[str, str]]:
    """The record that the task returned, and where the links lead now."""
    ui.open_tab("Storage", "XCom")
    result = ui.copied_xcom("return_value")
    camera.window("result")
    ui.open_tab("Details")
    ui.reload()  # the page keeps the links of the first attempt
    return result, ui.links(*LINKS)
