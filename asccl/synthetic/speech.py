"""What a synthetic speaker does without emotion: tracks of ARKit units for words, blinks, gaze and idle movement.

Words are a sequence of visemes blended by dominance functions (Cohen and Massaro 1993): every viseme moves all units
towards its targets around its time. Visemes with closed lips have the largest dominance, and the lips are then closed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asccl.morphable.emotions import expand_units, unit_indices
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import LIP_PART_UNITS, lip_opening_per_unit

FRAME_RATE = 25.0  # Hz
EPS = 1e-9

CONSONANTS: dict[str, dict[str, float]] = {
    "p": {"jawOpen": 0.07, "mouthPress": 0.16, "mouthRollLower": 0.16, "mouthRollUpper": 0.10},
    "f": {"jawOpen": 0.09, "mouthRollLower": 0.50, "mouthUpperUp": 0.22},
    "th": {"jawOpen": 0.19, "mouthLowerDown": 0.14, "tongueOut": 0.16},
    "t": {"jawOpen": 0.15, "mouthLowerDown": 0.16, "mouthUpperUp": 0.08},
    "s": {"jawOpen": 0.05, "mouthStretch": 0.18, "mouthLowerDown": 0.32, "mouthUpperUp": 0.20},
    "sh": {"jawOpen": 0.09, "mouthFunnel": 0.55, "mouthPucker": 0.20, "mouthLowerDown": 0.10},
    "k": {"jawOpen": 0.20, "mouthLowerDown": 0.06},
    "r": {"jawOpen": 0.14, "mouthFunnel": 0.30, "mouthPucker": 0.22},
    "w": {"jawOpen": 0.06, "mouthPucker": 0.80, "mouthFunnel": 0.18},
}
VOWELS: dict[str, dict[str, float]] = {
    "aa": {"jawOpen": 0.62, "mouthLowerDown": 0.10},
    "ae": {"jawOpen": 0.48, "mouthStretch": 0.18, "mouthUpperUp": 0.12, "mouthLowerDown": 0.12},
    "eh": {"jawOpen": 0.35, "mouthStretch": 0.12, "mouthUpperUp": 0.08, "mouthLowerDown": 0.10},
    "iy": {"jawOpen": 0.14, "mouthStretch": 0.26, "mouthSmile": 0.08, "mouthLowerDown": 0.22, "mouthUpperUp": 0.10},
    "uh": {"jawOpen": 0.26},
    "ao": {"jawOpen": 0.48, "mouthFunnel": 0.40, "mouthPucker": 0.12},
    "ow": {"jawOpen": 0.30, "mouthFunnel": 0.32, "mouthPucker": 0.48},
    "uw": {"jawOpen": 0.11, "mouthPucker": 0.78, "mouthFunnel": 0.30},
}
CONSONANT_PROBABILITIES = np.array([0.20, 0.10, 0.06, 0.22, 0.14, 0.06, 0.08, 0.07, 0.07])  # of CONSONANTS, in order
CLOSED_LIP_VISEME = "p"  # p, b and m
STRONG_VISEMES = ("p", "f", "w")
PAUSE = ""
CONSONANT_SECONDS, VOWEL_SECONDS, PAUSE_SECONDS = (0.06, 0.1), (0.09, 0.2), (0.12, 0.5)  # shortest, longest


def talking_track(rng: np.random.Generator, frames: int, head: HeadModel) -> np.ndarray:
    """Sample words with blinks, gaze and idle movement, without emotion.

    Args:
        rng: random numbers.
        frames: T.
        head: head model.

    Returns:
        Coefficients, (T, 52) float32 in [0, 1].
    """
    tracks = [sample(rng, frames, head) for sample in (speech_track, blink_track, gaze_track, idle_track)]
    return np.clip(np.sum(tracks, 0), 0, 1).astype(np.float32)


def speech_track(rng: np.random.Generator, frames: int, head: HeadModel, frame_rate: float = FRAME_RATE) -> np.ndarray:
    """Sample words alone; the lips meet at every p, b and m.

    Args:
        rng: random numbers.
        frames: T.
        head: head model.
        frame_rate: frames per second.

    Returns:
        Coefficients, (T, 52) float32.
    """
    centres, durations, names = _sample_visemes(rng, frames / frame_rate)
    gains = rng.uniform(0.8, 1.2, (len(names), 1))
    times = (np.arange(frames) + rng.uniform()) / frame_rate
    return viseme_track(VisemeSequence(centres, durations, tuple(names)), times, head, gains)


class VisemeSequence(NamedTuple):
    """N visemes in their order.

    Attributes:
        centres: (N,) seconds.
        durations: (N,) seconds.
        names: keys of `CONSONANTS` and `VOWELS`, or `PAUSE`.
    """

    centres: np.ndarray
    durations: np.ndarray
    names: tuple[str, ...]


def viseme_track(
    visemes: VisemeSequence, times: np.ndarray, head: HeadModel, gains: np.ndarray | float = 1.0
) -> np.ndarray:
    """Blend visemes into a track; the lips meet at every p, b and m.

    Args:
        visemes: at least one.
        times: (T,) seconds of the frames.
        head: head model.
        gains: (N, 1) strength of each viseme.

    Returns:
        Coefficients, (T, 52) float32.
    """
    centres, durations, names = visemes
    table = CONSONANTS | VOWELS | {PAUSE: {}}
    targets = np.stack([expand_units(table[n], head.names) for n in names]) * gains
    distances = np.abs(times[:, None] - centres)
    strength = np.array([2.5 if n in STRONG_VISEMES else 1.4 if n in CONSONANTS else 1.0 for n in names])
    dominance = strength * np.exp(-((distances / (0.55 * durations)) ** 1.6)) + EPS
    track = dominance @ targets / dominance.sum(1, keepdims=True)
    is_closed = np.array([n == CLOSED_LIP_VISEME for n in names])
    closures = np.exp(-((np.clip(distances - 0.025, 0, None) / 0.045) ** 2))
    return _close_lips(track, closures[:, is_closed].max(1, initial=0.0), head).astype(np.float32)


def _sample_visemes(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Sample the visemes of a duration: centres (s), durations (s) and names."""
    tempo = rng.uniform(0.8, 1.3)
    time = rng.uniform(-0.6, 0.0)
    centres, durations, names = [], [], []
    syllables_to_pause = int(rng.integers(2, 9))
    while time < seconds + 0.2:
        if syllables_to_pause == 0:
            visemes = [(PAUSE, rng.uniform(*PAUSE_SECONDS))]
            syllables_to_pause = int(rng.integers(3, 14))
        else:
            visemes = _sample_syllable(rng, tempo)
            syllables_to_pause -= 1
        for name, duration in visemes:
            centres.append(time + duration / 2)
            durations.append(duration)
            names.append(name)
            time += duration
    return np.array(centres), np.array(durations), names


