"""Search the strength and the offsets of an edit by linear models of its measures and short line searches.

The measures of an edit are vectors (logits, features, shifts of embeddings, disparities and lips). Around one edit they
are nearly linear in the coordinates of the search, so that one render of the sample frames for each coordinate gives

    utility(x) = readability(logits + J_logits x) - price(x)        costs(x) = |v + J_v x|^2 = [1 x] G [1 x]^T

with one small Gram matrix G for each cost. The best x within the bounds of this model is then rendered at full and at
partial length, the best edit becomes the new centre, and the model is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from asccl.editing.adaptation.directions import Direction
from asccl.editing.adaptation.measures import EditMeasures
from asccl.editing.adaptation.objective import Goal, offset_price

ROUNDS = 2
STRENGTH_RANGE = (0.55, 1.5)
# Of the strength, for its column of the Jacobian. Downwards: the plain preset is at its budget already, and above that
# some units and the lids grow no further, so that less strength would seem to lose no readability.
STRENGTH_STEP = -0.15
DIRECTION_STEP = 0.25  # of a direction, likewise
MAX_STRENGTH_MOVE, MAX_DIRECTION_MOVE = 0.3, 0.4  # in one round
LINE = (1.0, 0.55)  # shares of a step that are rendered
BOUND_PENALTY = 12.0  # of a cost that exceeds its bound by its own size
MODEL_MARGIN = 0.97  # share of a bound that the model uses: it is not exact
MAX_SOLVER_STEPS = 40

EditFunction = Callable[[float, np.ndarray], EditMeasures]


@dataclass(frozen=True)
class Candidate:
    """An edit that was measured.

    Attributes:
        x: strength, and the coordinate of each direction, (1 + K,).
        measures: of the edit.
        rating: utility, less the penalty of exceeded bounds.
    """

    x: np.ndarray
    measures: EditMeasures
    rating: float


@dataclass(frozen=True)
class Search:
    """A search for one face and one goal.

    Attributes:
        evaluate: measures the edit of a strength and of offsets (52,).
        directions: that the offsets combine.
        goal: what the edit should be read as.
        bounds: largest cost by name; costs without a bound are free.
        prices: of a unit of each cost within its bound, by name.
    """

    evaluate: EditFunction
    directions: Sequence[Direction]
    goal: Goal
    bounds: Mapping[str, float]
    prices: Mapping[str, float] = field(default_factory=dict)

    def run(self, strength: float, measures: EditMeasures) -> Candidate:
        """Search from the plain preset at a strength, whose measures are known, and return the best edit."""
        x = np.concatenate([[strength], np.zeros(len(self.directions))])
        best = self._candidate(x, measures)
        for _ in range(ROUNDS):
            step = self._model(best).solve(self) - best.x
            if np.abs(step).max() < 1e-3:
                break
            trials = [best, *(self._measure(best.x + share * step) for share in LINE)]
            previous, best = best, max(trials, key=lambda c: c.rating)
            if best is previous:
                break
        return best

    def offsets(self, x: np.ndarray) -> np.ndarray:
        """Offsets of the units, (52,), of coordinates (1 + K,)."""
        return np.sum([c * d.units for c, d in zip(x[1:], self.directions, strict=True)], axis=0)

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest coordinates, (1 + K,) each."""
        low = np.array([STRENGTH_RANGE[0], *(d.low for d in self.directions)])
        return low, np.array([STRENGTH_RANGE[1], *(d.high for d in self.directions)])

    def rate(self, x: np.ndarray, measures: EditMeasures) -> float:
        """Rate an edit: readability less prices and penalties."""
        excess = sum(max(measures.cost(name) / bound - 1, 0.0) for name, bound in self.bounds.items())
        readability = self.goal.readability(measures.logits, measures.features)
        price = sum(price * measures.cost(name) for name, price in self.prices.items())
        return readability - offset_price(x[1:], self.directions) - price - BOUND_PENALTY * excess

    def _measure(self, x: np.ndarray) -> Candidate:
        return self._candidate(x, self.evaluate(float(x[0]), self.offsets(x)))

    def _candidate(self, x: np.ndarray, measures: EditMeasures) -> Candidate:
        return Candidate(x, measures, self.rate(x, measures))

    def _model(self, centre: Candidate) -> LinearModel:
        """Measure the change along each coordinate."""
        low, high = self.limits()
        steps = np.array([STRENGTH_STEP, *([DIRECTION_STEP] * len(self.directions))])
        steps = np.where((centre.x + steps > high) | (centre.x + steps < low), -steps, steps)
        columns = []
        for k, step in enumerate(steps):
            x = centre.x.copy()
            x[k] += step
            columns.append((self.evaluate(float(x[0]), self.offsets(x)), step))
        reach = np.array([MAX_STRENGTH_MOVE, *([MAX_DIRECTION_MOVE] * len(self.directions))])
        box = np.maximum(low, centre.x - reach), np.minimum(high, centre.x + reach)
        return LinearModel.of(centre, columns, box)


