"""Compare our measures with the scores that another program gave the same published clips.

python -m benchmarks.evaluation_peer CLIPS SCORES.json [--count N]

CLIPS holds `SETTING/SPEAKER_source_EMOTION_N.mp4` with four panels: source, reference, NED, NED + ASCCL. The key
`clips` of SCORES.json maps `SETTING/NAME|ned` and `|asccl` to the scores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from asccl import zoo
from asccl.evaluation.evaluate import evaluate_clip
from asccl.evaluation.face_stream import FaceStreams
from asccl.evaluation.measure import ClipPair
from asccl.evaluation.registry import build_measures
from benchmarks.report import print_rows

PEERS = {  # our measure -> their score
    "lip-correlation": "mouth_r",
    "lip-distance": "lmd",
    "closures-kept": "closure",
    "identity": "id_cos",
    "target-probability": "p_target",
    "csim": "csim_faceapi_pen",
    "flicker": "flicker_ratio",
    "jitter": "jitter_ratio",
    "sharpness": "sharp_ratio",
    "background-change": "bg_mae",
}
PANELS = {"ned": 2, "asccl": 3}
OFFSET = 2  # frames by which the published outputs start late


def measure(path: Path) -> dict[str, dict[str, float]]:
    """Measure both outputs of a clip: method -> measure -> value."""
    measures, _ = build_measures(PEERS, zoo.load_evaluation_networks())
    values = {}
    with FaceStreams() as streams:
        for method, panel in PANELS.items():
            source, generated, reference = (streams.open(f"{path}#{k}") for k in (0, panel, 1))
            clip = ClipPair(source, generated, reference, path.stem.split("_")[2], offset=OFFSET)
            states = evaluate_clip(clip, measures).states
            values[method] = {m.name: m.compute(states[m.name]).value for m in measures if m.name in states}
    return values


def compare(
    ours: Mapping[str, Mapping[str, float]], theirs: Mapping[str, Mapping[str, float]]
) -> dict[str, float | str]:
    """Return for each measure both means, the largest relative difference, and in how many clips the order agrees."""
    rows: dict[str, float | str] = {}
    for name, peer in PEERS.items():
        keys = [key for key in ours if name in ours[key] and theirs[key].get(peer) is not None]
        keys = [key for key in keys if np.isfinite(theirs[key][peer])]
        pairs = {key: (ours[key][name], theirs[key][peer]) for key in keys}
        clips = {key.partition("|")[0] for key in keys if all(f"{key.partition('|')[0]}|{m}" in pairs for m in PANELS)}
        gaps = [np.subtract(pairs[f"{clip}|asccl"], pairs[f"{clip}|ned"]) for clip in clips]
        agreeing = sum(bool(np.sign(a) == np.sign(b)) for a, b in gaps)
        a, b = np.array(list(pairs.values())).T
        largest = float(np.abs(a[b != 0] / b[b != 0] - 1).max())
        rows[name] = f"{a.mean():.3f} and {b.mean():.3f}, largest {largest:.1%}, order {agreeing} of {len(gaps)}"
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--count", type=int, help="number of clips; default: all")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    theirs = json.loads(arguments.scores.read_text(encoding="utf-8"))["clips"]
    ours = {}
    for path in sorted(arguments.clips.glob("*/*.mp4"), key=lambda p: p.name)[: arguments.count]:
        for method, values in measure(path).items():
            ours[f"{path.parent.name}/{path.stem}|{method}"] = values
        print(f"  {path.stem}", flush=True)
    print_rows("evaluation-peer", compare(ours, theirs), arguments.json)


if __name__ == "__main__":
    main()
