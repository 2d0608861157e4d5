"""``dynamo-pipeline spark-bundle``: files for machines that run Spark jobs and fetch nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from airflow_dynamo_pipeline.cli.output import Output
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem
from airflow_dynamo_pipeline.spark.bundle import EXTRAS, Target, dependencies_zip, job_file, package_zip


@click.command("spark-bundle")
@click.option("--output", help="Folder to write the files to; made if it is not there.", metavar="FOLDER")
@click.option("--python", default=Target().python, show_default=True, help="Version of the cluster's Python.")
@click.option(
    "--platform", default=Target().platform, show_default=True, help="Platform tag of wheels for the cluster."
)
@click.option(
    "--extra", "extras", multiple=True, help=f"Also for this extra: {', '.join(EXTRAS)}; may be repeated."
)
def command(*, output: str | None, python: str, platform: str, extras: Sequence[str]) -> None:
    """Make the files of a Spark job: the package, its dependencies for another machine, the job's file.

    \b
    dynamo-pipeline spark-bundle --output bundle --python 3.11 --platform manylinux2014_x86_64
    """  # noqa: D301  \b is click's mark for text to leave alone
    if output is None:
        hint = "name a folder: --output bundle"
        raise InvalidRequest([Problem("output", "is missing", hint)])
    folder = Path(output)
    bundles = {
        "package": package_zip(),
        "dependencies": dependencies_zip(Target(python=python, platform=platform), extras),
        "job": job_file(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for bundle in bundles.values():
        (folder / bundle.name).write_bytes(bundle.body)
    Output().result("made", {name: str(folder / bundle.name) for name, bundle in bundles.items()})
