"""Notice a training of ICface that diverges while its losses stay finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from training.datasets.driven_clips import DRIVEN_SETTINGS
from training.engine.loop import DivergedError

MAX_PSNR_DROP = 3.0  # dB below the best evaluation of the training; of a moving average; healthy ones lose less than 2
MIN_CONTRAST_SHARE = 0.1  # of the highest contrast of the training; images of one colour have none
REMEDY = "lower the learning rate, or let it decay over fewer steps, and give another --output"


def image_contrast(images: Sequence[np.ndarray]) -> float:
    """Mean standard deviation of the pixels of an image, levels of 255.

    images: of several clips, (T, S, S, 3) each.
    """
    return float(np.concatenate([clip.std((1, 2, 3)) for clip in images]).mean())


class DivergenceGuard:
    """Compares every evaluation of a training with the best one before it.

    The PSNR of step 0 is left out: untrained networks may be a copy of the source, which first steps lose.
    A resumed training starts anew.
    """

    def __init__(self) -> None:
        self.best_psnr = self.best_contrast = float("-inf")

    def check(self, step: int, metrics: Mapping[str, float], images: Sequence[np.ndarray]) -> None:
        """Check the held-out images of an evaluation.

        Args:
            step: of the training.
            metrics: of `IcfaceValidation`.
            images: generated images of every clip, (T, S, S, 3) uint8 RGB each.

        Raises:
            DivergedError: they have one colour, or are far from the truth compared with an earlier evaluation.
        """
        contrast = image_contrast(images)
        if contrast < MIN_CONTRAST_SHARE * self.best_contrast:
            raise DivergedError(f"step {step}: the generated images have one colour", REMEDY)
        self.best_contrast = max(self.best_contrast, contrast)
        if step == 0:
            return
        psnr = fmean(metrics[name] for name in (f"{setting}/psnr" for setting in DRIVEN_SETTINGS) if name in metrics)
        if psnr < self.best_psnr - MAX_PSNR_DROP:
            raise DivergedError(
                f"step {step}: the PSNR on held-out people fell from {self.best_psnr:.1f} to {psnr:.1f} dB", REMEDY
            )
        self.best_psnr = max(self.best_psnr, psnr)
