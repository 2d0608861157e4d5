"""Python's cyclic garbage collector, kept from walking what it cannot free; and free memory given back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 20_000  # between two collections: a page or a window makes thousands, and no cycles


@contextmanager
def old_objects_set_aside() -> Iterator[None]:
    """Collect only what is made from now on; at the end all objects are the collector's again.

    An Airflow process holds half a million objects, and each page makes the collector look at them:
    a thirtieth of an export's CPU (measured by ``make bench``).
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(NEW_OBJECTS, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def give_free_memory_back() -> None:
    """Let the system have what this process has freed: a step that follows another begins small.

    It costs some milliseconds. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
