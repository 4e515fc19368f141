"""Who a made-up person is: shape, colours, hair and the light they stand in, all drawn from one generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.morphable.anny_head import AnnyHead

Colour = tuple[float, float, float]  # RGB 0 to 1

SKINS = np.array([[0.93, 0.76, 0.67], [0.86, 0.66, 0.54], [0.76, 0.55, 0.42], [0.62, 0.42, 0.31], [0.45, 0.29, 0.20],
                  [0.30, 0.19, 0.13]])  # fmt: skip # from light to dark
HAIRS = np.array([[0.05, 0.04, 0.04], [0.11, 0.08, 0.06], [0.22, 0.14, 0.09], [0.38, 0.25, 0.14], [0.62, 0.48, 0.28],
                  [0.45, 0.20, 0.10], [0.62, 0.61, 0.60]])  # fmt: skip
IRISES = np.array([[0.16, 0.10, 0.06], [0.30, 0.20, 0.11], [0.32, 0.33, 0.18], [0.36, 0.46, 0.55], [0.40, 0.44, 0.44]])


@dataclass(frozen=True)
class Hair:
    """colour; volume: cm that it stands off the skull, 0 is shaved; line: cm that the hairline is lower than usual;
    temples: how far it recedes at the sides; fringe: cm that it hangs into the forehead; long: over ears and neck."""

    colour: Colour
    volume: float
    line: float
    temples: float
    fringe: float
    long: bool


@dataclass(frozen=True)
class Brows:
    """thickness, density: 1 is usual. height, slant: cm."""

    colour: Colour
    thickness: float
    density: float
    height: float
    slant: float


@dataclass(frozen=True)
class Light:
    """towards: where the key light shines to. colour of it. fill: of the surroundings. gloss: of the skin."""

    towards: Colour
    colour: Colour
    fill: float
    gloss: float


@dataclass(frozen=True)
class SyntheticPerson:
    """identity: (48,) of the head model, about one standard deviation. beard, moustache: density, 0 is shaved.
    makeup: how far the lips stand out. freckles: how many. seed: of everything that is painted at random."""

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
        """Anybody: every skin from light to dark as likely as any other."""
        tone = rng.uniform(0, len(SKINS) - 1)
        skin = np.clip(_along(SKINS, tone) * rng.normal(1, 0.05) * rng.normal(1, [0.02, 0.025, 0.04]), 0.06, 0.97)
        hair = _hair_colour(rng, tone)
        masculine = rng.uniform() < 0.5
        bearded = masculine and rng.uniform() < 0.45
        pale = np.clip(skin * [0.86, 0.58, 0.60] + rng.normal(0, [0.03, 0.02, 0.02]), 0.08, 0.85)
        rouge = np.array([0.62, 0.12, 0.17]) * rng.uniform(0.6, 1.15) + rng.normal(0, 0.03, 3)
        made_up = 0.0 if masculine or rng.uniform() < 0.5 else rng.uniform(0.2, 0.9)
        return cls(
            identity=np.clip(rng.normal(0, 0.85, len(head.identity)), -2, 2).astype(np.float32),
            skin=_colour(skin),
            lips=_colour(pale + made_up * (np.clip(rouge, 0.05, 0.9) - pale)),
            iris=_colour(_iris(rng, tone)),
            hair=Hair(_colour(hair), float(rng.choice([0.0, 0.3, 0.7, 1.3, 2.0], p=[0.08, 0.22, 0.3, 0.25, 0.15])),
                      float(rng.normal(0.2, 0.6)), float(rng.uniform(1.5, 4.5)),
                      float(max(rng.normal(-0.5, 1.0), 0)), bool(rng.uniform() < (0.08 if masculine else 0.65))),
            brows=Brows(_colour(hair * rng.uniform(0.7, 1.0)), float(rng.uniform(0.6, 1.35) + 0.2 * masculine),
                        float(rng.uniform(0.55, 1.1)), float(rng.normal(0, 0.18)), float(rng.normal(0, 0.14))),
            light=_light(rng),
            beard=float(rng.uniform(0.1, 1.0) ** 1.5) if bearded else 0.0,
            moustache=float(rng.uniform(0.1, 1.0)) if masculine and (bearded or rng.uniform() < 0.12) else 0.0,
            freckles=int(rng.exponential(60)) if rng.uniform() < 0.4 else int(rng.uniform(0, 6)),
            age=float(rng.uniform()),
            background=(_muted(rng), _muted(rng)),
            shirt=_muted(rng),
            seed=int(rng.integers(2**31)),
        )  # fmt: skip


def _along(palette: np.ndarray, at: float) -> np.ndarray:
    return np.array([np.interp(at, np.arange(len(palette)), palette[:, k]) for k in range(3)])


def _colour(values: np.ndarray) -> Colour:
    r, g, b = np.clip(values, 0.02, 0.98)
    return float(r), float(g), float(b)


def _muted(rng: np.random.Generator) -> Colour:
    return _colour(rng.uniform(0.05, 0.92) + rng.uniform(0.02, 0.14) * rng.standard_normal(3))


def _hair_colour(rng: np.random.Generator, tone: float) -> np.ndarray:
    """Dark on dark skin, anything on light skin, grey now and then."""
    light = [0.15, 0.22, 0.22, 0.16, 0.10, 0.07, 0.08]
    dark = [0.55, 0.28, 0.05, 0.0, 0.0, 0.0, 0.12]
    share = np.clip(tone / 2.5, 0, 1)
    odds = (1 - share) * np.array(light) + share * np.array(dark)
    return np.clip(HAIRS[rng.choice(len(HAIRS), p=odds / odds.sum())] * rng.normal(1, 0.12), 0.02, 0.9)


def _iris(rng: np.random.Generator, tone: float) -> np.ndarray:
    share = np.clip(tone / 2.5, 0, 1)
    odds = (1 - share) * np.array([0.2, 0.25, 0.2, 0.22, 0.13]) + share * np.array([0.7, 0.3, 0, 0, 0])
    return IRISES[rng.choice(len(IRISES), p=odds / odds.sum())] * rng.normal(1, 0.1)


def _light(rng: np.random.Generator) -> Light:
    x, y = rng.normal(0, 0.55), rng.normal(0.4, 0.35)
    warm = rng.normal(0, 0.06)
    return Light((float(x), float(y), 0.85), _colour(np.array([0.88 + warm, 0.88, 0.88 - warm])),
                 float(rng.uniform(0.10, 0.34)), float(rng.uniform(0.3, 1.6)))  # fmt: skip
