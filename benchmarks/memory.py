"""Measure whether memory and cost per frame stay constant with the length of a video. Each length has its own process.

python -m benchmarks.memory [--seconds 10 30 600]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import print_rows
from benchmarks.talking import talking_clip

SIZE = 256, 256  # pixels; small, so that an edit of ten minutes of video takes minutes
LENGTHS = (10.0, 30.0, 600.0)  # seconds
BASE_LENGTH = 30.0  # seconds; peak memory is compared to that of this length
PROGRAM = """
import json, resource, sys, time
from asccl import EditRequest, Editor
from asccl.editing.threads import limit_threads

source, output = sys.argv[1:]
limit_threads()
editor = Editor()
request = EditRequest(source, output, emotion="happy")
editor.preview(request, 0.1)  # loads networks and head
start = time.perf_counter(), time.process_time()
report = editor.edit(request).report
elapsed = time.perf_counter() - start[0], time.process_time() - start[1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([report["frames"]["total"], *elapsed, peak]))
"""


class EditCost(NamedTuple):
    """Cost of one edit. seconds: wall-clock. cpu: processor seconds. peak_memory: of the process, MiB."""

    frames: int
    seconds: float
    cpu: float
    peak_memory: float


def measure(clip: Path, output: Path) -> EditCost:
    """Edit a clip in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, str(clip), str(output)]
    root = Path(__file__).parent.parent
    process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return EditCost(*json.loads(process.stdout.splitlines()[-1]))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=LENGTHS, help="lengths of the videos")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    rows: dict[str, float | str] = {}
    costs: dict[float, EditCost] = {}
    with tempfile.TemporaryDirectory() as folder:
        for length in arguments.seconds:
            clip = talking_clip(Path(folder) / f"{length:g}.mp4", *SIZE, length)
            costs[length] = cost = measure(clip, Path(folder) / "edited.mp4")
            rows[f"{length:g} s: ms a frame"] = 1000 * cost.seconds / cost.frames
            rows[f"{length:g} s: CPU ms a frame"] = 1000 * cost.cpu / cost.frames
            rows[f"{length:g} s: peak memory, MiB"] = cost.peak_memory
            print(f"  {length:g} s: {cost.frames} frames done", flush=True)
    shortest, longest = min(costs), max(costs)
    base = BASE_LENGTH if BASE_LENGTH in costs else shortest
    memory_ratio = costs[longest].peak_memory / costs[base].peak_memory
    cpu_ratio = (costs[longest].cpu / costs[longest].frames) / (costs[shortest].cpu / costs[shortest].frames)
    rows[f"peak memory, {longest:g} s / {base:g} s (at most 1.1)"] = memory_ratio
    rows[f"CPU a frame, {longest:g} s / {shortest:g} s (about 1)"] = cpu_ratio
    print_rows("memory", rows, arguments.json)


if __name__ == "__main__":
    main()
