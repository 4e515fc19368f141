"""Let the C library return freed memory to the system, so that a server does not grow while it works."""

from __future__ import annotations

import ctypes
import platform

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # numbers of these settings in malloc.h of glibc
MMAP_THRESHOLD = 2**20  # bytes; a frame in 8 bits has about as many, arrays of floats have more
MAX_ARENAS = 2


def limit_fragmentation() -> None:
    """Make glibc, the C library of most Linux systems, keep less freed memory. Call it once, in a program's main.

    By default, glibc takes arrays of up to 32 MiB from heaps, of which each thread gets its own. Threads that come and
    go, each with images of several MB, leave these heaps half empty, and the process grows although its data do not.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)
        mallopt(M_ARENA_MAX, MAX_ARENAS)
