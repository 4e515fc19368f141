"""How fast a whole edit is: against decoding and encoding the same clip, and against a NED-sized renderer.

Everything is measured in one run on one machine, so that the ratios hold where the seconds do not. The passes take
turns: copy, edit, copy, edit, copy; then the renderer. Medians count.

    python -m benchmarks edit [--clip FILE]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.report import tell
from benchmarks.talking import talking_clip

SIZE, SECONDS = (1280, 720), 10.0
COPIES, EDITS, FORWARDS = 3, 2, 3


def copy(source: Path, target: Path) -> float:
    """Seconds to decode a clip to RGB and to encode it again, as an edit does it; the sound is copied."""
    from asccl.video import Reader, open_writer

    start = time.perf_counter()
    with Reader(source) as reader, open_writer(target, reader.info, source) as writer:
        for frame in reader:
            writer.write(frame)
    return time.perf_counter() - start


def forward_seconds() -> float:
    """Of one frame through the NED-sized renderer, on all cores."""
    import torch

    from benchmarks.renderer import MAPS, PREVIOUS, SIDE, build

    net = build()
    maps, previous = torch.rand(1, MAPS, SIDE, SIDE), torch.rand(1, PREVIOUS, SIDE, SIDE)
    times = []
    with torch.inference_mode():
        for _ in range(1 + FORWARDS):  # the first one warms up
            start = time.perf_counter()
            net(maps, previous)
            times.append(time.perf_counter() - start)
    return median(times[1:])


def measure(clip: Path, folder: Path) -> dict[str, float | str]:
    from asccl import EditRequest, Editor
    from asccl.video import probe

    info = probe(clip)
    editor = Editor()
    request = EditRequest(clip, folder / "edited.mp4", emotion="happy")
    copies, edits, reports = [], [], []
    warm = EditRequest(clip, folder / "edited.mp4", emotion="happy", end=0.5)
    editor.preview(warm, 0.1)  # loads networks and head, which a server does once
    for turn in range(COPIES):
        copies.append(copy(clip, folder / "copy.mp4"))
        if turn < EDITS:
            start = time.perf_counter()
            reports.append(editor.edit(request).report)
            edits.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before the renderer takes its share
    frames = reports[0]["frames"]["total"]
    decode_encode, edit, forward = median(copies), median(edits), forward_seconds()
    rows: dict[str, float | str] = {
        "clip": f"{info.width} x {info.height}, {frames} frames, {reports[0]['frames']['edited']} edited",
        "decode and encode, ms a frame": 1000 * decode_encode / frames,
        "whole edit, ms a frame": 1000 * edit / frames,
        "NED-sized renderer, one forward pass, ms": 1000 * forward,
        "whole edit / decode and encode (at most 2.5)": edit / decode_encode,
        "NED-sized renderer / whole edit, per frame (at least 50)": forward / (edit / frames),
        "peak memory of the edits, MiB": peak,
    }
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
