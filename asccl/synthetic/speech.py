"""What a made-up speaker does: words, blinks and gaze as tracks of ARKit units, and an emotion that spares the words.

Speech is drawn as a chain of visemes and blended by dominance (Cohen and Massaro 1993): every viseme pulls all units
towards its targets around its moment, a closure of the lips the hardest, and so that the lips really meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.face import mesh
from asccl.morphable.emotions import expand_units, unit_indices
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import LIP_PART_UNITS, protect_speech
from asccl.synthetic.emotions import BOUNDS, SYNTHETIC_EMOTION_UNITS
from asccl.types import Motion

FRAME_RATE = 25.0  # frames a second
MAX_CLOSED_LIP_OPENING = 0.05  # cm
MAX_LIP_CHANGE = (0.15, 0.06)  # by how much an emotion may part or close open lips: share of their opening, and cm
MAX_COEFFICIENT = 1.6
# the presets hold back what costs a real person's likeness; made-up people need not
EMOTION_GAIN = {"angry": 1.5, "disgusted": 1.3, "happy": 1.7, "sad": 1.2}
BOUND_GAIN = 1.6  # of the presets' bounds

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
CONSONANT_SHARE = np.array([0.20, 0.10, 0.06, 0.22, 0.14, 0.06, 0.08, 0.07, 0.07])


@dataclass(frozen=True)
class EmotionStyle:
    """How somebody shows an emotion, at intensity 1. units: change (52,) of the coefficients. emotion: its name."""

    emotion: str
    intensity: float
    units: np.ndarray


def speech_track(rng: np.random.Generator, frames: int, head: HeadModel, rate: float = FRAME_RATE) -> np.ndarray:
    """Somebody talks: (frames, 52) float32, words only, lips that meet at every p, b and m."""
    centre, length, name = _chain(rng, frames / rate)
    table = CONSONANTS | VOWELS | {"": {}}
    target = np.stack([expand_units(table[n], head.names) for n in name]) * rng.uniform(0.8, 1.2, (len(name), 1))
    time = (np.arange(frames) + rng.uniform()) / rate
    near = np.abs(time[:, None] - centre)
    strength = np.array([2.5 if n in ("p", "f", "w") else 1.4 if n in CONSONANTS else 1.0 for n in name])
    dominance = strength * np.exp(-((near / (0.55 * length)) ** 1.6)) + 1e-9
    track = dominance @ target / dominance.sum(1, keepdims=True)
    shut = np.array([n == "p" for n in name])
    closure = np.exp(-((np.clip(near - 0.025, 0, None) / 0.045) ** 2))[:, shut].max(1, initial=0.0)
    return _closed(track, closure, head).astype(np.float32)


def _chain(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Moments (s), lengths (s) and names of the visemes that fill a time; pauses are named ''."""
    tempo = rng.uniform(0.8, 1.3)
    at, centre, length, name = rng.uniform(-0.6, 0.0), [], [], []
    left = int(rng.integers(2, 9))  # syllables to the next pause
    while at < seconds + 0.2:
        if left == 0:
            word, left = [("", rng.uniform(0.12, 0.5))], int(rng.integers(3, 14))
        else:
            word, left = _syllable(rng, tempo), left - 1
        for n, duration in word:
            centre.append(at + duration / 2)
            length.append(duration)
            name.append(n)
            at += duration
    return np.array(centre), np.array(length), name


def _syllable(rng: np.random.Generator, tempo: float) -> list[tuple[str, float]]:
    """A vowel with a consonant before it, after it, or both."""
    consonants, vowels = list(CONSONANTS), list(VOWELS)
    parts = [(vowels[rng.integers(len(vowels))], rng.uniform(0.09, 0.2) / tempo)]
    if rng.uniform() < 0.85:
        parts.insert(0, (consonants[rng.choice(len(consonants), p=CONSONANT_SHARE)], rng.uniform(0.06, 0.1) / tempo))
    if rng.uniform() < 0.4:
        parts.append((consonants[rng.choice(len(consonants), p=CONSONANT_SHARE)], rng.uniform(0.06, 0.1) / tempo))
    return parts


def _closed(track: np.ndarray, closure: np.ndarray, head: HeadModel) -> np.ndarray:
    """The lips meet where closure (T,) is 1: what parts them goes, and mouthClose takes back what the jaw opens."""
    out = track.copy()
    part = [i for i, n in enumerate(head.names) if n.startswith((*LIP_PART_UNITS, "mouthFunnel", "tongueOut"))]
    out[:, part] *= 1 - closure[:, None]
    jaw, close = head.index["jawOpen"], head.index["mouthClose"]
    out[:, close] = np.maximum(out[:, close], closure * out[:, jaw])
    return out


def blink_track(rng: np.random.Generator, frames: int, head: HeadModel, rate: float = FRAME_RATE) -> np.ndarray:
    """(frames, 52): lids that close for a sixth of a second every few seconds, both at once."""
    out = np.zeros((frames, len(head.names)), np.float32)
    time, at = np.arange(frames) / rate, rng.exponential(2.0)
    lids = np.zeros(frames)
    while at < frames / rate:
        since = time - at
        falling, rising = np.clip(1 + since / 0.08, 0, 1), np.clip(1 - since / 0.14, 0, 1)
        lids = np.maximum(lids, np.where(since < 0, falling, rising) * rng.uniform(0.85, 1.0))
        at += rng.uniform(0.6, 5.0)
    out[:, unit_indices("eyeBlink", head.names)] = lids[:, None]
    return out


