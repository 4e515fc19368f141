"""Threads of a program that edits."""

from __future__ import annotations

import cv2
from threadpoolctl import threadpool_limits


def limit_threads() -> None:
    """Switch the thread pools of OpenCV and of numpy's BLAS off for this process. Call it once, in a program's main.

    An edit has threads of its own for decoding, rendering and encoding; further ones would only compete with them.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, "blas")
