"""Measure how well the two bundled networks separate people and emotions, and how fast they are.

People: cosines of ArcFace embeddings of frames of one speaker from different clips, and of different speakers.
Emotions: the mean probabilities of a clip, compared with the emotion in its file name.

    python -m benchmarks.nets --clips DIR [--panels 4] [--frames 12] [--json FILE]

DIR holds videos SPEAKER_..._EMOTION_NUMBER.mp4, at any depth. With `--panels 4` each shows four images side by side, as
the published ones do (source | reference | NED | ASCCL): the first shows the speaker, with any emotion, the second the
emotion, on any speaker. With one panel, it shows both. No such clips are bundled.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import mediapipe
import numpy as np

from asccl.face.crop import arcface_crop, expression_crop
from asccl.types import EMOTIONS, Image
from asccl.zoo import load_embedder, load_expression_net
from benchmarks.report import print_rows

BORDER = 96  # pixels added around a panel, because the detector needs a margin around the face
MIN_BRIGHTNESS = 8  # mean grey level; darker frames show no face


@dataclass(frozen=True)
class ClipReadings:
    """The results of one clip.

    Attributes:
        path: the video.
        embeddings: of the speaker, (T, D).
        probabilities: mean probabilities of the emotions, (7,).
    """

    path: Path
    embeddings: np.ndarray
    probabilities: np.ndarray

    @property
    def speaker(self) -> str:
        """The first word of the file name."""
        return self.path.stem.split("_")[0]

    @property
    def emotion(self) -> int:
        """Index of the emotion in the file name."""
        return next(EMOTIONS.index(word) for word in self.path.stem.split("_") if word in EMOTIONS)


def read_frames(path: Path, count: int) -> list[Image]:
    """Read `count` frames at equal distances, without black ones, as RGB."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (frame := capture.read()[1]) is not None:
        if frame.mean() > MIN_BRIGHTNESS:
            frames.append(frame)
    indices = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    return [cv2.cvtColor(frames[i], cv2.COLOR_BGR2RGB) for i in indices]


def with_landmarks(frames: Sequence[Image]) -> Iterator[tuple[Image, np.ndarray]]:
    """Yield the frames that show a face, each with its (478, 2) landmarks."""
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        for frame in frames:
            padded = cv2.copyMakeBorder(frame, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
            faces = mesh.process(padded).multi_face_landmarks
            if faces:
                points = np.array([(p.x, p.y) for p in faces[0].landmark])
                yield frame, points * padded.shape[1::-1] - BORDER


def read_clip(path: Path, panels: int, count: int) -> ClipReadings:
    """Apply both networks to a clip.

    Args:
        path: the video.
        panels: images side by side in a frame.
        count: frames to read.

    Returns:
        The results of the clip.
    """
    frames = read_frames(path, count)
    width = frames[0].shape[1] // panels
    speaker = [np.ascontiguousarray(frame[:, :width]) for frame in frames]
    emotion = [np.ascontiguousarray(frame[:, width : 2 * width]) for frame in frames] if panels > 1 else speaker
    emotion = [frame for frame in emotion if frame.mean() > MIN_BRIGHTNESS]
    faces = [arcface_crop(*pair) for pair in with_landmarks(speaker)]
    expressions = [expression_crop(*pair) for pair in with_landmarks(emotion)]
    return ClipReadings(
        path,
        load_embedder().embed(np.stack(faces)),
        load_expression_net().probabilities(np.stack(expressions)).mean(0),
    )


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """Compute the probability that a positive value is above a negative one (Mann-Whitney)."""
    negative = np.sort(negative)
    rank_sums = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(rank_sums.mean() / 2 / len(negative))


def measure_people(clips: Sequence[ClipReadings]) -> dict[str, float]:
    """Compare all pairs of frames of different clips, of one speaker and of different speakers."""
    same: list[np.ndarray] = []
    other: list[np.ndarray] = []
    for i, a in enumerate(clips):
        for b in clips[:i]:
            (same if a.speaker == b.speaker else other).append((a.embeddings @ b.embeddings.T).ravel())
    positive, negative = np.concatenate(same), np.concatenate(other)
    deviation = np.sqrt((positive.var() + negative.var()) / 2)
    return {
        "same_person_cosine": float(positive.mean()),
        "same_person_cosine_5th_percentile": float(np.percentile(positive, 5)),
        "other_person_cosine": float(negative.mean()),
        "other_person_cosine_95th_percentile": float(np.percentile(negative, 95)),
        "distance_in_deviations": float((positive.mean() - negative.mean()) / deviation),
        "auc": area_under_curve(positive, negative),
        "same_pairs": len(positive),
        "other_pairs": len(negative),
    }


def measure_emotions(clips: Sequence[ClipReadings]) -> dict[str, float]:
    """Compute the share of clips whose emotion has the highest mean probability, and the mean of that probability."""
    correct = [int(clip.probabilities.argmax()) == clip.emotion for clip in clips]
    return {
        "emotion_accuracy": float(np.mean(correct)),
        "emotion_probability": float(np.mean([clip.probabilities[clip.emotion] for clip in clips])),
        "emotion_clips": len(clips),
    }


def measure_speed() -> dict[str, float]:
    """Measure the median milliseconds of a crop, one at a time and sixteen in a batch."""
    rng = np.random.default_rng(0)
    result = {}
    for name, function in (("embed", load_embedder().embed), ("probabilities", load_expression_net().probabilities)):
        for batch in (1, 16):
            crops = rng.integers(0, 256, (batch, 112, 112, 3), dtype=np.uint8)
            times = []
            for _ in range(15):
                start = time.perf_counter()
                function(crops)
                times.append((time.perf_counter() - start) * 1000 / batch)
            result[f"{name}_ms_batch_{batch}"] = float(np.median(times))
    return result


def main() -> None:
    """Print the measurements on some clips, and the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of videos; without one, only the speed is measured")
    parser.add_argument("--panels", type=int, default=1, help="images side by side in a frame")
    parser.add_argument("--frames", type=int, default=12, help="frames to read of each clip")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    rows: dict[str, float] = {}
    if arguments.clips:
        clips = [read_clip(p, arguments.panels, arguments.frames) for p in sorted(arguments.clips.rglob("*.mp4"))]
        for clip in clips:
            likely = ", ".join(f"{e} {p:.2f}" for e, p in zip(EMOTIONS, clip.probabilities, strict=True) if p > 0.1)
            print(f"{clip.path.stem:40} {likely}")
        rows |= measure_people(clips) | measure_emotions(clips)
    print_rows("nets", rows | measure_speed(), arguments.json)


if __name__ == "__main__":
    main()
