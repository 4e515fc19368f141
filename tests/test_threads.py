"""An edit has threads of its own; those of OpenCV and BLAS would only stand in their way."""

from __future__ import annotations

import cv2
from threadpoolctl import threadpool_info

from asccl import Editor


def test_an_editor_leaves_no_threads_to_opencv_and_blas():
    Editor()
    assert cv2.getNumThreads() == 1
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
