"""Measure the cost of comparing two videos, and compare the two ways of aligning their faces.

python -m benchmarks correlation
python -m benchmarks.correlation [--seconds 10] [--size 1280 720]
python -m benchmarks.correlation --alignment
python -m benchmarks.correlation --moments
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
from functools import partial
from pathlib import Path

from asccl import Editor, EditRequest
from asccl.analysis.correlation import AnalysisSettings, MomentAnalyzer, analyze
from asccl.analysis.face_alignment import ALIGNMENTS
from asccl.ui.charts import face_map_value
from benchmarks.edit import timed
from benchmarks.report import print_rows
from benchmarks.talking import EXAMPLE, talking_clip

EDIT_EMOTIONS = ("happy", "angry", "sad", "surprised")
OFFSET = 0.28  # seconds to another moment of the same clip
STRIDE = 8
NUM_MOMENTS = 6


def measure_cost(folder: Path, seconds: float, size: tuple[int, int]) -> dict[str, float | str]:
    """Compare a clip with itself; the networks are loaded before and no charts are drawn.

    Args:
        folder: for the clip.
        seconds: duration of the clip.
        size: width and height of the clip in pixels.
    """
    clip = talking_clip(folder / "clip.mp4", *size, seconds)
    analyze(EXAMPLE.with_suffix(".jpg"), EXAMPLE.with_suffix(".jpg"))  # loads the networks
    results = []
    elapsed = timed(lambda: results.append(analyze(clip, clip)))
    pairs = len(results[0].curves)
    return {
        "clips": f"two of {size[0]} x {size[1]}, {seconds:g} s, {pairs} pairs of frames compared",
        "wall-clock seconds": elapsed.clock,
        "CPU seconds": elapsed.cpu,
        "CPU ms per pair, with decoding and tracking": 1000 * elapsed.cpu / pairs,
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_moments(folder: Path, seconds: float, size: tuple[int, int]) -> dict[str, float | str]:
    """Compare single moments as clicks in the Correlation tab do, with the data of the face map.

    Args:
        folder: for the clip.
        seconds: duration of the clip.
        size: width and height of the clip in pixels.
    """
    clip, analyzer = talking_clip(folder / "clip.mp4", *size, seconds), MomentAnalyzer()
    settings = AnalysisSettings(alignment="place")

    def look(time: float) -> None:
        json.dumps(face_map_value(analyzer.analyze(clip, clip, (time, time), settings), is_summary=False))

    first = timed(lambda: look(0.0))
    moments = [seconds * (number + 0.5) / NUM_MOMENTS for number in range(NUM_MOMENTS)]
    following = [timed(partial(look, time)) for time in moments]
    return {
        "clips": f"two of {size[0]} x {size[1]}, {seconds:g} s",
        "first moment, CPU seconds": first.cpu,
        "first moment, wall-clock seconds": first.clock,
        "a further moment, CPU seconds, median": statistics.median(each.cpu for each in following),
        "a further moment, wall-clock seconds, median": statistics.median(each.clock for each in following),
        "a further moment, CPU seconds, most": max(each.cpu for each in following),
    }


def compare_alignments(folder: Path) -> dict[str, float | str]:
    """Compare edits of the example with it, at the same moment and at another one.

    Returns:
        Mean cosine of corresponding regions over all maps, without a mapping.
    """
    rows: dict[str, float | str] = {}
    editor = Editor()
    for emotion in EDIT_EMOTIONS:
        edited = editor.edit(EditRequest(EXAMPLE, folder / f"{emotion}.mp4", emotion=emotion)).output
        for alignment in ALIGNMENTS:
            for offset, suffix in ((0.0, ""), (OFFSET, f", {OFFSET} s apart")):
                settings = AnalysisSettings("time", alignment, stride=STRIDE, offset=offset)
                similarity = analyze(EXAMPLE, edited, settings).mean_std("identity", "cosine", "corresponding")
                rows[f"{emotion}, aligned by {alignment}{suffix}"] = similarity.mean
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of the clips; default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("W", "H"), help="of the clips")
    parser.add_argument("--alignment", action="store_true", help="compare ways of alignment instead")
    parser.add_argument("--moments", action="store_true", help="measure clicks on moments instead")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asccl-bench-") as folder:
        if arguments.moments:
            rows = measure_moments(Path(folder), arguments.seconds, tuple(arguments.size))
            print_rows("correlation, moments", rows, arguments.json)
        elif arguments.alignment:
            print_rows("correlation, alignment", compare_alignments(Path(folder)), arguments.json)
        else:
            rows = measure_cost(Path(folder), arguments.seconds, tuple(arguments.size))
            print_rows("correlation", rows, arguments.json)


if __name__ == "__main__":
    main()