def _sample_syllable(rng: np.random.Generator, tempo: float) -> list[tuple[str, float]]:
    """Sample a vowel with a consonant before it, after it, or both: names and durations (s)."""

    def sample_consonant() -> tuple[str, float]:
        name = list(CONSONANTS)[rng.choice(len(CONSONANTS), p=CONSONANT_PROBABILITIES)]
        return name, rng.uniform(*CONSONANT_SECONDS) / tempo

    vowel = list(VOWELS)[rng.integers(len(VOWELS))]
    syllable = [(vowel, rng.uniform(*VOWEL_SECONDS) / tempo)]
    if rng.uniform() < 0.85:
        syllable.insert(0, sample_consonant())
    if rng.uniform() < 0.4:
        syllable.append(sample_consonant())
    return syllable


def _close_lips(track: np.ndarray, closure: np.ndarray, head: HeadModel) -> np.ndarray:
    """Close the lips where closure (T,) is 1: remove what parts them, and compensate an open jaw by mouthClose."""
    closed = track.copy()
    parting = [i for i, n in enumerate(head.names) if n.startswith((*LIP_PART_UNITS, "mouthFunnel", "tongueOut"))]
    closed[:, parting] *= 1 - closure[:, None]
    jaw, mouth = head.index["jawOpen"], head.index["mouthClose"]
    closed[:, mouth] = np.maximum(closed[:, mouth], closure * closed[:, jaw])
    return closed


def blink_track(rng: np.random.Generator, frames: int, head: HeadModel, frame_rate: float = FRAME_RATE) -> np.ndarray:
    """Sample blinks of both eyes, which last a fifth of a second and occur every few seconds.

    Args:
        rng: random numbers.
        frames: T.
        head: head model.
        frame_rate: frames per second.

    Returns:
        Coefficients, (T, 52) float32.
    """
    track = np.zeros((frames, len(head.names)), np.float32)
    times, blink = np.arange(frames) / frame_rate, rng.exponential(2.0)
    lids = np.zeros(frames)
    while blink < frames / frame_rate:
        since = times - blink
        closing, opening = np.clip(1 + since / 0.08, 0, 1), np.clip(1 - since / 0.14, 0, 1)
        lids = np.maximum(lids, np.where(since < 0, closing, opening) * rng.uniform(0.85, 1.0))
        blink += rng.uniform(0.6, 5.0)
    track[:, unit_indices("eyeBlink", head.names)] = lids[:, None]
    return track


def gaze_track(rng: np.random.Generator, frames: int, head: HeadModel, frame_rate: float = FRAME_RATE) -> np.ndarray:
    """Sample the gaze of both eyes, which jumps about once per second.

    Args:
        rng: random numbers.
        frames: T.
        head: head model.
        frame_rate: frames per second.

    Returns:
        Coefficients, (T, 52) float32.
    """
    track = np.zeros((frames, len(head.names)), np.float32)
    first = 0
    while first < frames:
        last = first + max(2, int(rng.exponential(0.9) * frame_rate))
        x, y = np.clip(rng.normal(0, (0.22, 0.14)), -0.6, 0.6)
        units = {"OutLeft": x, "InRight": x, "InLeft": -x, "OutRight": -x}
        units |= {"DownLeft": y, "DownRight": y, "UpLeft": -y, "UpRight": -y}
        for name, value in units.items():
            track[first:last, head.index["eyeLook" + name]] = max(value, 0.0)
        first = last
    return track


def idle_track(rng: np.random.Generator, frames: int, head: HeadModel, frame_rate: float = FRAME_RATE) -> np.ndarray:
    """Sample small movements of brows and cheeks that accompany the words in every emotion.

    Args:
        rng: random numbers.
        frames: T.
        head: head model.
        frame_rate: frames per second.

    Returns:
        Coefficients, (T, 52) float32.
    """
    knots = max(2, int(frames / frame_rate / 0.35) + 2)
    track = np.zeros((frames, len(head.names)), np.float32)
    positions = np.linspace(0, knots - 1, frames)
    for name, size in (("browInnerUp", 0.10), ("browOuterUp", 0.08), ("browDown", 0.06), ("cheekSquint", 0.06)):
        values = np.interp(positions, np.arange(knots), size * rng.uniform(0, 1, knots) ** 2)
        track[:, unit_indices(name, head.names)] = values[:, None]
    return track


def lip_opening(coefficients: np.ndarray, head: HeadModel) -> np.ndarray:
    """Return the gap of the inner lips of the average head in cm: (T, 52) -> (T,), 0 for lips that meet or press."""
    return np.clip(np.asarray(coefficients, np.float64) @ lip_opening_per_unit(head), 0, None)
