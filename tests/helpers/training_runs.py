"""Trainings in processes of their own, as people run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from media import ROOT

# Runs a module, and kills its process when it opens a file of this name for the COUNTth time to append to it.
KILLED_WHEN_IT_APPENDS = """
import os, runpy, signal, sys
name, count, *sys.argv = sys.argv[1:]
paths = []

def kill(event, arguments):
    if event == "open" and arguments[1] == "a" and os.path.basename(str(arguments[0])) == name:
        paths.append(arguments[0])
        if len(paths) == int(count):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def start_module(module: str, *arguments: str, processes: int = 1, **options: object) -> subprocess.Popen:
    """Start `python -m MODULE`, with more than one process as `accelerate launch` does. options: of `Popen`."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, module, *arguments], cwd=ROOT, env=_environment(), text=True, **pipes | options)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def run_module(module: str, *arguments: str, processes: int = 1) -> subprocess.CompletedProcess:
    """Run `python -m MODULE` to its end, whatever its exit status."""
    process = start_module(module, *arguments, processes=processes)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def run_killed_module(module: str, *arguments: str, file: str, count: int) -> int:
    """Run `python -m MODULE` until it is killed, in the middle of its work however fast that is.

    Args:
        module: its name.
        arguments: of the program.
        file: name of a file, to which it appends before and after.
        count: how often it appends to the file, the last time in vain.

    Returns:
        The exit status, -9 unless it ended earlier.
    """
    command = [sys.executable, "-c", KILLED_WHEN_IT_APPENDS, file, str(count), module, *arguments]
    process = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True)
    return process.returncode


def read_log(folder: Path) -> list[dict]:
    """Read the complete lines of the log in the output folder of a training."""
    log = folder / "log.jsonl"
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
