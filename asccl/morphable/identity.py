r"""Separate a person's identity from an expression that lasts through the whole clip.

The mean offset d of a clip's landmarks from the average neutral head is explained by the identity basis B and by the
mean level m of every expression unit E at once (maximum a posteriori):

.. math:: \min_{a, m} \lVert d - B a - E m \rVert_W^2 + \lambda \Big( \lVert a \rVert^2
    + \sum_i \frac{(m_i - \mu_i)^2}{\sigma_i^2} \Big)

Identity coefficients a have mean 0 and standard deviation 1 by the construction of the head model. The prior of a level
comes from two sources. Units of speech return to rest again and again, so that their lowest level in the clip is near
0. Units that an emotion may hold (`LASTING_LEVELS`) are expected where the expression network reads that emotion, and
near 0 where it reads a neutral face: a permanent smile that reads as happy is a smile, one that reads as neutral is the
shape of the mouth.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from asccl.morphable.emotions import expand_units, parse_unit_table
from asccl.morphable.head import HeadModel
from asccl.morphable.quadratic import bounded_least_squares
from asccl.types import EMOTIONS

# mean level of a speaker who shows an emotion all through; units that speech does not need
LASTING_LEVELS = """
unit               neutral     angry disgusted      fear     happy       sad surprised
browInnerUp              .         .         .      0.60         .      0.60      0.70  # AU 1
browOuterUp              .         .         .      0.30         .         .      0.50  # AU 2
browDown                 .      0.60      0.40      0.20         .      0.20         .  # AU 4
eyeWide                  .      0.10         .      0.50         .         .      0.50  # AU 5
cheekSquint              .         .      0.30         .      0.40         .         .  # AU 6
eyeSquint                .      0.40      0.50         .      0.20      0.10         .  # AU 7
noseSneer                .      0.30      0.60         .      0.10         .         .  # AU 9
mouthUpperUp          0.20      0.20      0.70      0.20      0.50      0.10      0.20  # AU 10
mouthSmile               .         .         .         .      0.80         .         .  # AU 12
mouthDimple              .         .         .         .      0.20         .         .  # AU 14
mouthFrown               .      0.10      0.20      0.20         .      0.50         .  # AU 15
mouthStretch             .         .         .      0.40      0.20         .         .  # AU 20
mouthPress               .      0.20         .         .         .      0.10         .  # AU 24
"""
LASTING_LEVEL_SD = 0.15  # of a lasting unit about its level in the table, when an emotion is read
UNREAD_LEVEL_SD = 1.2  # of a lasting unit when no emotion is read
SPEECH_FLOOR_SD = 0.1  # of the lowest level of a unit of speech in a long clip
ONE_FRAME_SD = 1.0  # added to it for a single frame, less for more frames
FLOOR_QUANTILE = 0.05  # of the frames, that counts as the lowest level
UNEXPLAINED_IDENTITY_SHARE = 0.7  # of what neither basis nor expression explains, added to the identity
STEPS = 400  # of the bounded least squares

_levels = parse_unit_table(LASTING_LEVELS)


def expected_levels(probabilities: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Expect the mean level of each unit, (52,), from the probability of each emotion in a clip, (7,)."""
    return probabilities @ np.stack([expand_units(_levels.get(emotion, {}), names) for emotion in EMOTIONS])


class IdentityFitter:
    """Fits identity and lasting expression to mean landmarks; the constant matrices are built once.

    Args:
        head: head model.
        weights: of x, y and z of each landmark, (3 N,).
        noise: lambda, the variance of a landmark coordinate of weight 1, cm^2.
        observable: units that the landmarks show, (52,) bool.
    """

    def __init__(self, head: HeadModel, weights: np.ndarray, noise: float, observable: np.ndarray):
        self.names, self._noise = head.names, noise
        self._average = head.neutral.astype(np.float64)
        self._upper = observable.astype(np.float64)
        self._expression = head.expression.astype(np.float64).reshape(len(head.names), -1)
        self._basis = head.identity.astype(np.float64).reshape(len(head.identity), -1)
        weighted_basis = self._basis * weights
        regularized = weighted_basis @ self._basis.T + noise * np.eye(len(self._basis))
        self._solver = np.linalg.solve(regularized, weighted_basis)
        weighted = self._expression * weights
        self._metric = weighted - (weighted @ self._basis.T) @ self._solver  # with the identity fitted to the rest
        self._root_weights = np.sqrt(weights)
        self._observable_units = (self._expression[observable] * self._root_weights).T  # (3 N, k)
        self._lasts = expand_units({unit: 1.0 for levels in _levels.values() for unit in levels}, head.names) > 0

    def fit(
        self, mean_landmarks: np.ndarray, coefficients: np.ndarray, expected: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fit the neutral shape of a person to the mean of their landmarks.

        Args:
            mean_landmarks: in the coordinates of the head, (468, 3) cm.
            coefficients: of the frames that they are the mean of, by the shape known so far, (T, 52).
            expected: from `expected_levels`, (52,); None where no emotion is read.

        Returns:
            The shape by the identity basis, (468, 3) cm, and what of the neutral face it does not explain, (468, 3).
        """
        movement = coefficients.mean(0) - np.quantile(coefficients, FLOOR_QUANTILE, axis=0)
        floor_sd = SPEECH_FLOOR_SD + ONE_FRAME_SD / len(coefficients)
        lasting_sd = UNREAD_LEVEL_SD if expected is None else LASTING_LEVEL_SD
        mean = np.where(self._lasts, 0.0 if expected is None else expected, movement)
        prior = self._noise / np.where(self._lasts, lasting_sd, floor_sd) ** 2
        hessian = self._metric @ self._expression.T + np.diag(prior)
        offset = (mean_landmarks - self._average).ravel()
        linear = self._metric @ offset + prior * mean - hessian @ movement  # of the level above `movement`
        upper = np.maximum(self._upper - movement, 0)
        start = np.clip(coefficients.mean(0) - movement, 0, upper)
        symmetric = 0.5 * (hessian + hessian.T)
        level = movement + bounded_least_squares(symmetric, linear[None], start[None], upper, 0.0, STEPS)[0]
        neutral = mean_landmarks - (level @ self._expression).reshape(-1, 3)
        identity = self._solver @ (neutral - self._average).ravel()
        shape = self._average + (identity @ self._basis).reshape(-1, 3)
        return shape, neutral - shape

    def unexplained(self, offset: np.ndarray) -> np.ndarray:
        """The part of a landmark offset (468, 3) that is added to the identity though its basis does not explain it.

        It is what remains after its best non-negative combination of expression units, times a share: units push one
        way. A chin that is shorter than the basis allows belongs to the person, a longer one may be an open jaw.
        """
        v = offset.ravel() * self._root_weights
        v = v - self._observable_units @ nnls(self._observable_units, v)[0]
        return UNEXPLAINED_IDENTITY_SHARE * (v / self._root_weights).reshape(-1, 3)
