"""The paper's equations for one image as float64 loops: slow, and easy to compare with the paper."""

from __future__ import annotations

import numpy as np

OFFSETS = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
HeadWeights = tuple[np.ndarray, ...] | None  # W1, b1, W2, b2 of f in eq. 3; None for f(x) = x


def head(x: np.ndarray, weights: HeadWeights) -> np.ndarray:
    """f of eq. 3."""
    if weights is None:
        return x
    w1, b1, w2, b2 = weights
    return w2 @ np.maximum(w1 @ x + b1, 0) + b2


def disparities(features: np.ndarray, row: int, column: int, weights: HeadWeights) -> list:
    """Visual disparities (eq. 3) of one region of a map (C, h, w) and its eight neighbours; None beyond the border."""
    _, height, width = features.shape
    result: list = []
    for down, right in OFFSETS:
        r, c = row + down, column + right
        inside = 0 <= r < height and 0 <= c < width
        result.append(head(features[:, row, column] - features[:, r, c], weights) if inside else None)
    return result


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """phi of eq. 1."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def contrast(query: np.ndarray, keys: list, j: int, temperature: float) -> float:
    """Eq. 4 with the logarithm: query i->j against the pairs i->k of the other image."""
    scores = [None if k is None else np.exp(cosine(query, k) / temperature) for k in keys]
    return float(-np.log(scores[j] / sum(s for s in scores if s is not None)))


def weight(disparity: np.ndarray, lambda_: float, power: float) -> float:
    """Eq. 6."""
    s = np.sqrt(np.mean(disparity**2))
    return float(lambda_ * (1 / (1 + np.exp(-s))) ** power)


def asccl(source: list, generated: list, weights: list, temperature=0.07, lambda_=2.0, power=2.0, daas=True) -> float:
    """Eq. 7 for one image: maps (C, h, w) of both sides, all regions of all maps."""
    total = 0.0
    for x, y, w in zip(source, generated, weights, strict=True):
        terms = []
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                a, b = disparities(x, row, column, w), disparities(y, row, column, w)
                for j in range(8):
                    if a[j] is not None:
                        term = contrast(b[j], a, j, temperature)
                        terms.append(term * (weight(a[j], lambda_, power) if daas else 1))
        total += float(np.mean(terms))
    return total


def temporal_disparities(clip: np.ndarray, weights: HeadWeights) -> np.ndarray:
    """Change of every region of a map (T, C, h, w) from each frame to the next: (T - 1, h * w, C')."""
    frames, channels, height, width = clip.shape
    still = head(np.zeros(channels), weights)
    return np.array(
        [
            [
                head(clip[t, :, r, c] - clip[t + 1, :, r, c], weights) - still
                for r in range(height)
                for c in range(width)
            ]
            for t in range(frames - 1)
        ]
    )


def temporal(source: list, generated: list, weights: list, temperature=0.07, lambda_=2.0, power=2.0) -> float:
    """The temporal loss of one clip: maps (T, C, h, w) of both sides, all regions of all maps."""
    total = 0.0
    for x, y, w in zip(source, generated, weights, strict=True):
        terms = []
        regions = [(t, r, c) for t in range(len(x)) for r in range(x.shape[2]) for c in range(x.shape[3])]
        spatial = np.mean([d**2 for t, r, c in regions for d in disparities(x[t], r, c, w) if d is not None])
        for a, b in zip(temporal_disparities(x, w), temporal_disparities(y, w), strict=True):
            size = np.sqrt(np.mean(a**2, 1))
            typical = np.sqrt(np.mean(size**2))
            floor = np.sqrt((0.1 * typical) ** 2 + 0.02**2 * spatial)
            moving = [i for i in range(len(a)) if size[i] > floor]
            unit = [[v / np.sqrt(v @ v + a.shape[1] * floor**2) for v in side] for side in (a, b)]
            for i in moving:
                scores = [np.exp(unit[1][i] @ unit[0][k] / temperature) for k in moving]
                contrast = -np.log(np.exp(unit[1][i] @ unit[0][i] / temperature) / sum(scores))
                terms.append(contrast * lambda_ * (1 / (1 + np.exp(-size[i] / typical))) ** power)
        total += float(np.mean(terms))
    return total
