"""The paper's equations spelled out for one picture in float64 loops: slow, and easy to check against the paper."""

from __future__ import annotations

import numpy as np

RING = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]


def mapped(x: np.ndarray, weights: tuple[np.ndarray, ...] | None) -> np.ndarray:
    if weights is None:
        return x
    w1, b1, w2, b2 = weights
    return w2 @ np.maximum(w1 @ x + b1, 0) + b2


def ring(features: np.ndarray, row: int, column: int, weights: tuple[np.ndarray, ...] | None) -> list:
    """The mapped disparities (eq. 3) of one region of a map (C, h, w); None beyond the border."""
    _, height, width = features.shape
    out: list = []
    for down, right in RING:
        r, c = row + down, column + right
        here = 0 <= r < height and 0 <= c < width
        out.append(mapped(features[:, row, column] - features[:, r, c], weights) if here else None)
    return out


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def contrast(query: np.ndarray, keys: list, j: int, temperature: float) -> float:
    """Eq. 4 with the logarithm: query i->j against the pairs i->k of the other picture."""
    scores = [None if k is None else np.exp(cosine(query, k) / temperature) for k in keys]
    return float(-np.log(scores[j] / sum(s for s in scores if s is not None)))


def weight(disparity: np.ndarray, lambda_: float, power: float) -> float:
    """Eq. 6."""
    s = np.sqrt(np.mean(disparity**2))
    return float(lambda_ * (1 / (1 + np.exp(-s))) ** power)


def asccl(source: list, generated: list, weights: list, temperature=0.07, lambda_=2.0, power=2.0, daas=True) -> float:
    """Eq. 7 for one picture: maps (C, h, w) of both sides; every region of every map."""
    total = 0.0
    for x, y, w in zip(source, generated, weights, strict=True):
        terms = []
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                a, b = ring(x, row, column, w), ring(y, row, column, w)
                for j in range(8):
                    if a[j] is not None:
                        term = contrast(b[j], a, j, temperature)
                        terms.append(term * (weight(a[j], lambda_, power) if daas else 1))
        total += float(np.mean(terms))
    return total
