"""How strong an edit may be before the person stops looking like themselves.

The same preset costs one face more likeness than another, and shows less on one than on another. At intensity 1 an edit
therefore goes, for the whole clip at once, as far as a face-recognition network still sees the same person on a few
sample frames, within bounds. The user's own intensity comes on top: who asks for 2 gets twice of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asccl.directors.base import Director, Target
from asccl.face.crop import arcface_crop
from asccl.renderers.base import Renderer
from asccl.types import Image, Motion

MIN_MEAN_COSINE = 0.912  # least mean cosine between source and edit at intensity 1
MIN_STRENGTH, MAX_STRENGTH = 0.55, 1.3  # an edit is never weaker or stronger than this share of what its director says
MAX_ITERATIONS = 3  # at most, until the strength is found
RELATIVE_TOLERANCE = 0.05  # of the strength that counts as found


class FaceSample(NamedTuple):
    """A frame to judge by: its number in the motion, (H, W, 3) uint8 RGB, landmarks (478, 3) pixels."""

    t: int
    image: Image
    landmarks: np.ndarray


def identity_preserving_strength(
    motion: Motion,
    director: Director,
    target: Target,
    renderer: Renderer,
    samples: Sequence[FaceSample],
    embed: Callable[[np.ndarray], np.ndarray],
) -> float:
    """Share in [WEAKEST, STRONGEST] of the edit that keeps the person, whatever `target.intensity` is; 1 without
    samples. The renderer must have studied the clip; it is left with another plan."""
    if not samples:
        return 1.0
    full = replace(motion, weight=np.ones_like(motion.weight))
    before = embed(np.stack([arcface_crop(s.image, s.landmarks) for s in samples]))

    def lost(strength: float) -> float:
        renderer.plan(full, director(full, replace(target, intensity=strength)))
        after = [arcface_crop(renderer.render(s.image, s.landmarks, s.t), s.landmarks) for s in samples]
        return 1 - float((embed(np.stack(after)) * before).sum(1).mean())

    strength = 1.0
    for _ in range(MAX_ITERATIONS):  # what is lost grows about with the square of the strength
        last, loss = strength, max(lost(strength), 1e-6)
        strength = float(np.clip(strength * np.sqrt((1 - MIN_MEAN_COSINE) / loss), MIN_STRENGTH, MAX_STRENGTH))
        if abs(strength - last) < RELATIVE_TOLERANCE * last:
            break
    return strength
