"""What is installed; on a leg of the matrix that is the wheel itself."""

from importlib.metadata import distribution
from importlib.resources import files

import airflow_dynamo_pipeline


def test_one_wheel_is_for_every_python_3_and_every_platform() -> None:
    lines = (distribution("airflow-dynamo-pipeline").read_text("WHEEL") or "").splitlines()

    assert ["Tag: py3-none-any"] == [line for line in lines if line.startswith("Tag:")]
    assert "Root-Is-Purelib: true" in lines


def test_its_metadata_carries_the_packages_version() -> None:
    assert airflow_dynamo_pipeline.__version__ == distribution("airflow-dynamo-pipeline").version


def test_it_carries_the_list_of_prices() -> None:
    assert files("airflow_dynamo_pipeline.engine").joinpath("prices.json").is_file()
