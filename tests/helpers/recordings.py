"""Prepared folders without a video: made-up speakers, whose words and emotions are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asccl.data.clips import MANIFEST, ClipRecord, units_digest, write_clip
from asccl.data.labels import Labels
from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.synthetic.datasets import talking_track
from asccl.synthetic.speech import apply_emotion, sample_style
from asccl.types import Motion
from training.preprocess.clip import clip_settings, crop_matrices

RATE, SCALE, SIZE = 25.0, 8.0, 48
HEAD = load_anny_head()


def word_coefficients(number: int, frames: int = 40) -> np.ndarray:
    """(frames, 52) the words of that number."""
    return talking_track(np.random.default_rng(number), frames, HEAD)


def write_recording(
    folder: Path, labels: Labels, said: np.ndarray, seed: int = 0, sound: bool = True, hidden: slice = slice(0)
) -> ClipRecord:
    """One clip more: words (T, 52) said with the emotion of the labels; the sound is the words, the brightness of a
    picture the number of its frame. hidden: frames without a face."""
    t = len(said)
    name = f"{labels.person}-{labels.words}-{labels.emotion}-{seed}"
    coefficients = said
    if labels.emotion is not None:
        coefficients = apply_emotion(said, sample_style(np.random.default_rng(seed), labels.emotion, HEAD), HEAD)
    presence, shot = np.ones(t, np.float32), np.zeros(t, np.int32)
    presence[hidden] = 0
    place = np.array([80.0, 90.0, 0.0], np.float32)
    motion = Motion(
        coefficients, np.full(t, SCALE, np.float32), np.repeat(np.eye(3, dtype=np.float32)[None], t, 0),
        np.repeat(place[None], t, 0), HEAD.neutral, presence,
    )  # fmt: skip
    points = np.full((t, mesh.NUM_LANDMARKS, 3), np.nan, np.float32)
    points[:, : mesh.NUM_FACE_LANDMARKS] = SCALE * HEAD.landmarks(coefficients) + place
    points[:, mesh.NUM_FACE_LANDMARKS :] = points[:, :1]
    points[hidden] = np.nan
    tensors = {
        "coefficients": coefficients, "scale": motion.scale, "rotation": motion.rotation,
        "translation": motion.translation, "identity": motion.identity, "presence": presence, "shot": shot,
        "times": np.arange(t) / RATE, "landmarks": points, "crop": crop_matrices(motion, shot, SIZE),
        "cepstra": said_as_sound(said) if sound else np.zeros((0, 13), np.float32),
    }  # fmt: skip
    pictures = (np.full((SIZE, SIZE, 3), 5 * i % 256, np.uint8) if presence[i] else None for i in range(t))
    file = f"clips/{name}.safetensors"
    size, digest = write_clip(folder / file, pictures, tensors)
    row = ClipRecord(
        file=file, source=f"{name}.mp4", source_bytes=1, sha256=digest, bytes=size, frames=t, valid=int(presence.sum()),
        rate=RATE, size=SIZE, error=1.0, settings=clip_settings(SIZE), versions={}, units=units_digest(HEAD.names),
        **vars(labels),
    )  # fmt: skip
    with (folder / MANIFEST).open("a") as file:
        file.write(row.to_json_line())
    return row


def said_as_sound(said: np.ndarray) -> np.ndarray:
    """(T, 52) -> (N, 13) at 30 a second: mouth and jaw, as if one heard them."""
    loud = said @ np.random.default_rng(0).normal(size=(52, 13))
    at = np.arange(0, len(said) / RATE, 1 / 30) * RATE
    return np.stack([np.interp(at, np.arange(len(said)), column) for column in loud.T], -1).astype(np.float32)
