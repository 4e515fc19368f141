"""How fast a whole edit is: against decoding and encoding the same clip, and against a NED-sized renderer.

Everything is measured in one run on one machine, so that the ratios hold where the seconds do not. The passes take
turns: copy, edit, copy; then the renderer. Medians count.

    python -m benchmarks edit [--clip FILE]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from asccl import Editor, EditRequest
from asccl.video import Reader, open_writer, probe
from benchmarks.report import cores, tell
from benchmarks.talking import talking_clip

SIZE, SECONDS = (1280, 720), 10.0
EDITS, FORWARDS = 1, 3
SIDE = 256  # of NED's pictures, pixels


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of the processor by all threads of this process: the latter bear a busy machine."""

    clock: float
    cpu: float


def timed(work: Callable[[], object]) -> Spent:
    start = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - start[0], time.process_time() - start[1])


def copy(source: Path, target: Path) -> None:
    """Decodes a clip to RGB and encodes it again, as an edit does it; the sound is copied."""
    with Reader(source) as reader, open_writer(target, reader.info, source) as writer:
        for frame in reader:
            writer.write(frame)


def forward(repeats: int = FORWARDS) -> list[Spent]:
    """One frame through an untaught renderer of NED's size, on one core or on all, whichever is faster just now."""
    import torch

    from asccl.nets.ned_renderer import CONDITIONS, FRAMES, PREVIOUS, Generator

    net = Generator().eval()
    conditions, previous = torch.rand(1, FRAMES * CONDITIONS, SIDE, SIDE), torch.rand(1, PREVIOUS * 3, SIDE, SIDE)
    tries = []
    with torch.inference_mode():
        for threads in sorted({1, cores()}):
            torch.set_num_threads(threads)
            net(conditions, previous)  # warms up
            tries.append([timed(lambda: net(conditions, previous)) for _ in range(repeats)])
    return min(tries, key=lambda spent: median(s.clock for s in spent))


def measure(clip: Path, folder: Path) -> dict[str, float | str]:
    info, editor = probe(clip), Editor()
    request = EditRequest(clip, folder / "edited.mp4", emotion="happy")
    editor.preview(request, 0.1)  # loads networks and head, which a server does once
    copies, edits, reports = [], [], []
    for turn in range(EDITS + 1):
        copies.append(timed(lambda: copy(clip, folder / "copy.mp4")))
        if turn < EDITS:
            edits.append(timed(lambda: reports.append(editor.edit(request).report)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before the renderer takes its share
    frames = reports[0]["frames"]["total"]
    forwards = forward()
    rows: dict[str, float | str] = {
        "clip": f"{info.width} x {info.height}, {frames} frames, {reports[0]['frames']['edited']} edited"
    }
    for kind, unit in (("clock", "ms"), ("cpu", "CPU ms")):
        copied, edited = (1000 * median(getattr(s, kind) for s in all_) / frames for all_ in (copies, edits))
        rendered = 1000 * median(getattr(s, kind) for s in forwards)
        rows |= {
            f"decode and encode, {unit} a frame": copied,
            f"whole edit, {unit} a frame": edited,
            f"NED-sized renderer, {unit} a frame": rendered,
            f"whole edit / decode and encode, by {kind} (at most 2.5)": edited / copied,
            f"NED-sized renderer / whole edit, by {kind} (at least 50)": rendered / edited,
            f"NED-sized renderer / decode and encode, by {kind} (floor)": rendered / copied,
        }
    rows["peak memory of the edits, MiB"] = peak
    for stage, seconds in reports[-1]["seconds"].items():
        rows[f"stage {stage}, ms a frame"] = 1000 * seconds / frames
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="a talking clip; default: 10 s at 720p, made on the spot")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = arguments.clip or talking_clip(Path(folder) / "talk.mp4", *SIZE, SECONDS)
        tell("edit", measure(clip, Path(folder)), arguments.json)


if __name__ == "__main__":
    main()
