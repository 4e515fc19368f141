"""Trainings in processes of their own, as people run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from media import ROOT


def start_module(module: str, *arguments: str, processes: int = 1, **options: object) -> subprocess.Popen:
    """Start `python -m MODULE`, with more than one process as `accelerate launch` does. options: of `Popen`."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, module, *arguments], cwd=ROOT, env=environment, text=True, **pipes | options)


def run_module(module: str, *arguments: str, processes: int = 1) -> subprocess.CompletedProcess:
    """Run `python -m MODULE` to its end, whatever its exit status."""
    process = start_module(module, *arguments, processes=processes)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def read_log(folder: Path) -> list[dict]:
    """Read the complete lines of the log in the output folder of a training."""
    log = folder / "log.jsonl"
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
