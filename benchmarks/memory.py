"""Whether memory and cost per frame stay the same however long the video is. Each length has a process of its own.

python -m benchmarks.memory [--seconds 10 30 600]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import print_rows
from benchmarks.talking import talking_clip

SIZE = 256, 256  # small, so that ten minutes of video take minutes
LENGTHS = (10.0, 30.0, 600.0)  # seconds
CODE = """
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
spent = time.perf_counter() - start[0], time.process_time() - start[1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([report["frames"]["total"], *spent, peak]))
"""


def measure(clip: Path, output: Path) -> tuple[int, float, float, float]:
    """Frames, seconds, CPU seconds and peak MiB of one edit."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(clip), str(output)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    frames, seconds, cpu, peak = json.loads(done.stdout.splitlines()[-1])
    return frames, seconds, cpu, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=LENGTHS, help="lengths to try")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    rows: dict[str, float | str] = {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for length in arguments.seconds:
            clip = talking_clip(Path(folder) / f"{length:g}.mp4", *SIZE, length)
            found[length] = frames, seconds, cpu, peak = measure(clip, Path(folder) / "edited.mp4")
            rows[f"{length:g} s: ms a frame"] = 1000 * seconds / frames
            rows[f"{length:g} s: CPU ms a frame"] = 1000 * cpu / frames
            rows[f"{length:g} s: peak memory, MiB"] = peak
            print(f"  {length:g} s: {frames} frames done", flush=True)
    shortest, longest = min(found), max(found)
    base = 30.0 if 30.0 in found else shortest
    rows[f"peak memory, {longest:g} s / {base:g} s (at most 1.1)"] = found[longest][3] / found[base][3]
    rows[f"CPU a frame, {longest:g} s / {shortest:g} s (about 1)"] = (found[longest][2] / found[longest][0]) / (
        found[shortest][2] / found[shortest][0]
    )
    print_rows("memory", rows, arguments.json)


if __name__ == "__main__":
    main()
