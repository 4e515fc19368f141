"""Modules import only from lower layers, and the installed packages fit each other."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import pytest
from media import ROOT


def test_imports_keep_to_the_layers() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    assert linter.exists(), "import-linter is not installed: pip install -e .[dev]"
    done = subprocess.run(
        [str(linter), "--no-cache", "--no-logo"], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept" in done.stdout
    assert "0 broken" in done.stdout


def test_all_opencv_packages_are_of_one_version() -> None:
    """They share the folder `cv2`, so the one that was installed last wins: MediaPipe brings opencv-contrib-python,
    insightface opencv-python."""
    versions = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"].startswith("opencv")}
    assert "opencv-contrib-python" in versions
    assert len(set(versions.values())) == 1, versions

    import cv2

    assert next(iter(versions.values())).startswith(cv2.__version__)


def test_requirements_are_installed_as_pinned() -> None:
    for line in (ROOT / "requirements.txt").read_text().split():
        name, pinned, number = line.partition("==")
        if pinned:
            try:
                assert version(name) == number
            except PackageNotFoundError:
                pytest.fail(f"{name} is not installed: pip install -r requirements.txt")


def test_every_media_file_is_opened_by_the_guarded_functions() -> None:
    """`asccl.video.container` limits FFmpeg to the file itself: no protocol in a name, no reference to others."""
    sources = [path for folder in ("asccl", "training", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    opened = {path.relative_to(ROOT).as_posix() for path in sources if "av.open(" in path.read_text(encoding="utf-8")}
    assert opened == {"asccl/video/container.py", "asccl/video/animation.py"}, "the latter writes to memory"
