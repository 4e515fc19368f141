"""An expression that lasts through a clip is found in the coefficients, the shape of the person in the identity."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter, fit_weak_perspective
from asccl.morphable.identity import expected_levels
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS, Motion, Track

HEAD = load_anny_head()
FITTER = Fitter(HEAD)
FRAMES = 24
LASTING = {
    "neutral": {},
    "happy": {"mouthSmile": 0.8, "mouthUpperUp": 0.4, "cheekSquint": 0.4},
    "angry": {"browDown": 0.7, "noseSneer": 0.3, "eyeSquint": 0.4},
}


def reading(emotion: str) -> np.ndarray:
    """Emotion probabilities (7,) of a network that is fairly sure."""
    return 0.8 * np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)] + 0.2 / len(EMOTIONS)


class Speaker:
    """A synthetic speaker who shows one emotion all through."""

    def __init__(self, emotion: str, seed: int):
        rng = np.random.default_rng(seed)
        self.neutral = HEAD.landmarks(np.zeros(52), rng.normal(0, 0.85, len(HEAD.identity)))
        self.coefficients = talking_track(rng, FRAMES, HEAD).astype(np.float64)
        for name, value in LASTING[emotion].items():
            for side in ("Left", "Right"):
                self.coefficients[:, HEAD.index[name + side]] += value
        points = self.neutral + np.tensordot(self.coefficients, HEAD.expression, 1)
        self.landmarks = np.zeros((FRAMES, 478, 3), np.float32)
        for t, angle in enumerate(0.2 * np.sin(np.arange(FRAMES) / 5)):
            turn = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
            self.landmarks[t, :468] = 10 * points[t] @ np.array(turn).T + (200, 180, 0)
        self.landmarks += rng.normal(0, 0.15, self.landmarks.shape)

    def fit(self, probabilities: np.ndarray | None) -> Motion:
        track = Track(np.ones(FRAMES, np.float32), np.zeros(FRAMES, np.int32))
        identity = FITTER.fit_identity(self.landmarks, probabilities)
        return FITTER.fit_motion(track, lambda a, b: self.landmarks[a:b], identity)


def level(motion: Motion, name: str) -> float:
    return float(motion.coefficients[:, HEAD.index[name]].mean())


def shape_error(motion: Motion, neutral: np.ndarray) -> float:
    """Mean distance of the neutral landmarks after alignment, cm."""
    scale, rotation, translation = fit_weak_perspective(motion.identity, neutral[None].astype(float), np.ones(468))
    return float(np.linalg.norm((neutral - translation[0]) @ rotation[0] / scale[0] - motion.identity, axis=1).mean())


@pytest.mark.parametrize(("emotion", "unit"), [("happy", "mouthSmileLeft"), ("angry", "browDownRight")])
def test_a_lasting_expression_is_in_the_coefficients(emotion, unit):
    speaker = Speaker(emotion, seed=3)
    assert level(speaker.fit(reading(emotion)), unit) > 0.6 * speaker.coefficients[:, HEAD.index[unit]].mean()


@pytest.mark.parametrize("emotion", LASTING)
def test_the_shape_of_a_speaker_is_recovered_whatever_the_expression(emotion):
    speaker = Speaker(emotion, seed=4)
    assert shape_error(speaker.fit(reading(emotion)), speaker.neutral) < 0.15


@pytest.mark.parametrize("unit", ["mouthSmileLeft", "browDownLeft", "noseSneerLeft"])
def test_a_speaker_who_reads_as_neutral_shows_nothing(unit):
    assert np.mean([level(Speaker("neutral", seed).fit(reading("neutral")), unit) for seed in (5, 6)]) < 0.15


@pytest.mark.parametrize(("emotion", "unit"), [("happy", "mouthSmileLeft"), ("angry", "browDownLeft")])
def test_the_reading_of_the_emotion_is_evidence(emotion, unit):
    speaker = Speaker(emotion, seed=7)
    assert level(speaker.fit(reading(emotion)), unit) > level(speaker.fit(reading("neutral")), unit) + 0.1


def test_no_lasting_expression_is_expected_of_a_neutral_reading():
    levels = expected_levels(np.eye(len(EMOTIONS))[0], HEAD.names)
    assert set(np.array(HEAD.names)[levels > 0]) == {"mouthUpperUpLeft", "mouthUpperUpRight"}
