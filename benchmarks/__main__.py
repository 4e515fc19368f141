"""Runs benchmarks, each in a process of its own: `python -m benchmarks [NAME ...] [--clip FILE] [--json FILE]`.

import   CPU seconds of `import asccl`
edit     whole edits, at 720p and 256 pixels, against decoding and encoding, and against a NED-sized renderer
memory   peak memory and cost per frame, from 10 seconds to 10 minutes
study    100 participants at once on the study pages, the server killed in the middle
study-statistics  coverage and false alarms of a study's statistics over simulated studies; takes long
nets     the two bundled networks: `python benchmarks/nets.py --help` for what more it can measure
asccl-loss  what the ASCCL loss costs in a training, beside its backbone alone
mouth    what it is for: how far the mouth goes astray without it
synthetic  what a synthetic pair costs, and whether the networks take made-up people for people
iresnet  what folding the batch normalisation of the paper's backbone saves
correlation  what it costs to compare two videos; `python -m benchmarks.correlation --alignment` for how to lay them
neural   NED's renderer: what a frame costs, and whether its rim shows
manipulator  NED's manipulator against presets, where the true answer is known
ned-cost  what the ASCCL term costs in a training of NED, and how hard it pulls, at both levels
renderer  NED's renderer, taught for minutes: held-out frames; `python -m benchmarks.renderer VIDEO ...` for videos
prepare  what it costs to prepare a video for trainings, in one process and in two
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NAMES = {
    "import": "start_up",
    "edit": "edit",
    "memory": "memory",
    "nets": "nets",
    "asccl-loss": "asccl_loss",
    "mouth": "mouth",
    "synthetic": "synthetic",
    "iresnet": "iresnet",
    "correlation": "correlation",
    "study": "study",
    "study-statistics": "study_statistics",
    "manipulator": "manipulator",
    "renderer": "renderer",
    "prepare": "prepare",
    "neural": "neural",
    "ned-cost": "ned_cost",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them, in this order")
    parser.add_argument("--clip", type=Path, help="talking clip for `edit`; default: made on the spot")
    parser.add_argument("--json", type=Path, help="append the JSON lines to this file, too")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}; choose from {', '.join(NAMES)}")
    status = 0
    for name in arguments.names or NAMES:
        command = [sys.executable, "-m", f"benchmarks.{NAMES[name]}"]
        if name == "edit" and arguments.clip:
            command += ["--clip", str(arguments.clip)]
        if arguments.json:
            command += ["--json", str(arguments.json)]
        print(f"== {name}", flush=True)
        status = max(status, subprocess.run(command, cwd=Path(__file__).parent.parent, check=False).returncode)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
