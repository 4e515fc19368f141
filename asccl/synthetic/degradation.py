"""Degrade images as a camera and a codec do: the same for both images of a pair, except for the noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face.crop import CROP_SIZE
from asccl.types import Image


@dataclass(frozen=True)
class CameraDegradation:
    """One degradation; the defaults change nothing.

    Attributes:
        gain: of R, G and B.
        gamma: exponent of the levels.
        contrast: factor of the levels around 0.5.
        blur: standard deviation of the blur in pixels at a crop of 112 pixels.
        noise: standard deviation of the noise in levels of 255.
        quality: of the JPEG, 0 for none.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    quality: int = 0

    @classmethod
    def sample(cls, rng: np.random.Generator) -> CameraDegradation:
        """Sample a degradation between a clean studio camera and a video call."""
        r, g, b = rng.normal(1, [0.06, 0.03, 0.06]) * rng.normal(1, 0.05)
        return cls(
            gain=(float(r), float(g), float(b)),
            gamma=float(np.exp(rng.normal(-0.05, 0.11))),
            contrast=float(np.exp(rng.normal(0, 0.08))),
            blur=float(rng.uniform(0.3, 1.1)) if rng.uniform() < 0.5 else 0.0,
            noise=float(rng.gamma(1.5, 1.6)),
            quality=int(rng.integers(35, 95)) if rng.uniform() < 0.6 else 0,
        )

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """Degrade an image (H, W, 3) uint8 RGB; rng draws the noise."""
        levels = (np.arange(256, dtype=np.float32) / 255) ** self.gamma
        levels = (levels - 0.5) * self.contrast + 0.5
        curves = np.clip(levels[:, None] * np.array(self.gain, np.float32), 0, 1)
        degraded = cv2.LUT(image, np.rint(curves * 255).astype(np.uint8)[None])
        if self.blur > 0:
            degraded = cv2.GaussianBlur(degraded, (0, 0), self.blur * len(image) / CROP_SIZE)
        noise = rng.standard_normal(image.shape, np.float32)
        degraded = np.clip(degraded + self.noise * noise, 0, 255).astype(np.uint8)
        if self.quality:
            _, data = cv2.imencode(".jpg", degraded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.quality])
            degraded = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
        return np.ascontiguousarray(degraded)
