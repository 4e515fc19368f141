"""Windows of the neural renderer with an edit: the same frames, and the conditions of another emotion.

No frame shows the edit, so it has no pixel target. ASCCL compares it with the frame that it is an edit of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.morphable.head import HeadModel
from asccl.nets.ned_manipulator import Manipulator, translate_expression
from asccl.synthetic.emotions import MAX_COEFFICIENT
from asccl.types import EMOTIONS, Motion
from training.datasets.portraits import RendererWindow, RendererWindows

Edit = Callable[[np.ndarray, int], np.ndarray]  # coefficients (T, 52), target emotion -> coefficients (T, 52)


class EditedWindow(NamedTuple):
    """A window and an edit of it.

    Attributes:
        source: T frames with their conditions.
        conditions: (T, 10, S, S) float32 in [0, 1] of the same frames with another emotion.
    """

    source: RendererWindow
    conditions: torch.Tensor

    def window(self) -> RendererWindow:
        """Return the frames with the conditions of the edit."""
        return self.source._replace(conditions=self.conditions)


def manipulator_edit(net: Manipulator) -> Edit:
    """Return the edit of a manipulator: to its mean style of an emotion, without the rules that protect speech."""

    @torch.no_grad()
    def edit(coefficients: np.ndarray, emotion: int) -> np.ndarray:
        source = torch.from_numpy(coefficients).float().to(net.mean_style.device)
        return (
            translate_expression(net.generator, source, net.mean_style[emotion]).cpu().numpy().clip(0, MAX_COEFFICIENT)
        )

    return edit


def preset_edit(head: HeadModel) -> Edit:
    """Return the edit of the presets at full intensity, which protects speech as an edit of a video does."""
    director = PresetDirector(head)

    def edit(coefficients: np.ndarray, emotion: int) -> np.ndarray:
        frames = len(coefficients)
        motion = Motion(
            coefficients=coefficients.astype(np.float32),
            scale=np.ones(frames),
            rotation=np.tile(np.eye(3), (frames, 1, 1)),
            translation=np.zeros((frames, 3)),
            identity=head.neutral.astype(np.float32),
            weight=np.ones(frames, np.float32),
        )
        return director(motion, Target(emotion=EMOTIONS[emotion])).coefficients

    return edit


class EditedWindows(Dataset):
    """Windows of some portraits, each with an edit to one emotion.

    A whole portrait is edited at once, because a manipulator and a preset read more than a window. The target emotion
    of a window depends on seed and index alone; the windows of one portrait have all emotions.

    Args:
        windows: the windows.
        edit: of the coefficients.
        seed: chooses the target emotions.
    """

    def __init__(self, windows: RendererWindows, edit: Edit, seed: int):
        self.windows, self.edit, self.seed = windows, edit, seed
        self._coefficients: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> EditedWindow:
        """Return window `index`."""
        number, first = self.windows.starts[index]
        emotion = int(np.random.default_rng((self.seed, index, 11)).integers(len(EMOTIONS)))
        coefficients = self._edited(number, emotion)[first : first + self.windows.frames]
        conditions = self.windows.portraits[number].edited_conditions(first, coefficients)
        return EditedWindow(self.windows[index], torch.from_numpy(conditions).float())

    def _edited(self, number: int, emotion: int) -> np.ndarray:
        """Return the coefficients (N, 52) of a portrait with an emotion."""
        key = number, emotion
        if key not in self._coefficients:
            self._coefficients[key] = self.edit(self.windows.portraits[number].coefficients, emotion)
        return self._coefficients[key]
