"""An edit has threads of its own; those of OpenCV and BLAS would only compete with them."""

from __future__ import annotations

import subprocess
import sys

import cv2
import pytest
from media import ROOT
from threadpoolctl import threadpool_info

from asccl.editing.threads import limit_threads

COUNT = "import cv2; before = cv2.getNumThreads(); {code}; assert cv2.getNumThreads() == before"


@pytest.fixture(autouse=True)
def limited() -> None:
    limit_threads()


def test_opencv_is_left_one_thread():
    assert cv2.getNumThreads() == 1


def test_blas_is_left_one_thread():
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_an_editor_alone_leaves_the_threads_of_the_process_as_they_are():
    code = COUNT.format(code="from asccl import Editor; Editor()")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
