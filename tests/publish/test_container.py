"""The Containerfile: linted, complete, and made of steps that `python -m benchmarks.container` repeats."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from media import ROOT

from asccl.publish.space import FILES, FOLDERS, PYTHON_VERSION
from benchmarks.container import FILE, PORT, ContainerImage, copy_files, read_image

TEXT = FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def image() -> ContainerImage:
    pytest.importorskip("dockerfile_parse", reason="it comes with the extra dev")
    return read_image(TEXT)


def test_hadolint_has_no_complaint() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("hadolint comes with the extra dev")
    done = subprocess.run([program, "--no-color", str(FILE)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_what_is_copied_is_tracked(image: ContainerImage, tmp_path: Path) -> None:
    assert copy_files(image, tmp_path) > 300
    assert (tmp_path / "checkpoints" / "scc-mobilefacenet.safetensors").exists()


def test_nothing_is_copied_that_a_space_lacks_but_the_lock_file(image: ContainerImage) -> None:
    assert set(image.copied) - {*FILES, *FOLDERS} == {f"requirements-{PYTHON_VERSION}.lock"}


def test_every_copied_file_is_let_through_and_renderers_are_not(image: ContainerImage) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(image.copied)
    assert "checkpoints/renderers" in lines


def test_the_versions_are_those_of_the_lock_file_for_the_python_of_the_image(image: ContainerImage) -> None:
    assert f"python:{PYTHON_VERSION}-slim" in TEXT
    (call,) = image.pip
    assert call[call.index("--constraint") + 1] == f"requirements-{PYTHON_VERSION}.lock"
    assert call[call.index("--requirement") + 1] == "requirements.txt"


def test_the_app_runs_as_an_ordinary_user_on_the_documented_port(image: ContainerImage) -> None:
    assert image.command == ["python", "app.py", "--host", "0.0.0.0", "--port", PORT]
    lines = TEXT.splitlines()
    assert lines.index("USER 1000") < lines.index(f"EXPOSE {PORT}")
    assert f":{PORT}/" in image.health[-1]


@pytest.mark.parametrize("step", ["ADD a b", "RUN curl x", "ENTRYPOINT x"])
def test_a_step_that_the_benchmark_cannot_repeat_is_refused(image: ContainerImage, step: str) -> None:
    with pytest.raises(ValueError, match="the benchmark cannot repeat"):
        read_image(f"FROM x\n{step}\n")
