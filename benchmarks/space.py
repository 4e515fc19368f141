"""Run the app as a Space does: a fresh environment by its requirements.txt, no home, one port, one edit.

Builds the files that `python -m asccl publish space` would upload, installs their requirements for Python 3.12 (or
takes an environment that exists), starts the app as a Space does, and visits it. It needs the package index, some
minutes, and some gigabytes of disk where PyTorch's CPU build cannot be reached.

    python -m benchmarks.space [--python PYTHON] [--environment FOLDER] [--hardware cpu-basic] [--port N] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from asccl.publish.space import PYTHON_VERSION, build_space
from asccl.publish.upload import Upload
from benchmarks.report import print_rows

ROOT = Path(__file__).parent.parent
CLIP = "examples/rendered.mp4"
NO_HOME = "/dev/null/home"  # where nobody can write, not even root
SPACE_ID = "owner/asccl"
SHOW_VERSIONS = "import platform, torch; print(platform.python_version(), torch.__version__)"
MIB = 2**20
START_SECONDS = 180.0  # limit until the first page


@dataclass(frozen=True)
class Visit:
    """What a visitor of a Space experienced.

    Attributes:
        page_seconds: from the start of the program to the first page.
        edit_seconds: of one edit.
        edited: outputs of the edit, as text.
    """

    page_seconds: float
    edit_seconds: float
    edited: str


def write_files(upload: Upload, folder: Path) -> None:
    """Write the files of an upload into a folder."""
    for name, content in upload.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            shutil.copyfile(content, target)


@dataclass(frozen=True)
class RunningSpace:
    """A running app. log: what it prints."""

    url: str
    program: subprocess.Popen[bytes]
    log: IO[str]

    def check(self) -> None:
        """Raise RuntimeError where the app has ended."""
        if self.program.poll() is not None:
            self.log.seek(0)
            raise RuntimeError(f"the app ended with status {self.program.returncode}: {self.log.read()[-2000:]}")


def space_environment(port: int) -> dict[str, str]:
    """Return the variables of a Space without a home. port: that the app listens on."""
    settings = {"HOME": NO_HOME, "SPACE_ID": SPACE_ID, "SPACE_HOST": f"127.0.0.1:{port}"}
    return settings | {"GRADIO_SERVER_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def run_app(
    command: Sequence[str | Path], folder: Path, port: int, settings: Mapping[str, str]
) -> Iterator[RunningSpace]:
    """Run the app with a temporary folder of its own, and without the variables of this process.

    Args:
        command: that starts it.
        folder: its files.
        port: on which it listens.
        settings: its variables.

    Yields:
        The running app.

    Raises:
        RuntimeError: something else serves this port.
    """
    url = f"http://127.0.0.1:{port}/"
    if _has_page(url):
        raise RuntimeError(f"another program serves the port {port}")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "OMP_NUM_THREADS") if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="asccl-space-") as temporary, tempfile.TemporaryFile("w+") as log:
        environment = {**kept, **settings, "TMPDIR": temporary}
        program = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield RunningSpace(url, program, log)
        finally:
            program.terminate()
            program.wait(timeout=60)


def visit(space: RunningSpace, clip: Path, adapt: bool) -> Visit:
    """Open the first page and edit a clip.

    Args:
        space: the running app.
        clip: to edit.
        adapt: whether to fit the edit to the face.

    Returns:
        What happened.

    Raises:
        RuntimeError: the app ended, does not answer, or refused the edit.
    """
    start = time.monotonic()
    while not _has_page(space.url):
        space.check()
        if time.monotonic() - start > START_SECONDS:
            raise RuntimeError(f"there is no page after {START_SECONDS:.0f} seconds")
        time.sleep(0.25)
    page_seconds = time.monotonic() - start
    start = time.monotonic()
    edited = _edit(space.url, clip, adapt)
    return Visit(page_seconds, time.monotonic() - start, edited)


def _has_page(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60).is_success
    except httpx.TransportError:
        return False


def _edit(url: str, clip: Path, adapt: bool) -> str:
    """Edit by the endpoint of the page, as other programs do. Returns the outputs as text."""
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False, download_files=False)
    values: dict[str, Any] = {"source": handle_file(clip), "emotion": "happy", "reference": None}
    values |= {"adapt": adapt, "badge": True, "consent": True}
    return str(client.predict(api_name="/edit", **values))


def install(python: str, environment: Path, requirements: Path) -> float:
    """Create an environment and install requirements.

    Args:
        python: interpreter.
        environment: folder to create.
        requirements: file.

    Returns:
        Seconds.
    """
    start = time.monotonic()
    subprocess.run([python, "-m", "venv", environment], check=True)
    pip: list[str | Path] = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", requirements], check=True)
    return time.monotonic() - start


def find_python() -> str:
    """Find an interpreter of the Space's version. Raises SystemExit where there is none."""
    folders = sorted((Path.home() / ".pyenv" / "versions").glob(f"{PYTHON_VERSION}*/bin/python{PYTHON_VERSION}"))
    candidates = [shutil.which(f"python{PYTHON_VERSION}"), *map(str, folders)]
    for interpreter in filter(None, candidates):  # the first may be a shim of pyenv for a version that is not chosen
        if subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode == 0:
            return interpreter
    raise SystemExit(f"there is no Python {PYTHON_VERSION}: name one with --python")


def main() -> int:
    """Build, install, start and visit; print a row. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help=f"interpreter; default: Python {PYTHON_VERSION}")
    parser.add_argument("--environment", type=Path, help="an environment that exists, instead of a fresh one")
    parser.add_argument("--hardware", default="cpu-basic", help="the Hub's name of it; default: cpu-basic")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--json", type=Path, help="append the row to this file as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asccl-space-") as temporary:
        folder, environment = Path(temporary) / "space", arguments.environment or Path(temporary) / "environment"
        upload = build_space(SPACE_ID, arguments.hardware, ROOT)
        write_files(upload, folder)
        row: dict[str, float | str] = {
            "files": len(upload.files),
            "size, MB": sum(upload.sizes().values()) / MIB,
        }
        if arguments.environment is None:
            seconds = install(arguments.python or find_python(), environment, folder / "requirements.txt")
            row |= {"installation, s": seconds, "environment, MB": folder_size(environment) / MIB}
        python = environment / "bin" / "python"
        row["python, torch"] = subprocess.check_output([python, "-c", SHOW_VERSIONS], text=True).strip()
        command, settings = [python, "app.py"], space_environment(arguments.port)
        with run_app(command, folder, arguments.port, settings) as running:
            result = visit(running, ROOT / CLIP, adapt=True)
        row |= {"first page, s": result.page_seconds, "edit, s": result.edit_seconds}
    print_rows("space", row, arguments.json)
    return 0


def folder_size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    sys.exit(main())
