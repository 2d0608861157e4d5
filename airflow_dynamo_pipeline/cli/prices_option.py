"""``--prices``: a file with prices of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from airflow_dynamo_pipeline.cli.options import Command, files
from airflow_dynamo_pipeline.engine.prices import PricesOf, prices_for, prices_from
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

Request = TypeVar("Request")


def prices_option(command: Command) -> Command:
    """Add ``--prices``."""
    return click.option(
        "--prices",
        metavar="FILE",
        help="JSON file with your own prices, put over AWS's list prices.",
        shell_complete=files,
    )(command)


def request_and_prices(make: Callable[[], Request], file: str | None) -> tuple[Request, PricesOf]:
    """A request and its prices; raises InvalidRequest with what is wrong with either."""
    problems: list[Problem] = []
    prices: PricesOf = prices_for
    try:
        prices = prices_from(file)
    except InvalidRequest as refused:
        problems += refused.problems
    try:
        request = make()
    except InvalidRequest as refused:
        raise InvalidRequest([*refused.problems, *problems]) from None
    if problems:
        raise InvalidRequest(problems)
    return request, prices
