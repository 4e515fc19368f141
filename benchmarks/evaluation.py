"""Measure the cost of each measure, what methods of one source share, memory, and agreement with torchmetrics.

python -m benchmarks.evaluation [--seconds 10 600] [--json FILE]

The cost is CPU time per frame of one measure alone, on the bundled example and its edit. For the memory, tracker and
networks are replaced by functions with the same outputs, so that ten minutes are decoded and measured in minutes: what
is measured is what the measures keep.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from asccl import zoo
from asccl.evaluation.evaluate import pair_chunks
from asccl.evaluation.face_chunk import FaceChunk
from asccl.evaluation.face_stream import FaceStreams
from asccl.evaluation.frechet import PARTS, frechet_score, moments
from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.measure import ClipPair, Measure, MeasureSkippedError, PairChunk, merge_states
from asccl.evaluation.registry import build_measures
from asccl.evaluation.run import add_baselines, measure_clip
from asccl.evaluation.shards import ShardStore
from benchmarks.report import print_rows
from benchmarks.talking import talking_clip

EXAMPLES = Path(__file__).parent.parent / "examples"
SIZE = 128  # pixels
LENGTHS = (10.0, 600.0)  # seconds
PROGRAM = """
import json, resource, sys
from types import SimpleNamespace
import numpy as np
from asccl.evaluation.evaluate import evaluate_clip, evaluate_pool
from asccl.evaluation.face_stream import FaceStreams
from asccl.evaluation.measure import ClipPair
from asccl.evaluation.networks import Networks
from asccl.evaluation.registry import build_measures

rng = np.random.default_rng(0)
base = np.concatenate([rng.uniform(30, 98, (478, 2)), np.zeros((478, 1))], 1)

class Tracker:
    def start(self, person): pass
    def track(self, image): return SimpleNamespace(landmarks=(base + rng.normal(0, 0.3, base.shape)).astype(np.float32))
    def close(self): pass

weights = rng.normal(size=(3, 192))
embed = lambda crops: crops.mean((1, 2)) @ weights + rng.normal(size=(len(crops), 192))
classify = lambda crops: (np.full((len(crops), 7), 1 / 7), rng.normal(size=(len(crops), 256)))
networks = Networks(embed, classify, lambda a, b: np.ones(len(a)))
measures, missing = build_measures(None, networks)
with FaceStreams(Tracker) as streams:
    stream = streams.open(sys.argv[1])
    clip = ClipPair(stream, stream, stream, "happy")
    evaluate_pool(stream, measures)
    result = evaluate_clip(clip, measures)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([result.frames, len(result.states), peak]))
