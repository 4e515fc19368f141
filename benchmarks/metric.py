"""Measure the metric on real faces with known truth, with trained heads, random heads and without heads.

    python -m benchmarks.metric --clips DIR [--frames 70] [--emotions happy angry] [--metric NAME] [--json FILE]

DIR holds videos of four panels side by side, as the paper's authors publish them: source | reference | NED | ASCCL. No
such clips are bundled. Our editor, which preserves the words, edits every source to two emotions.

corresponding, non-corresponding   mean cosine of edit and source (eq. 1, Figures 2 and 6 of the paper)
triplets    share of pairs of frames (t, t + k) for which source frame t is more similar to frame t of the edit than to
            its frame t + k, whose lip opening differs by more than 3 % of the eye distance; "small" below 8 %, "large"
            from 8 % on. "gain": by how much trained heads are better than random ones, paired by clip, with the 95 %
            interval and the p-value of a permutation test, for all maps and for each map alone
synchrony   the offset from -10 to 10 frames at which a published panel is most similar to its source. The true offset
            is 2: share of panels with exactly that offset, and height of its peak in standard deviations
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import numpy as np
import torch

from asccl import Editor, EditRequest, load_metric
from asccl.editing.threads import limit_threads
from asccl.face.crop import arcface_crop
from asccl.face.landmarker import FaceLandmarker
from asccl.face.mesh import lip_gap
from asccl.metric.scc import Disparities, Heads, SCCMetric, normalize
from asccl.metric.statistics import cosine_table, similarity_sums
from asccl.types import EMOTIONS as EMOTION_NAMES
from asccl.types import Image
from asccl.video import Limits, Reader
from asccl.video.container import open_output
from benchmarks.report import print_rows
from training.ablation.inference import paired_effect

PANELS = 4
EMOTIONS = ("happy", "angry")  # of the edits, by default
SAMPLES = 100  # regions of each feature map
BATCH = 8  # frames
TRUE_OFFSET, MAX_OFFSET = 2, 10  # frames between a published panel and its source
MIN_LIP_CHANGE, LARGE_LIP_CHANGE = 0.03, 0.08  # eye distances


@dataclass(frozen=True)
class FaceSequence:
    """One face of a clip.

    Attributes:
        crops: ArcFace crops, (T, 112, 112, 3) uint8 RGB.
        lip_gaps: opening of the lips in eye distances, (T,), NaN where no face was detected.
    """

    crops: np.ndarray
    lip_gaps: np.ndarray

    def disparities(self, metric: SCCMetric) -> list[Disparities]:
        """Compute the visual disparities of all frames, one entry for each feature map."""
        batches: list[list[Disparities]] = []
        with torch.inference_mode():
            for start in range(0, len(self.crops), BATCH):
                x = torch.from_numpy(self.crops[start : start + BATCH]).permute(0, 3, 1, 2).float() / 127.5 - 1
                maps = metric.feature_maps(x)
                batches.append(metric.disparities(maps, metric.sample_pairs(maps, SAMPLES)))
        return [
            parts[0]._replace(values=torch.cat([part.values for part in parts])) for parts in zip(*batches, strict=True)
        ]


def read_face(images: Sequence[Image], landmarker: FaceLandmarker) -> FaceSequence:
    """Detect the face of a clip."""
    crops, lip_gaps, previous = [], [], None
    for image in images:
        landmarks = landmarker.detect(image, previous)
        if landmarks is None:
            crops.append(np.zeros((112, 112, 3), np.uint8))
            lip_gaps.append(np.nan)
        else:
            crops.append(arcface_crop(image, landmarks))
            lip_gaps.append(float(lip_gap(landmarks)))
            previous = landmarks
    return FaceSequence(np.stack(crops), np.array(lip_gaps))


def read_frames(path: Path, limit: int) -> list[Image]:
    """Read at most `limit` frames whose first panel is not black."""
    with Reader(path, Limits()) as reader:
        return [frame.image for frame in reader if frame.image[:, : frame.image.shape[1] // PANELS].mean() > 8][:limit]


def write_video(path: Path, images: Sequence[Image]) -> None:
    """Write H.264 of high quality at 30 frames a second."""
    with open_output(path, "mp4", {}) as file:
        stream = file.add_stream("libx264", rate=Fraction(30), options={"crf": "6"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def read_clip(
    path: Path, limit: int, emotions: Sequence[str], editor: Editor, landmarker: FaceLandmarker
) -> dict[str, FaceSequence]:
    """Read the panels of a published clip, and edit its source.

    Args:
        path: the video.
        limit: number of frames.
        emotions: of the edits.
        editor: makes the edits.
        landmarker: detects the faces.

    Returns:
        The faces "source", "ned", "asccl" and one for each emotion.
    """
    frames = read_frames(path, limit)
    width = frames[0].shape[1] // PANELS
    panels = [[np.ascontiguousarray(f[:, k * width : (k + 1) * width]) for f in frames] for k in range(PANELS)]
    faces = {name: read_face(panels[k], landmarker) for name, k in (("source", 0), ("ned", 2), ("asccl", 3))}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mp4"
        write_video(source, panels[0])
        for emotion in emotions:
            request = EditRequest(source, Path(folder) / f"{emotion}.mp4", emotion=emotion, adapt=False)
            result = editor.edit(request)
            faces[emotion] = read_face(read_frames(result.output, limit), landmarker)
    return faces


def map_scores(source: Sequence[Disparities], other: Sequence[Disparities]) -> np.ndarray:
    """Compare every frame of one clip with every frame of the other, by each feature map alone, (4, T, T')."""
    scores = []
    for x, y in zip(source, other, strict=True):
        a, b = (normalize(part.values)[:, part.pairs.inside] for part in (x, y))
        scores.append((a.flatten(1) @ b.flatten(1).T / a.shape[1]).numpy())
    return np.stack(scores)


def frame_scores(source: Sequence[Disparities], other: Sequence[Disparities]) -> np.ndarray:
    """Compute the SCC score of every frame of one clip with every frame of the other, (T, T')."""
    return map_scores(source, other).mean(0)


def mean_similarities(source: Sequence[Disparities], edit: Sequence[Disparities]) -> np.ndarray:
    """Average the corresponding and the non-corresponding cosines of each feature map, (2, 4)."""
    means = []
    for x, y in zip(source, edit, strict=True):
        valid = x.pairs.inside.expand(len(x.values), -1, -1)
        sums = similarity_sums(cosine_table(x.values, y.values), valid).sum(0)
        means.append((sums[:, 1] / sums[:, 0]).numpy())
    return np.array(means).T


def synchrony(scores: np.ndarray, source_valid: np.ndarray, panel_valid: np.ndarray) -> tuple[int, float]:
    """Find the offset at which a panel is most similar to its source.

    Args:
        scores: see `frame_scores`, (T, T').
        source_valid: frames of the source that show a face, (T,) bool.
        panel_valid: frames of the panel that show a face, (T',) bool.

    Returns:
        The best offset, and the height of the true offset's score above the others in their standard deviations.
    """
    values = []
    for offset in range(-MAX_OFFSET, MAX_OFFSET + 1):
        t = np.arange(max(0, -offset), min(scores.shape[1], len(scores) - offset))
        t = t[source_valid[t + offset] & panel_valid[t]]
        values.append(scores[t + offset, t].mean())
    true_score = values[MAX_OFFSET + TRUE_OFFSET]
    others = np.delete(values, MAX_OFFSET + TRUE_OFFSET)
    return int(np.argmax(values)) - MAX_OFFSET, float((true_score - others.mean()) / others.std())


def triplets(scores: np.ndarray, source_gaps: np.ndarray, edit_gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare frames of the same words with frames of another lip opening.

    Args:
        scores: see `frame_scores`.
        source_gaps: lip gaps of the source, (T,).
        edit_gaps: lip gaps of the edit, (T',).

    Returns:
        Whether the frame of the same words has the higher score, and the change of the lip gap, for each triplet.
    """
    length = min(scores.shape)
    scores = scores[:length, :length]
    change = np.abs(source_gaps[:length, None] - source_gaps[None, :length])
    counted = (change > MIN_LIP_CHANGE) & np.isfinite(edit_gaps[:length])[None]
    return (np.diag(scores)[:, None] > scores)[counted], change[counted]


def edited_emotions(clip: dict[str, FaceSequence]) -> list[str]:
    """Return the emotions of the edits of a clip."""
    return [name for name in clip if name not in ("source", "ned", "asccl")]


def triplets_by_clip(metric: SCCMetric, clips: Sequence[dict[str, FaceSequence]]) -> np.ndarray:
    """Return the share of correct triplets of each clip, by the score of all maps and by each map alone, (clips, 5)."""
    shares = []
    for clip in clips:
        source, gaps = clip["source"].disparities(metric), clip["source"].lip_gaps
        correct: list[list[np.ndarray]] = [[] for _ in range(len(source) + 1)]
        for emotion in edited_emotions(clip):
            scores = map_scores(source, clip[emotion].disparities(metric))
            for results, table in zip(correct, (scores.mean(0), *scores), strict=True):
                results.append(triplets(table, gaps, clip[emotion].lip_gaps)[0])
        shares.append([np.concatenate(results).mean() for results in correct])
    return np.array(shares)


def gains(name: str, clips: Sequence[dict[str, FaceSequence]]) -> Iterator[tuple[str, float]]:
    """Yield by how much trained heads are better than random ones at the triplets, paired by clip."""
    trained, random = (triplets_by_clip(load_metric(name, heads=heads), clips) for heads in ("trained", "random"))
    for column, label in enumerate(("", ", map 1", ", map 2", ", map 3", ", map 4")):
        effect = paired_effect(trained[:, column] - random[:, column], 1)
        for part in ("mean", "low", "high", "p"):
            yield f"gain in triplets{label}: {part}", getattr(effect, part)


def measure(metric: SCCMetric, clips: Sequence[dict[str, FaceSequence]]) -> Iterator[tuple[str, float]]:
    """Yield the rows of one metric."""
    similarities, triplet_results, offsets, heights = [], [], [], []
    for clip in clips:
        source, source_gaps = clip["source"].disparities(metric), clip["source"].lip_gaps
        for panel in ("ned", "asccl"):
            scores = frame_scores(source, clip[panel].disparities(metric))
            offset, height = synchrony(scores, np.isfinite(source_gaps), np.isfinite(clip[panel].lip_gaps))
            offsets.append(offset)
            heights.append(height)
        for emotion in edited_emotions(clip):
            edit = clip[emotion].disparities(metric)
            similarities.append(mean_similarities(source, edit))
            triplet_results.append(triplets(frame_scores(source, edit), source_gaps, clip[emotion].lip_gaps))
    corresponding, non_corresponding = np.mean(similarities, 0)
    for n in range(4):
        yield f"corresponding, map {n + 1}", corresponding[n]
        yield f"non-corresponding, map {n + 1}", non_corresponding[n]
    yield "corresponding", corresponding.mean()
    yield "non-corresponding", non_corresponding.mean()
    correct, change = (np.concatenate(column) for column in zip(*triplet_results, strict=True))
    yield "triplets", correct.mean()
    yield "triplets, small", correct[change < LARGE_LIP_CHANGE].mean()
    yield "triplets, large", correct[change >= LARGE_LIP_CHANGE].mean()
    yield "synchrony, exact", float(np.mean(np.array(offsets) == TRUE_OFFSET))
    yield "synchrony, within one frame", float(np.mean(np.abs(np.array(offsets) - TRUE_OFFSET) <= 1))
    yield "synchrony, height of the peak", float(np.mean(heights))


def main() -> None:
    """Print the rows of all choices of heads."""
    limit_threads()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder of published videos")
    parser.add_argument("--frames", type=int, default=70, help="frames of each clip, at most")
    parser.add_argument("--emotions", nargs="+", choices=EMOTION_NAMES, default=EMOTIONS, help="of the edits")
    parser.add_argument("--metric", default="scc-mobilefacenet", help="name or file of the metric")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    editor, landmarker = Editor(), FaceLandmarker()
    paths = sorted(arguments.clips.rglob("*.mp4"))
    clips = [read_clip(path, arguments.frames, arguments.emotions, editor, landmarker) for path in paths]
    rows: dict[str, float | str] = {"clips": float(len(clips)), "panels": float(2 * len(clips))}
    for heads in get_args(Heads):
        for label, value in measure(load_metric(arguments.metric, heads=heads), clips):
            rows[f"{heads}: {label}"] = float(value)
    rows |= dict(gains(arguments.metric, clips))
    print_rows("metric", rows, arguments.json)


if __name__ == "__main__":
    main()
