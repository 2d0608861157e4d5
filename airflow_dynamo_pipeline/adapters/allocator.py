"""The C library's allocator, told to keep memory together."""

from __future__ import annotations

import contextlib
import ctypes

M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_arena() -> None:
    """Let threads begun from now on allocate from one arena instead of one each.

    An arena keeps what its thread freed. Sixteen threads that read and write in turn kept some 50 MB more in
    arenas of their own; sharing one costs nothing that can be measured, because they take turns anyway.
    Does nothing where the C library is not glibc. It holds for the whole process, and a task has its own.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
