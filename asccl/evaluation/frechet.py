"""FAD: the Frechet distance of face embeddings of generated frames to real frames, from streaming sums in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from asccl.evaluation.face_chunk import FaceChunk
from asccl.evaluation.imported_features import arcface_features, face_resnet18_features
from asccl.evaluation.measure import ClipPair, MeasureSkippedError, PairChunk, Score, State, merge_states
from asccl.evaluation.networks import Features, Networks, unit_rows

PARTS = 4  # into which frames are divided, for the floor and for the correction of the bias
BLOCK_FRAMES = 15  # consecutive frames of one part: neighbouring frames are nearly equal
MIN_FRAMES = 2


@dataclass(frozen=True)
class FrechetDistance:
    """Frechet distance of Gaussians fitted to features of all generated and all real frames.

    The extras are "floor", the distance between two halves of the real frames; "corrected", the distance that is
    extrapolated to infinitely many frames, since a finite sample overestimates it by about a constant over the number
    of frames (Chong and Forsyth, CVPR 2020); "real", the number of real frames; and "dimensions".

    Attributes:
        name: see `Measure`.
        features: chunk -> features (m, D) of the frames with a face.
    """

    name: str
    features: Features
    higher_is_better: bool | None = False
    uses_reference: bool = False
    uses_pool: bool = True

    def begin(self, clip: ClipPair, reference: State | None) -> _GeneratedMoments:
        """See `Measure`."""
        return _GeneratedMoments(self.features)

    def begin_stream(self) -> Moments:
        """See `Measure`."""
        return Moments(self.features, "real")

    def compute(self, state: State) -> Score:
        """See `Measure`."""
        return frechet_score(state)


class Moments:
    """Number, sum and products of features of each part.

    Args:
        features: see `FrechetDistance`.
        side: "real" or "generated".
    """

    def __init__(self, features: Features, side: str):
        self._features, self._side = features, side
        self._frames = 0
        self._state: State = {}

    def add(self, chunk: FaceChunk) -> None:
        """Add the frames with a face."""
        rows = self._features(chunk).astype(np.float64)
        if not np.isfinite(rows).all():
            raise MeasureSkippedError("its network computes values that are not finite")
        part = (self._frames + np.arange(len(rows))) // BLOCK_FRAMES % PARTS
        self._frames += len(rows)
        for number in np.unique(part):
            self._state = merge_states(self._state, moments(rows[part == number], f"{self._side}/{number}"))

    def finish(self) -> State:
        """Return the sums by side and part."""
        return self._state


class _GeneratedMoments:
    def __init__(self, features: Features):
        self._moments = Moments(features, "generated")

    def add(self, chunk: PairChunk) -> None:
        self._moments.add(chunk.generated)

    def finish(self) -> State:
        return self._moments.finish()


def moments(rows: np.ndarray, prefix: str) -> State:
    """Number, sum and sum of outer products of features (N, D), under names that begin with `prefix`."""
    return {
        f"{prefix}/count": np.array(float(len(rows))),
        f"{prefix}/sum": rows.sum(0),
        f"{prefix}/products": rows.T @ rows,
    }


def frechet_score(state: State) -> Score:
    """Compute the score of a `FrechetDistance` from merged moments. Raises MeasureSkippedError."""
    value = frechet_value(state)
    real, generated = (_parts(state, side) for side in ("real", "generated"))
    extras = {"real": sum(part[0] for part in real), "dimensions": float(len(real[0][1]))}
    if len(real) == PARTS and min(part[0] for part in real) >= MIN_FRAMES:
        extras["floor"] = float(np.mean([_half_distance(real, half) for half in ((0, 1), (0, 2), (0, 3))]))
    if len(real) == len(generated) == PARTS and min(part[0] for part in real + generated) >= MIN_FRAMES:
        extras["corrected"] = _extrapolate(real, generated, value)
    return Score(value, int(sum(part[0] for part in generated)), extras)


def frechet_value(state: State) -> float:
    """Compute the distance alone, without the extras of `frechet_score`. Raises MeasureSkippedError."""
    real, generated = (_parts(state, side) for side in ("real", "generated"))
    for side, parts in (("real", real), ("generated", generated)):
        if sum(part[0] for part in parts) < MIN_FRAMES:
            raise MeasureSkippedError(f"there are fewer than {MIN_FRAMES} {side} frames")
    return frechet_distance(_fit(generated), _fit(real))


Sums = tuple[float, np.ndarray, np.ndarray]  # number, sum, products
Gaussian = tuple[np.ndarray, np.ndarray]  # mean, covariance


def _parts(state: State, side: str) -> list[Sums]:
    return [
        (float(state[f"{side}/{n}/count"]), state[f"{side}/{n}/sum"], state[f"{side}/{n}/products"])
        for n in range(PARTS)
        if f"{side}/{n}/count" in state
    ]


def _fit(parts: Sequence[Sums]) -> Gaussian:
    """The Gaussian of all frames of one or several parts."""
    counts, totals, products = zip(*parts, strict=True)
    return gaussian(sum(counts), np.sum(totals, 0), np.sum(products, 0))


def gaussian(count: float, total: np.ndarray, products: np.ndarray) -> Gaussian:
    """Fit a Gaussian to features by their sums.

    Args:
        count: number N of features, at least 2.
        total: their sum, (D,).
        products: sum of their outer products, (D, D).

    Returns:
        The mean and the unbiased covariance.
    """
    mean = total / count
    return mean, (products - count * np.outer(mean, mean)) / (count - 1)


def fit_gaussian(features: np.ndarray) -> Gaussian:
    """Fit a Gaussian to features (N, D) with N of 2 or more. Returns the mean and the unbiased covariance."""
    return features.mean(0, np.float64), np.cov(features, rowvar=False)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    r"""Return the Frechet distance of two Gaussians, each a mean (D,) and a covariance (D, D).

    .. math:: d^2 = \lVert \mu_a - \mu_b \rVert^2
        + \operatorname{tr}\left(\Sigma_a + \Sigma_b - 2 (\Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2})^{1/2}\right)

    The symmetric form is exact for singular covariances, too, which a pool smaller than D has.
    """
    values, vectors = np.linalg.eigh(a[1])
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    roots = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b[1] @ root), 0, None)).sum()
    return max(float(np.square(a[0] - b[0]).sum() + np.trace(a[1]) + np.trace(b[1]) - 2 * roots), 0.0)


def _half_distance(parts: list[Sums], half: tuple[int, ...]) -> float:
    others = [part for number, part in enumerate(parts) if number not in half]
    return frechet_distance(_fit([parts[n] for n in half]), _fit(others))


def _extrapolate(real: list[Sums], generated: list[Sums], value: float) -> float:
    """Fit value = limit + slope / size to distances of 1, 2, 3 and all 4 parts; return the limit."""
    inverse_sizes, values = [1.0], [value]
    for size in range(1, PARTS):
        for chosen in combinations(range(PARTS), size):
            a, b = (_fit([side[n] for n in chosen]) for side in (generated, real))
            inverse_sizes.append(PARTS / size)
            values.append(frechet_distance(a, b))
    return float(np.polyfit(inverse_sizes, values, 1)[1])


def build_arcface(name: str, networks: Networks) -> FrechetDistance:
    """Build "fad-arcface" with an imported ArcFace network. Raises WeightsError."""
    return FrechetDistance(name, arcface_features(networks))


def build_paper(name: str, networks: Networks) -> FrechetDistance:
    """Build "fad-paper" with the imported grey-scale ResNet-18 of the group. Raises WeightsError."""
    return FrechetDistance(name, face_resnet18_features(networks))


def build_mobilefacenet_unit(name: str, networks: Networks) -> FrechetDistance:
    """Build "fad-mobilefacenet-unit": as "fad-mobilefacenet", the features scaled to length 1."""
    return FrechetDistance(name, lambda chunk: unit_rows(networks.embeddings(chunk)))


def build_mobilefacenet(name: str, networks: Networks) -> FrechetDistance:
    """Build "fad-mobilefacenet" with the bundled face-recognition network."""
    return FrechetDistance(name, networks.embeddings)
