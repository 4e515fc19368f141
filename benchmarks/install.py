"""Measure how long a fresh installation takes and how large it is, and edit once from another folder.

    python -m benchmarks.install [--wheel FILE] [--python PYTHON] [--torch FILE|INDEX] [--locked] [--json FILE]

Without --wheel it builds one. --torch installs PyTorch first, from a wheel or an index of wheels, as on a machine
without a GPU; otherwise pip takes the default build of the package index.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import print_rows
from benchmarks.space import CLIP, MIB, NO_HOME, ROOT, SHOW_VERSIONS, folder_size

GPU_FOLDERS = ("nvidia", "triton")


def run(*command: str | Path, folder: Path, **environment: str) -> tuple[float, str]:
    """Run a program.

    Args:
        command: the program and its arguments.
        folder: in which it runs.
        environment: further variables.

    Returns:
        Seconds, and what it prints.

    Raises:
        RuntimeError: it fails.
    """
    start = time.monotonic()
    settings = {**os.environ, **environment}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout)[-2000:]}")
    return time.monotonic() - start, done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", folder, ROOT, folder=folder)
    return next(folder.glob("asccl-*.whl"))


def measure(python: str, wheel: Path, torch: str | None, is_locked: bool, folder: Path) -> dict[str, float | str]:
    """Install a wheel into a fresh environment, and edit from another folder without a home.

    Args:
        python: interpreter.
        wheel: to install.
        torch: wheel or index of PyTorch; None for the default build.
        is_locked: whether to install the tested versions.
        folder: an empty one.

    Returns:
        Seconds and MB.
    """
    environment, elsewhere = folder / "environment", folder / "elsewhere"
    elsewhere.mkdir()
    row: dict[str, float | str] = {"wheel, MB": wheel.stat().st_size / MIB}
    seconds, _ = run(python, "-m", "venv", environment, folder=folder)
    pip: list[str | Path] = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    if is_locked:
        _, version = run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", folder=folder)
        pip += ["--constraint", ROOT / f"requirements-{version.strip()}.lock"]
    if torch is not None:
        source = [torch] if torch.endswith(".whl") else ["torch", "--index-url", torch]
        seconds += run(*pip, *source, folder=folder)[0]
    seconds += run(*pip, wheel, folder=folder)[0]
    packages = next((environment / "lib").glob("python*/site-packages"))
    row |= {"installation, s": seconds, "environment, MB": folder_size(environment) / MIB}
    row["of it GPU libraries, MB"] = sum(folder_size(packages / name) for name in GPU_FOLDERS) / MIB
    row["of it PyTorch, MB"] = folder_size(packages / "torch") / MIB
    row["of it weights and examples, MB"] = sum(
        folder_size(packages / "asccl" / name) / MIB for name in ("checkpoints", "examples")
    )
    row["python, torch"] = run(environment / "bin" / "python", "-c", SHOW_VERSIONS, folder=elsewhere)[1].strip()
    edit: list[str | Path] = [
        environment / "bin" / "asccl",
        "edit",
        ROOT / CLIP,
        "--emotion",
        "happy",
        "-o",
        "happy.mp4",
    ]
    for label in ("first edit, s", "second edit, s"):
        row[label], _ = run(*edit, "--json", "report.json", folder=elsewhere, HOME=NO_HOME)
    report = json.loads((elsewhere / "report.json").read_text())
    row["frames edited"] = report["frames"]["edited"]
    return row


def main() -> int:
    """Install and edit; print a row. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="default: built from this checkout")
    parser.add_argument("--python", default=sys.executable, help="default: that of this environment")
    parser.add_argument("--torch", metavar="FILE|INDEX", help="wheel or index of another build of PyTorch")
    parser.add_argument("--locked", action="store_true", help="install the versions of the lock file")
    parser.add_argument("--json", type=Path, help="append the row to this file as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asccl-install-") as temporary:
        folder = Path(temporary)
        wheel = (options.wheel or build_wheel(folder)).resolve()
        row = measure(options.python, wheel, options.torch, options.locked, folder)
    print_rows("install", row, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