"""


def measure_costs() -> dict[str, float]:
    """CPU milliseconds per frame of each measure, and of decoding and tracking both sides."""
    measures, _ = build_measures(None, zoo.load_evaluation_networks())
    rows = {}
    with FaceStreams() as streams:
        source, generated = (streams.open(EXAMPLES / name) for name in ("astronaut.mp4", "astronaut-sad.mp4"))
        clip = ClipPair(source, generated, generated, "sad")
        start = time.process_time()
        chunks = list(pair_chunks(clip))
        frames = sum(map(len, chunks))
        rows["decode and track both videos"] = 1000 * (time.process_time() - start) / frames
        for measure in measures:
            copies = [PairChunk(_copy(chunk.source), _copy(chunk.generated)) for chunk in chunks]  # no shared results
            start = time.process_time()
            _run(measure, clip, copies)
            rows[measure.name] = 1000 * (time.process_time() - start) / frames
    return rows


def measure_memory(lengths: list[float]) -> dict[str, float]:
    """Peak memory in MiB of a process that evaluates a video of each length."""
    rows: dict[str, float] = {}
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for length in lengths:
            clip = talking_clip(Path(folder) / f"{length:g}.mp4", SIZE, SIZE, length)
            command = [sys.executable, "-c", PROGRAM, str(clip)]
            root = Path(__file__).parent.parent
            process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
            frames, count, peaks[length] = json.loads(process.stdout.splitlines()[-1])
            rows[f"{length:g} s: peak memory, MiB"] = peaks[length]
            print(f"  {length:g} s: {frames} frames, {count} measures", flush=True)
    rows[f"peak memory, {max(lengths):g} s / {min(lengths):g} s"] = peaks[max(lengths)] / peaks[min(lengths)]
    return rows


def measure_sharing() -> dict[str, float | str]:
    """CPU seconds to measure three methods of one source with common streams and with streams of their own."""
    measures, _ = build_measures(None, zoo.load_evaluation_networks())
    names = ("astronaut.mp4", "astronaut-sad.mp4", "maya-surprised.mp4")
    source, generated, reference = (str(EXAMPLES / name) for name in names)
    clip = EvaluationRow("example", "cross-id", source, "sad", generated=generated, reference=reference)
    rows = add_baselines([replace(clip, method=method) for method in ("first", "second", "third")])
    seconds, files = {}, []
    for name in ("own", "common"):
        with tempfile.TemporaryDirectory() as folder:
            store = ShardStore(Path(folder), [])
            start = time.process_time()
            with FaceStreams() as streams:
                for row in rows:
                    measure_clip(row, measures, store, streams)
                    if name == "own":
                        streams.close()
            seconds[name] = time.process_time() - start
            files.append({path.name: path.read_bytes() for path in Path(folder).iterdir()})
    return {
        **{f"three methods and two baselines, {name} streams, CPU s": value for name, value in seconds.items()},
        "own streams / common streams": seconds["own"] / seconds["common"],
        "their results are equal": "yes" if files[0] == files[1] else "no",
    }


def compare_with_torchmetrics() -> dict[str, float | str]:
    """Relative difference of our Frechet distance to that of torchmetrics, which need not be installed."""
    try:
        import torch
        from torchmetrics.image.fid import FrechetInceptionDistance
    except ImportError:
        return {"FAD, relative difference to torchmetrics": "torchmetrics is not installed"}

    class Flatten(torch.nn.Module):
        num_features = 48

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).float()

    rng = np.random.default_rng(0)
    theirs = FrechetInceptionDistance(feature=Flatten(), input_img_size=(3, 4, 4))
    parts = []
    for side, count, high in (("real", 400, 255), ("generated", 300, 180)):
        images = rng.integers(0, high, (count, 3, 4, 4), np.uint8)
        theirs.update(torch.from_numpy(images), real=side == "real")
        rows = images.reshape(count, -1).astype(np.float64)
        parts += [moments(rows[n::PARTS], f"{side}/{n}") for n in range(PARTS)]
    ours, expected = frechet_score(merge_states(*parts)).value, float(theirs.compute())
    return {"FAD, relative difference to torchmetrics": abs(ours / expected - 1)}


def _copy(chunk: FaceChunk) -> FaceChunk:
    return FaceChunk(chunk.start, chunk.images, chunk.landmarks)  # nor features on disk


def _run(measure: Measure, clip: ClipPair, chunks: list[PairChunk]) -> None:
    """Run one measure over a clip; the reference is the generated clip."""
    reference = None
    if measure.uses_reference:
        stream = measure.begin_stream()
        for chunk in chunks:
            stream.add(chunk.generated)
        reference = stream.finish()
    try:
        accumulator = measure.begin(clip, reference)
        for chunk in chunks:
            accumulator.add(chunk)
        accumulator.finish()
    except MeasureSkippedError as reason:
        print(f"  {measure.name}: {reason}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=LENGTHS, help="lengths of the videos for the memory"
    )
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    costs = {f"{name}, CPU ms a frame": value for name, value in measure_costs().items()}
    rows: dict[str, float | str] = {
        **costs,
        **measure_sharing(),
        **compare_with_torchmetrics(),
        **measure_memory(list(arguments.seconds)),
    }
    print_rows("evaluation", rows, arguments.json)


if __name__ == "__main__":
    main()
