"""What `pip install .` gives: one wheel that works from any folder."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from media import ROOT

from asccl.hub import WEIGHTS

pytest.importorskip("hatchling", reason="the build backend comes with the extra dev")


def run(*command: object, folder: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--no-build-isolation", "-w", folder, folder=folder)
    return next(folder.glob("asccl-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that sees the dependencies of this one, but not this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel, folder=folder)
    Path(paths["purelib"], "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"


def test_the_wheel_holds_weights_examples_pages_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"asccl/checkpoints/{weight.file}" for weight in WEIGHTS.values()} | {
        *("asccl/py.typed", "asccl/examples/astronaut.mp4", "asccl/ui/styles/theme.css"),
        *("asccl/study/texts/en.toml", "asccl/study/web/templates/trial.html"),
    }
    assert expected - names == set()


def test_nobodys_own_renderer_slips_into_the_wheel(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("asccl/checkpoints/")}
    assert held - {f"asccl/checkpoints/{weight.file}" for weight in WEIGHTS.values()} == {"asccl/checkpoints/README.md"}


def test_the_installed_package_is_not_this_checkout(installed: Path, tmp_path: Path) -> None:
    place = Path(run(installed / "python", "-c", "import asccl; print(asccl.__file__)", folder=tmp_path).strip())
    assert installed.parent in place.parents


def test_the_installed_command_edits_from_another_folder(installed: Path, tmp_path: Path) -> None:
    clip, report = ROOT / "examples" / "rendered.mp4", tmp_path / "report.json"
    run(installed / "asccl", "edit", clip, "--emotion", "happy", "-o", "happy.mp4", "--json", report, folder=tmp_path)
    assert json.loads(report.read_text())["frames"]["edited"] > 0


def test_the_installed_app_finds_its_examples(installed: Path, tmp_path: Path) -> None:
    code = "from asccl.ui.examples import EXAMPLES; print([e.path for e in EXAMPLES if not e.path.exists()])"
    assert run(installed / "python", "-c", code, folder=tmp_path).splitlines()[-1] == "[]"
