"""Keeping freed memory: scenes allocate and free the same few megabytes thousands of times."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt's names for them, malloc.h
KEPT_BYTES = 128 * 1024 * 1024


def keep_freed_memory() -> None:
    """Let this process keep what it frees, up to 128 MB, instead of giving it back at once.

    By default glibc maps larger blocks anew each time, and the kernel clears each page of them:
    a fifth of the time of mixing scenes. Does nothing where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