def gaze_track(rng: np.random.Generator, frames: int, head: HeadModel, rate: float = FRAME_RATE) -> np.ndarray:
    """(frames, 52): eyes that jump together from one place to the next every second or so."""
    out = np.zeros((frames, len(head.names)), np.float32)
    first = 0
    while first < frames:
        last = first + max(2, int(rng.exponential(0.9) * rate))
        x, y = np.clip(rng.normal(0, (0.22, 0.14)), -0.6, 0.6)
        for name, value in (("OutLeft", x), ("InRight", x), ("InLeft", -x), ("OutRight", -x),
                            ("DownLeft", y), ("DownRight", y), ("UpLeft", -y), ("UpRight", -y)):  # fmt: skip
            out[first:last, head.index["eyeLook" + name]] = max(value, 0.0)
        first = last
    return out


def idle_track(rng: np.random.Generator, frames: int, head: HeadModel, rate: float = FRAME_RATE) -> np.ndarray:
    """(frames, 52): small movements of brows and cheeks that belong to the words, whatever the emotion."""
    knots = max(2, int(frames / rate / 0.35) + 2)
    out = np.zeros((frames, len(head.names)), np.float32)
    at = np.linspace(0, knots - 1, frames)
    for name, size in (("browInnerUp", 0.10), ("browOuterUp", 0.08), ("browDown", 0.06), ("cheekSquint", 0.06)):
        out[:, unit_indices(name, head.names)] = np.interp(at, np.arange(knots), size * rng.uniform(0, 1, knots) ** 2)[
            :, None
        ]
    return out


def sample_style(
    rng: np.random.Generator, emotion: str, head: HeadModel, intensity: tuple[float, float] = (0.5, 1.3)
) -> EmotionStyle:
    """How one person shows an emotion, now: strength of every unit apart, left a little unlike right."""
    wanted = EMOTION_GAIN.get(emotion, 1.0) * expand_units(SYNTHETIC_EMOTION_UNITS[emotion], head.names)
    names = [n.removesuffix("Left").removesuffix("Right") for n in head.names]
    of_unit = {n: rng.normal(1, 0.22) for n in dict.fromkeys(names)}
    side = rng.normal(0, 0.12)
    tilt = np.array([side if n.endswith("Left") else -side if n.endswith("Right") else 0.0 for n in head.names])
    strength = float(rng.uniform(*intensity))
    jitter = np.clip(np.array([of_unit[n] for n in names]) + tilt, 0.35, 1.7)
    stray = {n: 0.08 * rng.uniform() ** 3 for n in dict.fromkeys(names) if n.startswith(("brow", "cheekSq", "nose"))}
    units = np.minimum(
        strength * jitter * wanted,
        np.minimum(BOUND_GAIN * expand_units(BOUNDS, head.names, default=MAX_COEFFICIENT), MAX_COEFFICIENT),
    )
    return EmotionStyle(emotion, strength, (units + expand_units(stray, head.names)).astype(np.float32))


def lip_opening(coefficients: np.ndarray, head: HeadModel) -> np.ndarray:
    """(T, 52) -> (T,) cm that the inner lips of the average head stand apart; 0 where they meet or press."""
    return np.clip(np.asarray(coefficients, np.float64) @ lip_opening_per_unit(head), 0, None)


def lip_opening_per_unit(head: HeadModel) -> np.ndarray:
    """(52,) cm by which each unit parts the inner lips."""
    upper, lower = np.array(mesh.LIP_GAP_PAIRS).T
    y = head.expression[:, :, 1].astype(np.float64)
    return (y[:, lower] - y[:, upper]).mean(1)


def emotion_offset(speech: np.ndarray, manner: EmotionStyle, head: HeadModel) -> np.ndarray:
    """Change (T, 52) that makes words (T, 52) said with an emotion. Units of speech and gaze stay as they are, shut
    lips stay shut, and the opening of others changes by no more than `MAX_LIP_CHANGE`."""
    motion = Motion(
        speech, *(np.zeros(len(speech)),) * 3, np.zeros((mesh.NUM_FACE_LANDMARKS, 3)), np.ones(len(speech), np.float32)
    )
    change = protect_speech(np.repeat(manner.units[None], len(speech), 0), motion, head.names, resting_lids=0.0)
    opening = lip_opening(speech, head)
    free = MAX_LIP_CHANGE[0] * opening + MAX_LIP_CHANGE[1] * np.clip(opening / 0.3, 0, 1)
    more = np.abs(
        np.clip(speech + change, 0, MAX_COEFFICIENT) @ lip_opening_per_unit(head) - speech @ lip_opening_per_unit(head)
    )
    part = [i for i, n in enumerate(head.names) if n.startswith((*LIP_PART_UNITS, "mouthShrug"))]
    change[:, part] *= np.clip(free / np.maximum(more, 1e-6), 0, 1)[:, None]
    return change.astype(np.float32)


def apply_emotion(speech: np.ndarray, manner: EmotionStyle, head: HeadModel) -> np.ndarray:
    """Words (T, 52) said with an emotion, (T, 52) float32 in [0, 1.6]."""
    return np.clip(speech + emotion_offset(speech, manner, head), 0, MAX_COEFFICIENT).astype(np.float32)
