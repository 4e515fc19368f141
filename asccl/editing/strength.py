"""Choose the largest edit strength that preserves identity.

The same preset costs one face more identity similarity than another, and shows less on one than on another. At
intensity 1 an edit is therefore scaled, by one factor for the whole clip, until a face-recognition network just still
recognizes the person on a few sample frames. The factor is bounded, and the user's intensity multiplies it: intensity 2
gives twice the change.

The factor scales what an edit adds to a calm face. What it takes away of a smile or a scowl is outside this budget: the
same person without a smile has another embedding in any case, and half a smile is neither the source nor the emotion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from asccl.directors.base import Director, Target
from asccl.face.crop import arcface_crop
from asccl.renderers.base import Renderer, RenderPlan
from asccl.types import EMOTIONS, Image, Motion
from asccl.video.threads import prefetch

# Between the embeddings of source and edit at intensity 1, by emotion. Recognition networks were trained on smiling and
# calm people: a wrinkled nose with a raised lip costs identity long before it reads as disgust, and so do the raised
# brows, wide eyes and open mouth of surprise and fear. A smile has more, since people do not see a fainter one.
# Anger has more for brows that slant: flat ones cost less, but look tired or worried. An adapted edit starts from the
# preset at this budget and saves a seventh of its raw shift, disgust and sadness excepted (`RAW_SHIFT_SHARES` in
# `adaptation/bounds.py`): it ends above.
MIN_MEAN_COSINE = 0.925  # of an emotion without a budget of its own
MIN_MEAN_COSINES: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(EMOTIONS, MIN_MEAN_COSINE)
    | {"angry": 0.918, "disgusted": 0.895, "fear": 0.91, "happy": 0.915, "surprised": 0.917}
)
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


def min_identity_cosine(emotion_weights: np.ndarray) -> float:
    """Smallest identity cosine of an edit by the share of each emotion in it, (7,), sum 1."""
    return float(sum(w * MIN_MEAN_COSINES[e] for w, e in zip(emotion_weights, EMOTIONS, strict=True)))


def identity_preserving_strength(
    motion: Motion,
    director: Director,
    target: Target,
    renderer: Renderer[RenderPlan],
    samples: Sequence[FaceSample],
    embed: Callable[[np.ndarray], np.ndarray],
    min_cosine: float = MIN_MEAN_COSINE,
) -> float:
    """Search the edit strength at which what an edit adds lowers the identity similarity to a minimum.

    The edit is compared with the source without what contradicts the emotion (strength 0).

    Args:
        motion: of the source; its weights count as 1.
        director: decides the edited motion.
        target: what it directs to, whatever its intensity.
        renderer: of the person.
        samples: frames to compare.
        embed: face embeddings of crops (N, 112, 112, 3), (N, D) of unit length.
        min_cosine: that minimum, see `min_identity_cosine`.

    Returns:
        The factor of the intensity, in [MIN_STRENGTH, MAX_STRENGTH]; 1 without samples.
    """
    if not samples:
        return 1.0
    motion = replace(motion, weight=np.ones_like(motion.weight))

    def embed_edit(strength: float) -> np.ndarray:
        edited_motion = director(motion, replace(target, intensity=strength, removal=1.0))
        session = renderer.start(renderer.plan(motion, edited_motion))
        edited = (arcface_crop(session.render(s.image, s.landmarks, s.t), s.landmarks) for s in samples)
        return np.concatenate([embed(crop[None]) for crop in prefetch(edited)])  # rendered in another thread

    calm_embeddings = embed_edit(0.0)

    def identity_loss(strength: float) -> float:
        return 1 - float((embed_edit(strength) * calm_embeddings).sum(1).mean())

    strength = 1.0
    for _ in range(MAX_ITERATIONS):  # the loss grows about with the square of the strength
        previous, loss = strength, max(identity_loss(strength), MIN_LOSS)
        strength = float(np.clip(strength * np.sqrt((1 - min_cosine) / loss), MIN_STRENGTH, MAX_STRENGTH))
        if abs(strength - previous) < RELATIVE_TOLERANCE * previous:
            break
    return strength
