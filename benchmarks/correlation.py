"""What a comparison of two videos costs, and how its faces are best laid on each other.

python -m benchmarks correlation [--seconds 10] [--size 1280 720]
python -m benchmarks.correlation --alignment
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

from asccl import Editor, EditRequest
from asccl.analysis.correlation import AnalysisSettings, analyze
from asccl.editing.threads import limit_threads
from benchmarks.edit import timed
from benchmarks.report import print_rows
from benchmarks.talking import EXAMPLE, talking_clip

EMOTIONS = ("happy", "angry", "sad", "surprised")
LATE = 0.28  # seconds: another moment of the same clip


def cost(folder: Path, seconds: float, size: tuple[int, int]) -> dict[str, float | str]:
    """A clip against itself, as somebody with two videos would compare them: networks loaded, charts not drawn."""
    clip = talking_clip(folder / "clip.mp4", *size, seconds)
    analyze(EXAMPLE.with_suffix(".jpg"), EXAMPLE.with_suffix(".jpg"))  # loads the networks, which a server does once
    found = []
    spent = timed(lambda: found.append(analyze(clip, clip)))
    pairs = len(found[0].curves)
    return {
        "clips": f"two of {size[0]} x {size[1]}, {seconds:g} s, {pairs} pairs of frames compared",
        "seconds by the clock": spent.clock,
        "seconds of CPU": spent.cpu,
        "ms of CPU a pair, decoding and tracking included": 1000 * spent.cpu / pairs,
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def alignment(folder: Path) -> dict[str, float | str]:
    """Edits of the example against it: cosine of corresponding regions without a mapping, and how much of it is lost
    when the edit is compared with another moment."""
    rows: dict[str, float | str] = {}
    limit_threads()
    editor = Editor()
    for emotion in EMOTIONS:
        edited = editor.edit(EditRequest(EXAMPLE, folder / f"{emotion}.mp4", emotion=emotion)).output
        for how in ("place", "landmarks"):
            means = [
                analyze(EXAMPLE, edited, AnalysisSettings("time", how, stride=8, offset=offset))
                .mean_std("bare", "cosine", "corresponding")
                .mean
                for offset in (0.0, LATE)
            ]
            rows[f"{emotion}, aligned by {how}"] = means[0]
            rows[f"{emotion}, aligned by {how}, {LATE} s apart"] = means[1]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("W", "H"))
    parser.add_argument("--alignment", action="store_true", help="compare ways of alignment instead")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asccl-bench-") as folder:
        if arguments.alignment:
            print_rows("correlation, alignment", alignment(Path(folder)), arguments.json)
        else:
            print_rows("correlation", cost(Path(folder), arguments.seconds, tuple(arguments.size)), arguments.json)


if __name__ == "__main__":
    main()
