"""Repeat the steps of the Containerfile without a container, then start the app and edit once.

It refuses a step that it does not know, so that no step of the Containerfile goes unchecked. System packages must be
installed on this machine. The base image alone, and the separation of a container, are not tested here.

    python -m benchmarks.container [--environment FOLDER] [--python PYTHON] [--index URL] [--port N] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asccl.publish.checkout import tracked_files
from benchmarks.report import print_rows
from benchmarks.space import CLIP, MIB, ROOT, SHOW_VERSIONS, find_python, folder_size, run_app, visit

FILE = ROOT / "Containerfile"
DATA = "/data"  # the folder of an image that may be written
PORT = "7860"
CHECKED_ELSEWHERE = ("FROM", "EXPOSE", "USER", "VOLUME", "WORKDIR", "COMMENT")  # by hadolint and tests
SYSTEM_PROGRAMS = ("apt-get", "xargs", "rm", "useradd", "install")  # replaced by a look at what is installed


@dataclass
class ContainerImage:
    """What the steps of a Containerfile make.

    Attributes:
        arguments: values of ARG.
        copied: sources of COPY, relative to the project.
        pip: arguments of each call of pip.
        python: arguments of each other call of Python.
        environment: values of ENV.
        command: that starts the app.
        health: command of the health check.
    """

    arguments: dict[str, str] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)
    pip: list[list[str]] = field(default_factory=list)
    python: list[list[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def read_image(text: str) -> ContainerImage:
    """Read the steps of a Containerfile. Raises ValueError for one that this module cannot repeat."""
    from dockerfile_parse import DockerfileParser

    image = ContainerImage()
    for step in DockerfileParser(fileobj=io.BytesIO(text.encode())).structure:
        instruction, value = step["instruction"], step["value"]
        if instruction == "ARG":
            name, _, default = value.partition("=")
            image.arguments[name] = default
        elif instruction == "COPY":
            image.copied += value.split()[:-1]
        elif instruction == "ENV":
            image.environment |= dict(word.split("=", 1) for word in shlex.split(value))
        elif instruction == "CMD":
            image.command = json.loads(value)
        elif instruction == "HEALTHCHECK":
            image.health = json.loads(value.partition("CMD ")[2])
        elif instruction == "RUN":
            _read_run(image, value)
        elif instruction not in CHECKED_ELSEWHERE:
            raise ValueError(f"the benchmark cannot repeat {instruction}")
    return image


def _read_run(image: ContainerImage, value: str) -> None:
    """Sort the commands of a RUN step. Raises ValueError."""
    for command in value.split("&&"):
        program, *arguments = shlex.split(command)
        if program == "pip":
            image.pip.append(arguments)
        elif program == "python":
            image.python.append(arguments)
        elif program not in SYSTEM_PROGRAMS:
            raise ValueError(f"the benchmark cannot repeat `{command.strip()}`")


def copy_files(image: ContainerImage, folder: Path) -> int:
    """Copy the tracked files that an image gets. Returns their number. Raises ValueError for a source without files."""
    names = tracked_files(ROOT)
    count = 0
    for source in image.copied:
        chosen = [name for name in names if name == source or name.startswith(f"{source}/")]
        if not chosen:
            raise ValueError(f"COPY {source}: git tracks no such file")
        for name in chosen:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
        count += len(chosen)
    return count


def install(image: ContainerImage, python: str, environment: Path, folder: Path, arguments: Mapping[str, str]) -> float:
    """Create an environment and run the calls of pip in it.

    Args:
        image: with its steps.
        python: interpreter.
        environment: folder to create.
        folder: with the copied files.
        arguments: values of ARG; an empty index leaves the option out.

    Returns:
        Seconds.
    """
    start = time.monotonic()
    subprocess.run([python, "-m", "venv", environment], check=True)
    for call in image.pip:
        words = [arguments.get(word.strip("${}"), word) if word.startswith("$") else word for word in call]
        if "" in words:
            place = words.index("")
            del words[place - 1 : place + 1]
        subprocess.run([environment / "bin" / "pip", *words], cwd=folder, check=True)
    return time.monotonic() - start


def missing_packages(folder: Path) -> list[str]:
    """List the packages of packages.txt that this machine lacks."""
    names = (folder / "packages.txt").read_text(encoding="utf-8").split()
    return [name for name in names if subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode]


def main() -> int:
    """Repeat the steps; print a row. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, help="an environment that exists, instead of a fresh one")
    parser.add_argument("--python", help="interpreter; default: that of the Space")
    parser.add_argument("--index", help="instead of TORCH_INDEX; empty for none")
    parser.add_argument("--port", type=int, default=int(PORT))
    parser.add_argument("--json", type=Path, help="append the row to this file as well")
    options = parser.parse_args()
    image = read_image(FILE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="asccl-container-") as temporary:
        folder, data = Path(temporary) / "asccl", Path(temporary) / "data"
        environment = options.environment or Path(temporary) / "environment"
        data.mkdir()
        row: dict[str, float | str] = {"files": copy_files(image, folder), "files, MB": folder_size(folder) / MIB}
        row["missing packages"] = " ".join(missing_packages(folder)) or "none"
        if options.environment is None:
            index = {} if options.index is None else {"TORCH_INDEX": options.index}
            seconds = install(image, options.python or find_python(), environment, folder, image.arguments | index)
            row |= {"installation, s": seconds, "environment, MB": folder_size(environment) / MIB}
        python = environment / "bin" / "python"
        row["python, torch"] = subprocess.check_output([python, "-c", SHOW_VERSIONS], text=True).strip()
        for call in image.python:
            subprocess.run([python, *call], cwd=folder, check=True)
        settings = {name: value.replace(DATA, str(data)) for name, value in image.environment.items()}
        command, health = (
            [word.replace(PORT, str(options.port)) for word in words[1:]] for words in (image.command, image.health)
        )
        with run_app([python, *command], folder, options.port, settings | {"HOME": str(data)}) as running:
            result = visit(running, ROOT / CLIP, adapt=True)
            subprocess.run([python, *health], check=True)
        row |= {"first page, s": result.page_seconds, "edit, s": result.edit_seconds}
        row["kept"] = " ".join(sorted(path.name for path in data.iterdir()))
    print_rows("container", row, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