@dataclass(frozen=True)
class LinearModel:
    """Measures of the edits around a centre, linear in the coordinates.

    Attributes:
        centre: the edit in the middle.
        logits: Jacobian, (1 + K, networks, M, 7).
        features: Jacobian of the features of each network, (1 + K, D) each.
        grams: of each cost, (2 + K, 2 + K).
        box: smallest and largest coordinates for which the model is used.
    """

    centre: Candidate
    logits: np.ndarray
    features: tuple[np.ndarray, ...]
    grams: Mapping[str, np.ndarray]
    box: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        centre: Candidate,
        columns: Sequence[tuple[EditMeasures, float]],
        box: tuple[np.ndarray, np.ndarray],
    ) -> LinearModel:
        """Build the model from one edit for each coordinate.

        Args:
            centre: the edit in the middle.
            columns: measures of the edit that differs in one coordinate, and that difference.
            box: see the attribute.

        Returns:
            The model.
        """
        base = centre.measures
        logits = np.stack([(m.logits - base.logits) / h for m, h in columns])
        features = tuple(
            np.stack([(m.features[k] - own) / h for m, h in columns]) for k, own in enumerate(base.features)
        )
        grams = {}
        for name, own in base.costs.items():
            rows = np.stack([own, *((m.costs[name] - own) / h for m, h in columns)])
            grams[name] = rows @ rows.T
        return cls(centre, logits, features, grams, box)

    def solve(self, search: Search) -> np.ndarray:
        """Find the best coordinates, (1 + K,), within the box and the bounds of the search."""
        centre = self.centre.x
        bounded = {name: bound for name, bound in search.bounds.items() if bound > 0}

        def loss(x: np.ndarray) -> float:
            move = x - centre
            logits = self.centre.measures.logits + np.tensordot(move, self.logits, 1)
            features = [own + move @ j for own, j in zip(self.centre.measures.features, self.features, strict=True)]
            y = np.concatenate([[1.0], move])
            price = sum(price * (y @ self.grams[name] @ y) for name, price in search.prices.items())
            return offset_price(x[1:], search.directions) + price - search.goal.readability(logits, features)

        def slack(x: np.ndarray) -> np.ndarray:
            y = np.concatenate([[1.0], x - centre])
            return np.array([MODEL_MARGIN - y @ self.grams[name] @ y / bound for name, bound in bounded.items()])

        solution = minimize(
            loss,
            centre,
            method="SLSQP",
            bounds=list(zip(*self.box, strict=True)),
            constraints=[{"type": "ineq", "fun": slack}] if bounded else [],
            options={"maxiter": MAX_SOLVER_STEPS, "ftol": 1e-4},
        )
        return np.clip(solution.x, *self.box) if np.isfinite(solution.x).all() else centre
