"""Prepared folders without videos: synthetic speakers whose words and emotions are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asccl.data.clips import write_clip
from asccl.data.labels import Labels
from asccl.data.manifest import MANIFEST, ClipRecord, units_digest
from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.speech import talking_track
from asccl.types import Motion
from training.preprocess.clip import clip_settings, crop_matrices

RATE = 25.0  # frames per second
SCALE = 8.0  # pixels per cm
SIZE = 48  # pixels
TRANSLATION = np.array([80.0, 90.0, 0.0], np.float32)  # pixels
CEPSTRA_RATE = 30  # Hz
HEAD = load_anny_head()


def word_coefficients(number: int, frames: int = 40) -> np.ndarray:
    """Coefficients (frames, 52) of the words with this number."""
    return talking_track(np.random.default_rng(number), frames, HEAD)


def write_recording(
    folder: Path, labels: Labels, words: np.ndarray, seed: int = 0, sound: bool = True, hidden: slice = slice(0)
) -> ClipRecord:
    """Add a clip to a prepared folder. The brightness of an image encodes the number of its frame.

    Args:
        folder: the prepared folder.
        labels: of the clip.
        words: (T, 52) neutral coefficients; the emotion of the labels is added, and the sound derived from them.
        seed: selects a variant of the emotion.
        sound: whether the clip has sound.
        hidden: frames without a face.
    """
    frames = len(words)
    coefficients = words
    if labels.emotion is not None:
        coefficients = apply_emotion(words, sample_style(np.random.default_rng(seed), labels.emotion, HEAD), HEAD)
    presence, shot = np.ones(frames, np.float32), np.zeros(frames, np.int32)
    presence[hidden] = 0
    motion = Motion(
        coefficients=coefficients,
        scale=np.full(frames, SCALE, np.float32),
        rotation=np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0),
        translation=np.repeat(TRANSLATION[None], frames, 0),
        identity=HEAD.neutral,
        weight=presence,
    )
    tensors = {
        "coefficients": coefficients,
        "scale": motion.scale,
        "rotation": motion.rotation,
        "translation": motion.translation,
        "identity": motion.identity,
        "presence": presence,
        "shot": shot,
        "times": np.arange(frames) / RATE,
        "landmarks": _landmarks(coefficients, hidden),
        "crop": crop_matrices(motion, shot, SIZE),
        "cepstra": _cepstra(words) if sound else np.zeros((0, 13), np.float32),
    }
    images = (np.full((SIZE, SIZE, 3), 5 * i % 256, np.uint8) if presence[i] else None for i in range(frames))
    name = f"{labels.person}-{labels.words}-{labels.emotion}-{seed}"
    file = f"clips/{name}.safetensors"
    size, digest = write_clip(folder / file, images, tensors)
    record = ClipRecord(
        file=file,
        source=f"{name}.mp4",
        source_bytes=1,
        sha256=digest,
        bytes=size,
        frames=frames,
        valid=int(presence.sum()),
        rate=RATE,
        size=SIZE,
        error=1.0,
        settings=clip_settings(SIZE),
        versions={},
        units=units_digest(HEAD.names),
        **vars(labels),
    )
    with (folder / MANIFEST).open("a") as manifest:
        manifest.write(record.to_json_line())
    return record


def _landmarks(coefficients: np.ndarray, hidden: slice) -> np.ndarray:
    """(T, 478, 3) pixels, NaN in hidden frames; the irises are not modelled."""
    landmarks = np.full((len(coefficients), mesh.NUM_LANDMARKS, 3), np.nan, np.float32)
    landmarks[:, : mesh.NUM_FACE_LANDMARKS] = SCALE * HEAD.landmarks(coefficients) + TRANSLATION
    landmarks[:, mesh.NUM_FACE_LANDMARKS :] = landmarks[:, :1]
    landmarks[hidden] = np.nan
    return landmarks


def _cepstra(words: np.ndarray) -> np.ndarray:
    """(N, 13) at `CEPSTRA_RATE`: a random projection of the coefficients (T, 52), as features of the sound."""
    features = words @ np.random.default_rng(0).normal(size=(52, 13))
    times = np.arange(0, len(words) / RATE, 1 / CEPSTRA_RATE) * RATE
    return np.stack([np.interp(times, np.arange(len(words)), column) for column in features.T], -1).astype(np.float32)
