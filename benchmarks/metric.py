"""Does the metric measure what it says? On real faces, where the truth is known; trained against untrained heads and
against bare differences of the same feature maps.

    python -m benchmarks.metric --clips DIR [--frames 70] [--json FILE]

DIR holds videos of four panels side by side, as the paper's authors publish them: source | reference | NED | ASCCL. No
such clips are shipped. Every source is edited by our own editor, which keeps the words, to two emotions.

corresponding, non-corresponding   mean cosine along the channels, edit against source (Figures 2 and 6 of the paper)
triplets    share of (t, t + k) for which source frame t resembles the edit's frame t more than its frame t + k, whose
            mouth is open otherwise, by more than 3 percent of the eye distance; "small" below 8 percent, "big" above
synchrony   the offset from -10 to 10 frames at which a published panel resembles its source most; the true one is 2:
            share of panels with exactly that, and by how many deviations it stands above the others
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from asccl import Editor, EditRequest, load_metric
from asccl.editing.threads import limit_threads
from asccl.face.crop import arcface_crop
from asccl.face.landmarker import FaceLandmarker
from asccl.face.mesh import lip_gap
from asccl.metric.scc import SCCMetric, normalize
from asccl.types import Image
from asccl.video import Limits, Reader
from benchmarks.report import print_rows

HEADS = {"trained": "trained", "untrained": "random", "bare": "identity"}
EMOTIONS = ("happy", "angry")
SAMPLES = 100  # regions of each map
LAG, REACH = 2, 10  # frames
OTHER_MOUTH, BIG = 0.03, 0.08  # of the eye distance


class Face:
    """One face through a clip: crops (T, 112, 112, 3), opening of the lips (T,), NaN where no face was found."""

    def __init__(self, images: list[Image], eyes: FaceLandmarker):
        crops, gaps, near = [], [], None
        for image in images:
            found = eyes.detect(image, near)
            near = found if found is not None else near
            crops.append(np.zeros((112, 112, 3), np.uint8) if found is None else arcface_crop(image, found))
            gaps.append(np.nan if found is None else float(lip_gap(found)))
        self.crops, self.gap = np.stack(crops), np.array(gaps)

    def disparities(self, metric: SCCMetric) -> list[torch.Tensor]:
        """Of each map (T, P, C), length 1; P counts the pairs inside."""
        parts: list[list[torch.Tensor]] = []
        with torch.inference_mode():
            for start in range(0, len(self.crops), 8):
                x = torch.from_numpy(self.crops[start : start + 8]).permute(0, 3, 1, 2).float() / 127.5 - 1
                maps = metric.feature_maps(x)
                found = metric.disparities(maps, metric.sample_pairs(maps, SAMPLES))
                parts.append([normalize(d.values)[:, d.pairs.inside] for d in found])
        return [torch.cat(column) for column in zip(*parts, strict=True)]


def read(path: Path, limit: int) -> list[Image]:
    with Reader(path, Limits()) as reader:
        return [frame.image for frame in reader if frame.image[:, : frame.image.shape[1] // 4].mean() > 8][:limit]


def write(path: Path, images: list[Image]) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(30), options={"crf": "6"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def faces(path: Path, limit: int, editor: Editor, eyes: FaceLandmarker) -> dict[str, Face]:
    frames = read(path, limit)
    width = frames[0].shape[1] // 4
    panels = [[np.ascontiguousarray(f[:, k * width : (k + 1) * width]) for f in frames] for k in range(4)]
    out = {"source": Face(panels[0], eyes), "ned": Face(panels[2], eyes), "asccl": Face(panels[3], eyes)}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mp4"
        write(source, panels[0])
        for emotion in EMOTIONS:
            done = editor.edit(EditRequest(source, Path(folder) / f"{emotion}.mp4", emotion=emotion))
            out[emotion] = Face(read(done.output, limit), eyes)
    return out


def similarities(source: list[torch.Tensor], other: list[torch.Tensor]) -> np.ndarray:
    """(T, T'): SCC score of every frame of one with every frame of the other."""
    return np.mean(
        [(a.flatten(1) @ b.flatten(1).T / a.shape[1]).numpy() for a, b in zip(source, other, strict=True)], 0
    )


def correspondence(source: list[torch.Tensor], edit: list[torch.Tensor], metric: SCCMetric) -> np.ndarray:
    """(2, 4): corresponding and non-corresponding cosine on each map."""
    sides = (56, 28, 14, 7)
    pairs = metric.sample_pairs([torch.empty(1, 1, s, s) for s in sides], SAMPLES)
    out = []
    for a, b, p in zip(source, edit, pairs, strict=True):
        region = torch.arange(len(p.region))[:, None].expand(-1, 8)[p.inside]
        same = (a * b).sum(-1).mean()
        sums = torch.zeros(len(a), len(p.region), a.shape[-1]).index_add(1, region, b)
        others = (a * (sums[:, region] - b)).sum(-1)  # with the other neighbours of its region, added up
        count = p.inside.sum(1)[region] - 1
        out.append((same.item(), (others.sum() / (count.sum() * len(a))).item()))
    return np.array(out).T


def synchrony(scores: np.ndarray, known: np.ndarray, known_other: np.ndarray) -> tuple[int, float]:
    """Best offset, and how far the true one stands above the others."""
    values = []
    for offset in range(-REACH, REACH + 1):
        t = np.arange(max(0, -offset), min(scores.shape[1], len(scores) - offset))
        t = t[known[t + offset] & known_other[t]]
        values.append(scores[t + offset, t].mean())
    rest = np.delete(values, REACH + LAG)
    return int(np.argmax(values)) - REACH, float((values[REACH + LAG] - rest.mean()) / rest.std())


def judge(metric: SCCMetric, clips: list[dict[str, Face]]) -> Iterator[tuple[str, float]]:
    similar, wins, mouth, offsets, heights = [], [], [], [], []
    for clip in clips:
        source, gap = clip["source"].disparities(metric), clip["source"].gap
        for panel in ("ned", "asccl"):
            scores = similarities(source, clip[panel].disparities(metric))
            best, height = synchrony(scores, np.isfinite(gap), np.isfinite(clip[panel].gap))
            offsets.append(best)
            heights.append(height)
        for emotion in EMOTIONS:
            edit = clip[emotion].disparities(metric)
            similar.append(correspondence(source, edit, metric))
            scores = similarities(source, edit)
            length = min(scores.shape)
            scores, difference = scores[:length, :length], np.abs(gap[:length, None] - gap[None, :length])
            other = (difference > OTHER_MOUTH) & np.isfinite(clip[emotion].gap[:length])[None]
            wins.append((np.diag(scores)[:, None] > scores)[other])
            mouth.append(difference[other])
    positive, negative = np.mean(similar, 0)
    for n in range(4):
        yield f"corresponding, map {n + 1}", positive[n]
        yield f"non-corresponding, map {n + 1}", negative[n]
    yield "corresponding", positive.mean()
    yield "non-corresponding", negative.mean()
    won, difference = np.concatenate(wins), np.concatenate(mouth)
    yield "triplets", won.mean()
    yield "triplets, small", won[difference < BIG].mean()
    yield "triplets, big", won[difference >= BIG].mean()
    yield "synchrony, exact", float(np.mean(np.array(offsets) == LAG))
    yield "synchrony, within one frame", float(np.mean(np.abs(np.array(offsets) - LAG) <= 1))
    yield "synchrony, height of the peak", float(np.mean(heights))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=70)
    parser.add_argument("--metric", default="scc-mobilefacenet")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    limit_threads()
    editor, eyes = Editor(), FaceLandmarker()
    paths = sorted(arguments.clips.rglob("*.mp4"))
    clips = [faces(path, arguments.frames, editor, eyes) for path in paths]
    rows: dict[str, float | str] = {"clips": float(len(clips)), "panels": float(2 * len(clips))}
    for name, heads in HEADS.items():
        for label, value in judge(load_metric(arguments.metric, heads=heads), clips):
            rows[f"{name}: {label}"] = float(value)
    print_rows("metric", rows, arguments.json)


if __name__ == "__main__":
    main()
