"""A synthetic person: shape, colours, hair and light, all sampled from one generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.morphable.anny_head import AnnyHead

Colour = tuple[float, float, float]  # RGB in [0, 1]

SKIN_TONES = np.array(  # from light to dark
    [
        [0.93, 0.76, 0.67],
        [0.86, 0.66, 0.54],
        [0.76, 0.55, 0.42],
        [0.62, 0.42, 0.31],
        [0.45, 0.29, 0.20],
        [0.30, 0.19, 0.13],
    ]
)
HAIR_COLOURS = np.array(
    [
        [0.05, 0.04, 0.04],
        [0.11, 0.08, 0.06],
        [0.22, 0.14, 0.09],
        [0.38, 0.25, 0.14],
        [0.62, 0.48, 0.28],
        [0.45, 0.20, 0.10],
        [0.62, 0.61, 0.60],
    ]
)
HAIR_ODDS_LIGHT_SKIN = np.array([0.15, 0.22, 0.22, 0.16, 0.10, 0.07, 0.08])
HAIR_ODDS_DARK_SKIN = np.array([0.55, 0.28, 0.05, 0.0, 0.0, 0.0, 0.12])
IRIS_COLOURS = np.array(
    [[0.16, 0.10, 0.06], [0.30, 0.20, 0.11], [0.32, 0.33, 0.18], [0.36, 0.46, 0.55], [0.40, 0.44, 0.44]]
)
IRIS_ODDS_LIGHT_SKIN = np.array([0.2, 0.25, 0.2, 0.22, 0.13])
IRIS_ODDS_DARK_SKIN = np.array([0.7, 0.3, 0, 0, 0])
DARK_SKIN_TONE = 2.5  # index into SKIN_TONES from which on the odds of dark skin hold
HAIR_VOLUMES = {0.0: 0.08, 0.3: 0.22, 0.7: 0.3, 1.3: 0.25, 2.0: 0.15}  # cm -> probability


@dataclass(frozen=True)
class Hair:
    """Hair of the head.

    Attributes:
        colour: RGB.
        volume: cm above the skull; 0 is shaved.
        line: cm by which the hairline is lower than usual.
        temples: how far the hair recedes at the sides.
        fringe: cm that hang into the forehead.
        long: whether ears and neck are covered.
    """

    colour: Colour
    volume: float
    line: float
    temples: float
    fringe: float
    long: bool


@dataclass(frozen=True)
class Brows:
    """Eyebrows.

    Attributes:
        colour: RGB.
        thickness: 1 is usual.
        density: 1 is usual.
        height: cm above the usual place.
        slant: cm between the ends.
    """

    colour: Colour
    thickness: float
    density: float
    height: float
    slant: float


@dataclass(frozen=True)
class Light:
    """Light of the scene.

    Attributes:
        direction: in which the key light shines.
        colour: RGB of the key light.
        fill: brightness of the ambient light.
        gloss: strength of highlights on the skin.
    """

    direction: tuple[float, float, float]
    colour: Colour
    fill: float
    gloss: float


@dataclass(frozen=True)
class SyntheticPerson:
    """A person and the scene around them.

    Attributes:
        identity: identity coefficients of the head model, (48,), about one standard deviation.
        skin: RGB.
        lips: RGB.
        iris: RGB.
        hair: of the head.
        brows: eyebrows.
        light: of the scene.
        beard: density, 0 is shaved.
        moustache: density, 0 is shaved.
        freckles: number of freckles.
        age: depth of the folds, 0 to 1.
        background: two RGB colours.
        shirt: RGB.
        seed: of everything else that is random in the texture and the background.
    """

    identity: np.ndarray
    skin: Colour
    lips: Colour
    iris: Colour
    hair: Hair
    brows: Brows
    light: Light
    beard: float
    moustache: float
    freckles: int
    age: float
    background: tuple[Colour, Colour]
    shirt: Colour
    seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator, head: AnnyHead) -> SyntheticPerson:
        """Sample a person; all skin tones are equally likely."""
        tone = rng.uniform(0, len(SKIN_TONES) - 1)
        skin = _interpolate(SKIN_TONES, tone) * rng.normal(1, 0.05) * rng.normal(1, [0.02, 0.025, 0.04])
        skin = np.clip(skin, 0.06, 0.97)
        hair_colour = _sample_hair_colour(rng, tone)
        masculine = rng.uniform() < 0.5
        bearded = masculine and rng.uniform() < 0.45
        bare_lips = np.clip(skin * [0.86, 0.58, 0.60] + rng.normal(0, [0.03, 0.02, 0.02]), 0.08, 0.85)
        lipstick = np.array([0.62, 0.12, 0.17]) * rng.uniform(0.6, 1.15) + rng.normal(0, 0.03, 3)
        makeup = 0.0 if masculine or rng.uniform() < 0.5 else rng.uniform(0.2, 0.9)
        return cls(
            identity=np.clip(rng.normal(0, 0.85, len(head.identity)), -2, 2).astype(np.float32),
            skin=_to_colour(skin),
            lips=_to_colour(bare_lips + makeup * (np.clip(lipstick, 0.05, 0.9) - bare_lips)),
            iris=_to_colour(_sample_iris(rng, tone)),
            hair=_sample_hair(rng, hair_colour, masculine),
            brows=_sample_brows(rng, hair_colour, masculine),
            light=_sample_light(rng),
            beard=float(rng.uniform(0.1, 1.0) ** 1.5) if bearded else 0.0,
            moustache=float(rng.uniform(0.1, 1.0)) if masculine and (bearded or rng.uniform() < 0.12) else 0.0,
            freckles=int(rng.exponential(60)) if rng.uniform() < 0.4 else int(rng.uniform(0, 6)),
            age=float(rng.uniform()),
            background=(_sample_muted_colour(rng), _sample_muted_colour(rng)),
            shirt=_sample_muted_colour(rng),
            seed=int(rng.integers(2**31)),
        )


def _interpolate(palette: np.ndarray, position: float) -> np.ndarray:
    return np.array([np.interp(position, np.arange(len(palette)), palette[:, k]) for k in range(3)])


def _to_colour(values: np.ndarray) -> Colour:
    r, g, b = np.clip(values, 0.02, 0.98)
    return float(r), float(g), float(b)


def _sample_muted_colour(rng: np.random.Generator) -> Colour:
    return _to_colour(rng.uniform(0.05, 0.92) + rng.uniform(0.02, 0.14) * rng.standard_normal(3))


def _sample_index(rng: np.random.Generator, tone: float, light_odds: np.ndarray, dark_odds: np.ndarray) -> int:
    """Sample an index by odds that are interpolated between light and dark skin."""
    darkness = np.clip(tone / DARK_SKIN_TONE, 0, 1)
    odds = (1 - darkness) * light_odds + darkness * dark_odds
    return rng.choice(len(odds), p=odds / odds.sum())


def _sample_hair_colour(rng: np.random.Generator, tone: float) -> np.ndarray:
    """Sample dark hair for dark skin, any colour for light skin, and grey hair sometimes."""
    colour = HAIR_COLOURS[_sample_index(rng, tone, HAIR_ODDS_LIGHT_SKIN, HAIR_ODDS_DARK_SKIN)]
    return np.clip(colour * rng.normal(1, 0.12), 0.02, 0.9)


def _sample_iris(rng: np.random.Generator, tone: float) -> np.ndarray:
    colour = IRIS_COLOURS[_sample_index(rng, tone, IRIS_ODDS_LIGHT_SKIN, IRIS_ODDS_DARK_SKIN)]
    return colour * rng.normal(1, 0.1)


def _sample_hair(rng: np.random.Generator, colour: np.ndarray, masculine: bool) -> Hair:
    return Hair(
        colour=_to_colour(colour),
        volume=float(rng.choice(list(HAIR_VOLUMES), p=list(HAIR_VOLUMES.values()))),
        line=float(rng.normal(0.2, 0.6)),
        temples=float(rng.uniform(1.5, 4.5)),
        fringe=float(max(rng.normal(-0.5, 1.0), 0)),
        long=bool(rng.uniform() < (0.08 if masculine else 0.65)),
    )


def _sample_brows(rng: np.random.Generator, hair_colour: np.ndarray, masculine: bool) -> Brows:
    return Brows(
        colour=_to_colour(hair_colour * rng.uniform(0.7, 1.0)),
        thickness=float(rng.uniform(0.6, 1.35) + 0.2 * masculine),
        density=float(rng.uniform(0.55, 1.1)),
        height=float(rng.normal(0, 0.18)),
        slant=float(rng.normal(0, 0.14)),
    )


def _sample_light(rng: np.random.Generator) -> Light:
    x, y = rng.normal(0, 0.55), rng.normal(0.4, 0.35)
    warmth = rng.normal(0, 0.06)
    return Light(
        direction=(float(x), float(y), 0.85),
        colour=_to_colour(np.array([0.88 + warmth, 0.88, 0.88 - warmth])),
        fill=float(rng.uniform(0.10, 0.34)),
        gloss=float(rng.uniform(0.3, 1.6)),
    )
