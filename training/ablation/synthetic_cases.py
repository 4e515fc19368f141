"""Whom an ablation is judged on: a made-up speaker who says the same words with two emotions, before one camera.

The speaker is the one whom the renderers of the same seed were taught, with words that no training heard. What the edit
should look like is therefore known, frame by frame.
"""

from __future__ import annotations

import numpy as np

from asccl.morphable.anny_head import AnnyHead
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.head_crop import pixels_per_cm
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import FRAME_SIDE, talking_track
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import apply_emotion, sample_style
from asccl.types import EMOTIONS
from training.ablation.cases import CROSS, INTRA, REFERENCE_FRAMES, REFERENCE_IMAGES, Case, Reference


class SpeakerView:
    """A person in the square that a renderer paints. rng: draws person and camera."""

    def __init__(self, rng: np.random.Generator, surface: FaceSurface, size: int):
        self.person = SyntheticPerson.sample(rng, surface.head)
        far = Camera.sample(rng, FRAME_SIDE)
        self.scene = Scene.synthetic(surface, self.person.identity, [far], size)
        crop = self.scene.crops[0]
        matrix = np.column_stack([crop[:, :2] @ far.matrix[:, :2], crop[:, :2] @ far.matrix[:, 2] + crop[:, 2]])
        self._camera = Camera(far.rotation, far.distance, matrix, (size, size))
        self._sitting = HeadRenderer(self.person, surface.head, pixels_per_cm(far, crop))

    def pictures(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, 52) -> (n, S, S, 3) uint8 RGB."""
        return np.stack([self._sitting.render(w, self._camera) for w in coefficients])

    def landmarks(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, 52) -> (n, 468, 2) pixels, true."""
        return np.stack([self._sitting.landmarks(w, self._camera) for w in coefficients])

    def conditions(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, 52) -> (n, 10, S, S) float32 in [0, 1], what the renderer paints from."""
        return np.stack([self.scene.frame_channels(w, 0) for w in coefficients])


def synthetic_cases(seed: int, emotions: int, frames: int, each: int, size: int, surface: FaceSurface) -> list[Case]:
    """Of the person whom the renderers of a seed are taught. emotions: how many are wanted. frames: T. each: cases of
    every wanted emotion."""
    speaker = SpeakerView(np.random.default_rng((seed, 0, 6)), surface, size)  # as `synthetic_portrait` draws them
    other = SpeakerView(np.random.default_rng((seed, 0, 10)), surface, size)
    return [
        _case(np.random.default_rng((seed, emotion, n, 9)), emotion, frames, speaker, other, surface.head)
        for emotion in range(emotions)
        for n in range(each)
    ]


def _case(
    rng: np.random.Generator, emotion: int, frames: int, speaker: SpeakerView, other: SpeakerView, head: AnnyHead
) -> Case:
    calm = int(rng.choice([e for e in range(len(EMOTIONS)) if e != emotion]))
    said, more, theirs = (talking_track(rng, n, head) for n in (frames, REFERENCE_FRAMES, REFERENCE_FRAMES))
    first, second, somebody = (sample_style(rng, EMOTIONS[e], head) for e in (calm, emotion, emotion))
    source, truth = apply_emotion(said, first, head), apply_emotion(said, second, head)
    intra, cross = apply_emotion(more, second, head), apply_emotion(theirs, somebody, head)
    places = speaker.landmarks(truth)
    return Case(
        source, truth, emotion, speaker.pictures(source), speaker.pictures(truth), places, places,
        speaker.conditions, {INTRA: _shown(speaker, intra), CROSS: _shown(other, cross)},
    )  # fmt: skip


def _shown(who: SpeakerView, coefficients: np.ndarray) -> Reference:
    some = coefficients[:: REFERENCE_FRAMES // REFERENCE_IMAGES]
    return Reference(coefficients, who.pictures(some), who.landmarks(some))
