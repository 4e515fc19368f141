"""Metrics of generated faces whose truth is known: expression similarity, lip correlation and PSNR."""

from __future__ import annotations

import numpy as np

MIN_LIP_DEVIATION = 1e-6  # standard deviation of a lip opening below which the lips do not move


def expression_similarity(a: np.ndarray, b: np.ndarray) -> float:
    r"""Return the mean cosine similarity over all pairs of features of two sets (the paper's CSIM).

    .. math:: \frac{1}{N M} \sum_{n=1}^{N} \sum_{m=1}^{M} \frac{a_n \cdot b_m}{\lVert a_n \rVert \lVert b_m \rVert}

    Args:
        a: expression features, (N, D).
        b: expression features, (M, D).
    """
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    return float(x.mean(0) @ y.mean(0))


def lip_correlation(generated: np.ndarray, truth: np.ndarray, min_deviation: float) -> float:
    r"""Return the Pearson correlation of two lip openings over time.

    .. math:: \frac{\sum_t (g_t - \bar g)(h_t - \bar h)}{\sqrt{\sum_t (g_t - \bar g)^2 \sum_t (h_t - \bar h)^2}}

    Frames in which either opening is not finite are left out.

    Args:
        generated: lip opening g of the generated face, (T,).
        truth: lip opening h of the true face, (T,), in the same unit.
        min_deviation: standard deviation of `truth` up to which the correlation is undefined.

    Returns:
        The correlation; 0 where the generated lips do not move while the true ones do; NaN where the true lips do not
        move by more than `min_deviation` or fewer than 3 frames are finite.
    """
    finite = np.isfinite(generated) & np.isfinite(truth)
    generated, truth = generated[finite], truth[finite]
    if len(truth) < 3 or truth.std() <= min_deviation:
        return np.nan
    return float(np.corrcoef(generated, truth)[0, 1]) if generated.std() > MIN_LIP_DEVIATION else 0.0


def psnr(generated: np.ndarray, truth: np.ndarray) -> float:
    r"""Return the mean peak signal-to-noise ratio of images in dB.

    .. math:: \frac{1}{N} \sum_{n=1}^{N} 10 \log_{10} \frac{255^2}{\mathrm{MSE}_n}

    The mean squared error of an image is at least 0.001, so identical images give 78.1 dB.

    Args:
        generated: images, (N, H, W, 3) uint8.
        truth: images, (N, H, W, 3) uint8.
    """
    error = np.square(generated.astype(np.float32) - truth).mean((1, 2, 3))
    return float((10 * np.log10(255**2 / np.maximum(error, 1e-3))).mean())
