"""A renderer says how it looks: frames, what the face does, what it should do -> frames."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from asccl.types import Image, LazyImage, Motion


class Renderer(Protocol):
    """One renderer serves one clip: `study` some frames, `plan` the whole motion, then `render` frame by frame."""

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Look at a sampled frame (its landmarks (478, 3) pixels) and keep what is needed of this person."""
        ...

    def plan(self, motion: Motion, new: Motion) -> None:
        """Take the motion of the source and of the edit, T frames each."""
        ...

    def render(self, picture: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        """Frame t of the source -> frame t of the edit; the very same object where nothing changes. An array gives an
        array."""
        ...
