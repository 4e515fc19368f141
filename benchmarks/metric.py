"""Measure the metric on real faces with known truth, with a trained, a random and no mapping.

    python -m benchmarks.metric --clips DIR [--frames 70] [--emotions happy angry] [--metric NAME]
        [--compare FILE ...] [--faces DIR] [--json FILE]

DIR holds videos of four panels side by side, as the paper's authors publish them: source | reference | NED | ASCCL. No
such clips are bundled. Our editor, which preserves the words, edits every source to two emotions.

corresponding, non-corresponding   mean cosine of edit and source (eq. 1, Figures 2 and 6 of the paper)
triplets    share of pairs of frames (t, t + k) for which source frame t is more similar to frame t of the edit than to
            its frame t + k, whose lip opening differs by more than 3 % of the eye distance; "small" below 8 %, "large"
            from 8 % on. "gain": by how much a trained mapping is better than a random one, paired by clip, with the
            95 % interval and the p-value of a permutation test, for all maps and for each map alone;
            --compare does the same for other files against --metric
synchrony   the offset from -10 to 10 frames at which a published panel is most similar to its source. The true offset
            is 2: share of panels with exactly that offset, and height of its peak in standard deviations
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from asccl import load_metric
from asccl.editing.threads import limit_threads
from asccl.metric.scc import Disparities, Heads, SCCMetric, normalize
from asccl.metric.statistics import cosine_table, similarity_sums
from asccl.types import EMOTIONS
from benchmarks.metric_faces import Faces, read_clips
from benchmarks.report import print_rows
from training.ablation.inference import paired_effect

EDIT_EMOTIONS = ("happy", "angry")  # of the edits, by default
TRUE_OFFSET, MAX_OFFSET = 2, 10  # frames between a published panel and its source
MIN_LIP_CHANGE, LARGE_LIP_CHANGE = 0.03, 0.08  # eye distances


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


def edited_emotions(clip: Faces) -> list[str]:
    """Return the emotions of the edits of a clip."""
    return [name for name in clip if name not in ("source", "ned", "asccl")]


def triplets_by_clip(metric: SCCMetric, clips: Sequence[Faces]) -> np.ndarray:
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


def gains(trained: np.ndarray, other: np.ndarray, label: str) -> Iterator[tuple[str, float]]:
    """Yield by how much a metric is better than another one at the triplets, paired by clip.

    Args:
        trained: shares of the one, see `triplets_by_clip`.
        other: shares of the other.
        label: first words of the rows.
    """
    for column, part in enumerate(("", ", map 1", ", map 2", ", map 3", ", map 4")):
        effect = paired_effect(trained[:, column] - other[:, column], 1)
        for name in ("mean", "low", "high", "p"):
            yield f"{label}{part}: {name}", getattr(effect, name)


def measure(metric: SCCMetric, clips: Sequence[Faces]) -> Iterator[tuple[str, float]]:
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
    parser.add_argument("--emotions", nargs="+", choices=EMOTIONS, default=EDIT_EMOTIONS, help="of the edits")
    parser.add_argument("--metric", default="scc-mobilefacenet", help="name or file of the metric")
    parser.add_argument("--compare", nargs="*", default=(), help="files of metrics to compare with --metric")
    parser.add_argument("--faces", type=Path, help="folder that keeps the faces of clips and edits for another run")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    clips = read_clips(arguments.clips, arguments.frames, arguments.emotions, arguments.faces)
    rows: dict[str, float | str] = {"clips": float(len(clips)), "panels": float(2 * len(clips))}
    for heads in get_args(Heads):
        for label, value in measure(load_metric(arguments.metric, heads=heads), clips):
            rows[f"{heads}: {label}"] = float(value)
    trained, random = (triplets_by_clip(load_metric(arguments.metric, heads=x), clips) for x in ("trained", "random"))
    rows |= dict(gains(trained, random, "gain in triplets"))
    for file in arguments.compare:
        rows |= {f"{file}: {label}": float(value) for label, value in measure(load_metric(file), clips)}
        rows |= dict(gains(triplets_by_clip(load_metric(file), clips), trained, f"{file}: gain on trained"))
    print_rows("metric", rows, arguments.json)


if __name__ == "__main__":
    main()
