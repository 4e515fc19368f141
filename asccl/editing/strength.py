"""Choose the largest edit strength that preserves identity.

The same preset costs one face more identity similarity than another, and shows less on one than on another. At
intensity 1 an edit is therefore scaled, by one factor for the whole clip, until a face-recognition network just still
recognizes the person on a few sample frames. The factor is bounded, and the user's intensity multiplies it: intensity 2
gives twice the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asccl.directors.base import Director, Target
from asccl.face.crop import arcface_crop
from asccl.renderers.base import Renderer, RenderPlan
from asccl.types import Image, Motion

MIN_MEAN_COSINE = 0.912  # between the embeddings of source and edit at intensity 1
MIN_STRENGTH, MAX_STRENGTH = 0.55, 1.3
MAX_ITERATIONS = 3
RELATIVE_TOLERANCE = 0.05  # change of the strength below which the search ends
MIN_LOSS = 1e-6  # keeps the next strength finite


class FaceSample(NamedTuple):
    """A sample frame of a person.

    Attributes:
        t: index of the frame in the motion.
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) pixels.
    """

    t: int
    image: Image
    landmarks: np.ndarray


def identity_preserving_strength(
    motion: Motion,
    director: Director,
    target: Target,
    renderer: Renderer[RenderPlan],
    samples: Sequence[FaceSample],
    embed: Callable[[np.ndarray], np.ndarray],
) -> float:
    """Search the edit strength at which the identity similarity of source and edit falls to `MIN_MEAN_COSINE`.

    Args:
        motion: of the source; its weights count as 1.
        director: decides the edited motion.
        target: what it directs to, whatever its intensity.
        renderer: of the person.
        samples: frames to compare.
        embed: face embeddings of crops (N, 112, 112, 3), (N, D) of unit length.

    Returns:
        The factor of the intensity, in [MIN_STRENGTH, MAX_STRENGTH]; 1 without samples.
    """
    if not samples:
        return 1.0
    motion = replace(motion, weight=np.ones_like(motion.weight))
    source_embeddings = embed(np.stack([arcface_crop(s.image, s.landmarks) for s in samples]))

    def identity_loss(strength: float) -> float:
        session = renderer.start(renderer.plan(motion, director(motion, replace(target, intensity=strength))))
        edited = [arcface_crop(session.render(s.image, s.landmarks, s.t), s.landmarks) for s in samples]
        return 1 - float((embed(np.stack(edited)) * source_embeddings).sum(1).mean())

    strength = 1.0
    for _ in range(MAX_ITERATIONS):  # the loss grows about with the square of the strength
        previous, loss = strength, max(identity_loss(strength), MIN_LOSS)
        strength = float(np.clip(strength * np.sqrt((1 - MIN_MEAN_COSINE) / loss), MIN_STRENGTH, MAX_STRENGTH))
        if abs(strength - previous) < RELATIVE_TOLERANCE * previous:
            break
    return strength
