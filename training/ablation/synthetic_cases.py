"""Synthetic test cases: a speaker says the same words with two emotions before one camera.

The speaker is the one whom the renderers of the same seed are trained on, with words that are in no training. The true
edit is therefore known, frame by frame.
"""

from __future__ import annotations

import numpy as np

from asccl.morphable.anny_head import AnnyHead
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.head_crop import pixels_per_cm
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import FRAME_SIDE
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS
from training.ablation.cases import CROSS_ID, INTRA_ID, REFERENCE_FRAMES, REFERENCE_IMAGES, AblationCase, Reference
from training.datasets.synthetic_portraits import camera_of_crop


class SpeakerView:
    """A synthetic person in the square that a renderer works on.

    Args:
        rng: samples person and camera.
        surface: of the head model.
        size: side of the square, pixels.
    """

    def __init__(self, rng: np.random.Generator, surface: FaceSurface, size: int):
        self.person = SyntheticPerson.sample(rng, surface.head)
        camera = Camera.sample(rng, FRAME_SIDE)
        self.scene = Scene.synthetic(surface, self.person.identity, [camera], size)
        crop_matrix = self.scene.crop_matrices[0]
        self._camera = camera_of_crop(camera, crop_matrix, size)
        self._renderer = HeadRenderer(self.person, surface.head, pixels_per_cm(camera, crop_matrix))

    def images(self, coefficients: np.ndarray) -> np.ndarray:
        """Render images: (n, 52) -> (n, S, S, 3) uint8 RGB."""
        return np.stack([self._renderer.render(w, self._camera) for w in coefficients])

    def landmarks(self, coefficients: np.ndarray) -> np.ndarray:
        """Project the true landmarks: (n, 52) -> (n, 468, 2) pixels."""
        return np.stack([self._renderer.landmarks(w, self._camera) for w in coefficients])

    def conditions(self, coefficients: np.ndarray) -> np.ndarray:
        """Compute the input of the renderer: (n, 52) -> (n, 10, S, S) float32 in [0, 1]."""
        return np.stack([self.scene.frame_channels(w, 0) for w in coefficients])

    def reference(self, coefficients: np.ndarray) -> Reference:
        """Return this person as a reference with these coefficients (R, 52)."""
        sampled = coefficients[:: REFERENCE_FRAMES // REFERENCE_IMAGES]
        return Reference(coefficients, self.images(sampled), self.landmarks(sampled))


def synthetic_cases(
    seed: int, emotions: int, frames: int, cases_per_emotion: int, size: int, surface: FaceSurface
) -> list[AblationCase]:
    """Render the cases of a seed.

    Args:
        seed: of the renderers, which determines the speaker.
        emotions: number of target emotions.
        frames: of a case.
        cases_per_emotion: cases of every target emotion.
        size: side of an image, pixels.
        surface: of the head model.
    """
    speaker = SpeakerView(np.random.default_rng((seed, 0, 6)), surface, size)  # the person of `synthetic_portrait`
    other = SpeakerView(np.random.default_rng((seed, 0, 10)), surface, size)
    return [
        _case(np.random.default_rng((seed, emotion, n, 9)), emotion, frames, speaker, other, surface.head)
        for emotion in range(emotions)
        for n in range(cases_per_emotion)
    ]


def _case(
    rng: np.random.Generator, emotion: int, frames: int, speaker: SpeakerView, other: SpeakerView, head: AnnyHead
) -> AblationCase:
    source_emotion = int(rng.choice([e for e in range(len(EMOTIONS)) if e != emotion]))
    speech, intra_speech, cross_speech = (
        talking_track(rng, n, head) for n in (frames, REFERENCE_FRAMES, REFERENCE_FRAMES)
    )
    source_style, target_style, other_style = (
        sample_style(rng, EMOTIONS[e], head) for e in (source_emotion, emotion, emotion)
    )
    source, truth = apply_emotion(speech, source_style, head), apply_emotion(speech, target_style, head)
    landmarks = speaker.landmarks(truth)
    return AblationCase(
        source=source,
        truth=truth,
        emotion=emotion,
        source_images=speaker.images(source),
        true_images=speaker.images(truth),
        source_landmarks=landmarks,
        true_landmarks=landmarks,
        conditions=speaker.conditions,
        references={
            INTRA_ID: speaker.reference(apply_emotion(intra_speech, target_style, head)),
            CROSS_ID: other.reference(apply_emotion(cross_speech, other_style, head)),
        },
    )
