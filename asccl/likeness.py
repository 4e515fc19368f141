"""How strong an edit may be before the person stops looking like themselves.

The same preset costs one face more likeness than another. At intensity 1 an edit is therefore held back, for the whole
clip at once, to where a face-recognition network still sees the same person on a few sample frames. The user's own
intensity comes on top: who asks for 2 gets twice of that.
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

BUDGET = 0.89  # least mean cosine between source and edit at intensity 1
WEAKEST = 0.4  # an edit is never held back further than to this share
STEPS = 4  # halvings of the search


class Sample(NamedTuple):
    """A frame to judge by: its number in the motion, (H, W, 3) uint8 RGB, landmarks (478, 3) pixels."""

    t: int
    image: Image
    landmarks: np.ndarray


def bearable_strength(
    motion: Motion,
    director: Director,
    target: Target,
    renderer: Renderer,
    samples: Sequence[Sample],
    embed: Callable[[np.ndarray], np.ndarray],
) -> float:
    """Share in [WEAKEST, 1] of the edit that keeps the person, whatever `target.intensity` is. The renderer must have
    studied the clip; it is left with another plan."""
    if not samples:
        return 1.0
    full = replace(motion, weight=np.ones_like(motion.weight))
    before = embed(np.stack([arcface_crop(s.image, s.landmarks) for s in samples]))

    def likeness(strength: float) -> float:
        renderer.plan(full, director(full, replace(target, intensity=strength)))
        after = [arcface_crop(renderer.render(s.image, s.landmarks, s.t), s.landmarks) for s in samples]
        return float((embed(np.stack(after)) * before).sum(1).mean())

    if likeness(1.0) >= BUDGET:
        return 1.0
    low, high = WEAKEST, 1.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if likeness(middle) >= BUDGET else (low, middle)
    return low
