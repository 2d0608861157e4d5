"""Signals and clients: what commands need around their work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import boto3
from botocore.exceptions import NoRegionError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.wiring import engine_config
from airflow_dynamo_pipeline.cli.output import Output


@contextmanager
def stopping_on_signals(
    stop: threading.Event, output: Output, ending: str = "closing open parts and writing the checkpoint"
) -> Iterator[None]:
    """Ctrl-C and SIGTERM set the event and say what comes; a second one ends the program as usual."""

    def end() -> None:
        stop.set()
        output.say(f"stopping: {ending}")

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        threading.Thread(target=end).start()  # the interrupted thread may hold the event's or stderr's lock

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def clients(profile: str | None, region_name: str | None) -> Callable[[str], Any]:
    """A function that makes a client for a service, by boto3's own configuration chain."""
    with translated("sts:AssumeRole", f"profile {profile or 'default'}"):
        session = boto3.Session(profile_name=profile, region_name=region_name)

    def client(service: str) -> Any:
        with translated(service, f"region {region_name or 'default'}"):
            if session.region_name == "":  # a variable that is set to nothing; botocore makes a host of it
                raise NoRegionError
            return session.client(service, config=engine_config(None))  # type: ignore[call-overload]

    return client
