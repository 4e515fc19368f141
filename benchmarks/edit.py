"""Measure how fast a whole edit is: against decoding and encoding the same clip, and against a renderer of NED's size.

Everything is measured in one run on one machine, so that the ratios hold where the seconds do not. The passes
alternate: copy, edit, copy; for a clip of 720p, then for one of 256 pixels, NED's own size; then the renderer. Medians
are reported.

A copy only decodes and encodes, in the decoder's own colour format as an edit does; a copy through RGB is measured
beside it, for comparison with figures from before edits kept that format.

The edits follow the plain preset: the adaptation to a face takes some seconds for a clip of any length, and
`python -m benchmarks.adapt` measures it.

    python -m benchmarks edit [--clip FILE]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from asccl import Editor, EditRequest
from asccl.editing.threads import limit_threads
from asccl.video import Reader, open_writer, probe
from benchmarks.report import count_cores, print_rows
from benchmarks.talking import talking_clip

CLIP_SIZES = ((1280, 720), (256, 256))  # width, height in pixels
CLIP_SECONDS = 10.0
EDITS, FORWARD_PASSES = 1, 3
SIDE = 256  # of NED's images, pixels


@dataclass(frozen=True)
class ElapsedTime:
    """Duration of some work.

    Attributes:
        clock: wall-clock seconds.
        cpu: processor seconds of all threads of this process, which depend less on other load of the machine.
    """

    clock: float
    cpu: float


@dataclass(frozen=True)
class ClipTimings:
    """Measurements of one clip.

    Attributes:
        description: size and number of frames.
        frames: of the clip.
        decoding: decodes the clip, nothing else.
        copies: each decodes and encodes the clip.
        rgb_copy: likewise, through RGB.
        edits: whole edits.
        stages: seconds of the stages of the last edit.
        peak_memory: of the process up to this clip, MiB.
    """

    description: str
    frames: int
    decoding: ElapsedTime
    copies: list[ElapsedTime]
    rgb_copy: ElapsedTime
    edits: list[ElapsedTime]
    stages: dict[str, float]
    peak_memory: float


def timed(work: Callable[[], object]) -> ElapsedTime:
    """Measure one call."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return ElapsedTime(time.perf_counter() - clock, time.process_time() - cpu)


def decode_clip(source: Path) -> None:
    """Decode a clip."""
    with Reader(source) as reader:
        deque(reader, maxlen=0)


def copy_clip(source: Path, target: Path, through_rgb: bool = False) -> None:
    """Decode a clip and encode it again with the settings of an edit; the sound is copied.

    Args:
        source: the clip.
        target: file to write.
        through_rgb: convert each frame to RGB in between.
    """
    with Reader(source) as reader, open_writer(target, reader.info, source) as writer:
        for frame in reader:
            writer.write(replace(frame, pixels=frame.image) if through_rgb else frame)


def forward(repeats: int = FORWARD_PASSES) -> list[ElapsedTime]:
    """Time one frame of an untrained renderer of NED's size, on one core or on all, whichever is faster."""
    import torch

    from asccl.nets.ned_renderer import INPUT_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, NedGenerator

    net = NedGenerator().eval()
    conditions = torch.rand(1, INPUT_FRAMES * INPUT_CHANNELS, SIDE, SIDE)
    previous = torch.rand(1, PREVIOUS_FRAMES * 3, SIDE, SIDE)
    timings = []
    with torch.inference_mode():
        for threads in sorted({1, count_cores()}):
            torch.set_num_threads(threads)
            net(conditions, previous)  # warms up
            timings.append([timed(lambda: net(conditions, previous)) for _ in range(repeats)])
    return min(timings, key=lambda times: median(t.clock for t in times))


def measure(clip: Path, folder: Path, editor: Editor) -> ClipTimings:
    """Copy and edit a clip in turns.

    Args:
        clip: to be edited.
        folder: for the outputs.
        editor: which edits it.

    Returns:
        The timings.
    """
    info = probe(clip)
    request = EditRequest(clip, folder / "edited.mp4", emotion="happy", adapt=False)
    editor.preview(request, 0.1)  # loads networks and head, which a server does once
    copies, edits, reports = [], [], []
    for turn in range(EDITS + 1):
        copies.append(timed(lambda: copy_clip(clip, folder / "copy.mp4")))
        if turn < EDITS:
            edits.append(timed(lambda: reports.append(editor.edit(request).report)))
    decoding = timed(lambda: decode_clip(clip))
    rgb_copy = timed(lambda: copy_clip(clip, folder / "copy.mp4", through_rgb=True))
    frames = reports[0]["frames"]
    description = f"{info.width} x {info.height}, {frames['total']} frames, {frames['edited']} edited"
    peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return ClipTimings(
        description, frames["total"], decoding, copies, rgb_copy, edits, reports[-1]["seconds"], peak_memory
    )


def report_rows(timings: ClipTimings, forwards: list[ElapsedTime]) -> dict[str, float | str]:
    """Rows of the report of one clip. forwards: see `forward`."""
    rows: dict[str, float | str] = {"clip": timings.description}
    for kind, unit in (("clock", "ms"), ("cpu", "CPU ms")):

        def milliseconds(times: list[ElapsedTime], frames: int = timings.frames, kind: str = kind) -> float:
            return 1000 * median(getattr(t, kind) for t in times) / frames

        copied, edited, rendered = milliseconds(timings.copies), milliseconds(timings.edits), milliseconds(forwards, 1)
        rows |= {
            f"decode, {unit} a frame": milliseconds([timings.decoding]),
            f"decode and encode, {unit} a frame": copied,
            f"decode and encode through RGB, {unit} a frame": milliseconds([timings.rgb_copy]),
            f"whole edit, {unit} a frame": edited,
            f"NED-sized renderer, {unit} a frame": rendered,
            f"whole edit / decode and encode, by {kind} (at most 2.0)": edited / copied,
            f"NED-sized renderer / whole edit, by {kind} (at least 50)": rendered / edited,
            f"NED-sized renderer / decode and encode, by {kind} (floor)": rendered / copied,
        }
    rows["peak memory up to this clip, MiB"] = timings.peak_memory
    return rows | {f"stage {s}, ms a frame": 1000 * spent / timings.frames for s, spent in timings.stages.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--clip", type=Path, help="clip of a speaker; default: generated, 10 s at 720p and at 256 pixels"
    )
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    limit_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = [arguments.clip] if arguments.clip else []
        for width, height in () if clips else CLIP_SIZES:
            clips.append(talking_clip(folder / f"talk-{width}.mp4", width, height, CLIP_SECONDS))
        editor = Editor()
        measured = [measure(clip, folder, editor) for clip in clips]
    forwards = forward()  # last: its memory must not count for the edits
    for timings in measured:
        print_rows("edit", report_rows(timings, forwards), arguments.json)


if __name__ == "__main__":
    main()
