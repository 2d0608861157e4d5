"""A stop that is heard while a database works: the statement under way is cancelled."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, Final, TypeVar

from airflow_dynamo_pipeline.adapters.sql_errors import sql_errors
from airflow_dynamo_pipeline.errors import Stopped

T = TypeVar("T")

LOOK_SECONDS: Final = 0.2  # between looks at the stop, and between cancels of a statement that goes on
LOOK_STEPS: Final = 10_000  # of SQLite's machine, likewise
SOCKETS: Final = ("_usock", "_sock")  # of redshift_connector; of pymysql: neither has a cancel


def asked(connection: Any, stop: threading.Event | None, doing: str, work: Callable[[], T]) -> T:
    """What ``work`` returns, which is one statement or fetch; raises a driver's errors as ours.

    Raises Stopped before it, and instead of it when ``stop`` is set meanwhile: then it is cancelled. It runs
    in a thread that has ended when this returns, because a driver written in C lets no handler of a signal
    run, which is what sets a stop. ``doing`` is for messages.
    """
    go_on(stop, doing)
    try:
        with sql_errors(doing):
            return work() if stop is None else _heard(connection, stop, work)
    except Exception as error:
        if stop is not None and stop.is_set():
            raise Stopped(f"told to stop while {doing}; the statement is cancelled") from error
        raise


def go_on(stop: threading.Event | None, doing: str) -> None:
    """Raise Stopped if it is time to."""
    if stop is not None and stop.is_set():
        raise Stopped(f"told to stop before {doing}")


def _heard(connection: Any, stop: threading.Event, work: Callable[[], T]) -> T:
    if hasattr(connection, "set_progress_handler"):  # of sqlite3, whose connections stay in their thread
        connection.set_progress_handler(stop.is_set, LOOK_STEPS)
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="sql") as pool:
        running = pool.submit(copy_context().run, work)
        try:
            while not stop.is_set() and wait([running], LOOK_SECONDS).not_done:
                pass
        finally:  # also where the handler of a signal raised
            while not running.done():  # a cancel that comes before the statement does nothing
                _cancel(connection)
                wait([running], LOOK_SECONDS)
        return running.result()


def _cancel(connection: Any) -> None:
    """Cancel what a connection does, or take the connection away where its driver has no cancel."""
    with contextlib.suppress(Exception):  # the connection may be gone, and the statement with it
        if callable(cancel := getattr(connection, "cancel", None)):
            cancel()
            return
        if not _shut(connection):
            connection.close()


def _shut(connection: Any) -> bool:
    """Shut a connection's socket where it can be had: it wakes who reads from it, which a close does not."""
    for name in SOCKETS:
        if isinstance(found := getattr(connection, name, None), socket.socket):
            found.shutdown(socket.SHUT_RDWR)
            return True
    if callable(number := getattr(connection, "fileno", None)):  # of mysqlclient, which a close would crash
        with socket.socket(fileno=os.dup(number())) as found:
            found.shutdown(socket.SHUT_RDWR)
        return True
    return False
