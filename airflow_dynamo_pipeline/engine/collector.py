"""Python's cyclic garbage collector, kept from walking what it cannot free; and free memory given back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 20_000  # between two collections: a page or a window makes thousands, and no cycles


class _Usual:
    """The collector's settings as they were before the first of those who are at work changed them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0
        self._thresholds = gc.get_threshold()

    def leave(self) -> None:
        """The first who comes changes them."""
        with self._lock:
            self._at_work += 1
            if self._at_work == 1:
                self._thresholds = gc.get_threshold()
                gc.freeze()
                gc.set_threshold(max(NEW_OBJECTS, self._thresholds[0]), *self._thresholds[1:])

    def come_back(self) -> None:
        """The last who goes puts them back."""
        with self._lock:
            self._at_work -= 1
            if self._at_work == 0:
                gc.set_threshold(*self._thresholds)
                gc.unfreeze()


_usual = _Usual()


@contextmanager
def old_objects_set_aside() -> Iterator[None]:
    """Collect only what is made from now on; at the end all objects are the collector's again.

    An Airflow process holds half a million objects, and each page makes the collector look at them:
    a thirtieth of an export's CPU (measured by ``make bench``). May be used by several threads, and within
    itself.
    """
    _usual.leave()
    try:
        yield
    finally:
        _usual.come_back()


def give_free_memory_back() -> None:
    """Let the system have what this process has freed: a step that follows another begins small.

    It costs some milliseconds. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
