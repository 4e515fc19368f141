"""The app returns freed memory to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FREE_BEHIND_ANOTHER_BLOCK = """
import ctypes, sys
from asccl.ui.memory import limit_fragmentation
if "limited" in sys.argv:
    limit_fragmentation()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
class Usage(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena a b c mapped d e used free f".split()]
libc.mallinfo2.restype = Usage
libc.free(libc.malloc(30 * 2**20))  # glibc takes further blocks of this size from a heap
blocks = [libc.malloc(20 * 2**20) for _ in range(4)]
for block in blocks[:3]:
    libc.free(block)
print(libc.mallinfo2().free)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
@pytest.mark.parametrize(("argument", "is_kept"), [("limited", False), ("", True)])
def test_freed_memory_is_returned_to_the_system(argument, is_kept):
    command = [sys.executable, "-c", FREE_BEHIND_ANOTHER_BLOCK, argument]
    kept = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (kept > 50 * 2**20) == is_kept
