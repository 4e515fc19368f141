"""How well the two bundled networks tell people and emotions apart, and how long they take.

People: cosines of ArcFace embeddings of frames of the same speaker from different clips, and of different speakers.
Emotions: the clip's mean probabilities against the emotion in its file name.

    python benchmarks/nets.py --clips DIR [--panels 4] [--frames 12] [--json FILE]

DIR holds videos SPEAKER_..._EMOTION_NUMBER.mp4, at any depth. With `--panels 4` each shows four pictures side by side,
as the published ones do (source | reference | NED | ASCCL): the first gives the speaker, in whatever emotion, the
second the emotion, on whatever speaker. With one panel, both come from it. No such clips are shipped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import mediapipe
import numpy as np

from asccl.face.crop import arcface_crop, expression_crop
from asccl.face.mesh import NUM_LANDMARKS
from asccl.types import EMOTIONS, Image
from asccl.zoo import load_embedder, load_expression_net

BORDER = 96  # pixels added round a panel, where a tight one leaves the detector too little


@dataclass(frozen=True)
class Clip:
    """What one file gave: embeddings (T, D) of the speaker, mean probabilities (7,) of the emotions."""

    path: Path
    embeddings: np.ndarray
    probabilities: np.ndarray

    @property
    def speaker(self) -> str:
        return self.path.stem.split("_")[0]

    @property
    def emotion(self) -> int:
        return next(EMOTIONS.index(word) for word in self.path.stem.split("_") if word in EMOTIONS)


def read_frames(path: Path, count: int) -> list[Image]:
    """`count` frames spread over the video, RGB; black ones at its end left out."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (answer := capture.read())[0]:
        frames.append(answer[1])
    frames = [frame for frame in frames if frame.mean() > 8]
    chosen = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    return [cv2.cvtColor(frames[i], cv2.COLOR_BGR2RGB) for i in chosen]


def with_landmarks(frames: list[Image]) -> Iterator[tuple[Image, np.ndarray]]:
    """Frames that show a face, each with its (478, 2) landmarks."""
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        for frame in frames:
            padded = cv2.copyMakeBorder(frame, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
            faces = mesh.process(padded).multi_face_landmarks
            if faces:
                points = np.array([(p.x, p.y) for p in faces[0].landmark])
                assert len(points) == NUM_LANDMARKS
                yield frame, points * padded.shape[1::-1] - BORDER


def read_clip(path: Path, panels: int, count: int) -> Clip:
    """Runs both networks over the clip."""
    frames = read_frames(path, count)
    width = frames[0].shape[1] // panels
    speaker = [np.ascontiguousarray(frame[:, :width]) for frame in frames]
    emotion = [np.ascontiguousarray(frame[:, width : 2 * width]) for frame in frames] if panels > 1 else speaker
    emotion = [frame for frame in emotion if frame.mean() > 8]
    faces = [arcface_crop(*pair) for pair in with_landmarks(speaker)]
    expressions = [expression_crop(*pair) for pair in with_landmarks(emotion)]
    return Clip(
        path,
        load_embedder().embed(np.stack(faces)),
        load_expression_net().probabilities(np.stack(expressions)).mean(0),
    )


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """The chance that a positive is above a negative (Mann-Whitney)."""
    below = np.searchsorted(np.sort(negative), positive, "left") + np.searchsorted(np.sort(negative), positive, "right")
    return float(below.mean() / 2 / len(negative))


def people(clips: list[Clip]) -> dict[str, float]:
    """Cosines over all pairs of frames of different clips, of the same and of different speakers."""
    same: list[np.ndarray] = []
    other: list[np.ndarray] = []
    for i, a in enumerate(clips):
        for b in clips[:i]:
            (same if a.speaker == b.speaker else other).append((a.embeddings @ b.embeddings.T).ravel())
    positive, negative = np.concatenate(same), np.concatenate(other)
    spread = np.sqrt((positive.var() + negative.var()) / 2)
    return {
        "same_person_cosine": float(positive.mean()),
        "same_person_cosine_5th_percentile": float(np.percentile(positive, 5)),
        "other_person_cosine": float(negative.mean()),
        "other_person_cosine_95th_percentile": float(np.percentile(negative, 95)),
        "distance_in_deviations": float((positive.mean() - negative.mean()) / spread),
        "auc": area_under_curve(positive, negative),
        "same_pairs": len(positive),
        "other_pairs": len(negative),
    }


def emotions(clips: list[Clip]) -> dict[str, float]:
    """Share of clips whose emotion has the highest mean probability, and that probability's mean."""
    right = [int(clip.probabilities.argmax()) == clip.emotion for clip in clips]
    return {
        "emotion_accuracy": float(np.mean(right)),
        "emotion_probability": float(np.mean([clip.probabilities[clip.emotion] for clip in clips])),
        "emotion_clips": len(clips),
    }


def speed() -> dict[str, float]:
    """Median milliseconds a crop, one by one and sixteen at once."""
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of videos; left out, only the speed is measured")
    parser.add_argument("--panels", type=int, default=1)
    parser.add_argument("--frames", type=int, default=12, help="frames looked at in each clip")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    report: dict[str, float] = {}
    if arguments.clips:
        clips = [read_clip(p, arguments.panels, arguments.frames) for p in sorted(arguments.clips.rglob("*.mp4"))]
        for clip in clips:
            named = ", ".join(f"{e} {p:.2f}" for e, p in zip(EMOTIONS, clip.probabilities, strict=True) if p > 0.1)
            print(f"{clip.path.stem:40} {named}")
        report |= people(clips) | emotions(clips)
    report |= speed()
    for name, value in report.items():
        print(f"{name:40} {value:10.3f}")
    line = json.dumps({"benchmark": "nets", **report})
    print(line)
    if arguments.json:
        with arguments.json.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
