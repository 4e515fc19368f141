"""How fast a whole edit is: against decoding and encoding the same clip, and against a NED-sized renderer.

Everything is measured in one run on one machine, so that the ratios hold where the seconds do not. The passes take
turns: copy, edit, copy; for a 720p clip, then for one of 256 pixels, NED's own size; then the renderer. Medians count.

A copy decodes and encodes and does nothing else. Until frames kept the decoder's own colours it went by way of RGB;
that is measured beside it, to compare with older numbers.

    python -m benchmarks edit [--clip FILE]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from asccl import Editor, EditRequest
from asccl.editing.threads import limit_threads
from asccl.video import Reader, open_writer, probe
from benchmarks.report import cores, print_rows
from benchmarks.talking import talking_clip

SIZES, SECONDS = ((1280, 720), (256, 256)), 10.0
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


def copy(source: Path, target: Path, rgb: bool = False) -> None:
    """Decodes a clip and encodes it again, with an edit's settings; the sound is copied. rgb: by way of RGB."""
    with Reader(source) as reader, open_writer(target, reader.info, source) as writer:
        for frame in reader:
            writer.write(replace(frame, pixels=frame.image) if rgb else frame)


def forward(repeats: int = FORWARDS) -> list[Spent]:
    """One frame through an untaught renderer of NED's size, on one core or on all, whichever is faster just now."""
    import torch

    from asccl.nets.ned_renderer import INPUT_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, Generator

    net = Generator().eval()
    conditions, previous = (
        torch.rand(1, INPUT_FRAMES * INPUT_CHANNELS, SIDE, SIDE),
        torch.rand(1, PREVIOUS_FRAMES * 3, SIDE, SIDE),
    )
    tries = []
    with torch.inference_mode():
        for threads in sorted({1, cores()}):
            torch.set_num_threads(threads)
            net(conditions, previous)  # warms up
            tries.append([timed(lambda: net(conditions, previous)) for _ in range(repeats)])
    return min(tries, key=lambda spent: median(s.clock for s in spent))


@dataclass(frozen=True)
class Passes:
    """What a clip cost. frames: of it. peak: MiB. stages: seconds of the edit."""

    clip: str
    frames: int
    copies: list[Spent]
    by_rgb: Spent
    edits: list[Spent]
    stages: dict[str, float]
    peak: float


def measure(clip: Path, folder: Path, editor: Editor) -> Passes:
    info = probe(clip)
    request = EditRequest(clip, folder / "edited.mp4", emotion="happy")
    editor.preview(request, 0.1)  # loads networks and head, which a server does once
    copies, edits, reports = [], [], []
    for turn in range(EDITS + 1):
        copies.append(timed(lambda: copy(clip, folder / "copy.mp4")))
        if turn < EDITS:
            edits.append(timed(lambda: reports.append(editor.edit(request).report)))
    by_rgb = timed(lambda: copy(clip, folder / "copy.mp4", rgb=True))
    frames = reports[0]["frames"]
    said = f"{info.width} x {info.height}, {frames['total']} frames, {frames['edited']} edited"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Passes(said, frames["total"], copies, by_rgb, edits, reports[-1]["seconds"], peak)


def rows(passes: Passes, forwards: list[Spent]) -> dict[str, float | str]:
    found: dict[str, float | str] = {"clip": passes.clip}
    for kind, unit in (("clock", "ms"), ("cpu", "CPU ms")):

        def frame(spent: list[Spent], of: int = passes.frames, kind: str = kind) -> float:
            return 1000 * median(getattr(s, kind) for s in spent) / of

        copied, edited, rendered = frame(passes.copies), frame(passes.edits), frame(forwards, 1)
        found |= {
            f"decode and encode, {unit} a frame": copied,
            f"decode and encode by way of RGB, {unit} a frame": frame([passes.by_rgb]),
            f"whole edit, {unit} a frame": edited,
            f"NED-sized renderer, {unit} a frame": rendered,
            f"whole edit / decode and encode, by {kind} (at most 2.5)": edited / copied,
            f"NED-sized renderer / whole edit, by {kind} (at least 50)": rendered / edited,
            f"NED-sized renderer / decode and encode, by {kind} (floor)": rendered / copied,
        }
    found["peak memory up to here, MiB"] = passes.peak
    return found | {f"stage {s}, ms a frame": 1000 * spent / passes.frames for s, spent in passes.stages.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--clip", type=Path, help="a talking clip; default: 10 s at 720p and at 256 pixels, made on the spot"
    )
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = [arguments.clip] if arguments.clip else [
            talking_clip(Path(folder) / f"talk-{width}.mp4", width, height, SECONDS) for width, height in SIZES
        ]  # fmt: skip
        limit_threads()
        editor = Editor()
        measured = [measure(clip, Path(folder), editor) for clip in clips]
    forwards = forward()  # last, for its share of the memory
    for passes in measured:
        print_rows("edit", rows(passes, forwards), arguments.json)


if __name__ == "__main__":
    main()
