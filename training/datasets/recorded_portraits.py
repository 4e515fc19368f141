"""Portraits of prepared clips: the training data of the neural renderer from recorded videos."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from asccl.data.clips import ClipFolder, PreparedClip
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from training.datasets.portraits import RendererWindow, build_window


class PreparedPortrait:
    """A portrait in a folder of `training.prepare`.

    Its conditions are computed when a window is requested, as the renderer computes them for a tracked face.

    Args:
        clip: the clip.
        surface: of the head model.
        gaze: estimator of the gaze.
        first: first frame of the portrait in the clip.
        last: frame after the last one.
    """

    def __init__(self, clip: PreparedClip, surface: FaceSurface, gaze: GazeEstimator, first: int, last: int):
        self.clip, self.surface, self.gaze, self.first, self.last = clip, surface, gaze, first, last

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def size(self) -> int:
        """Side of a frame, pixels."""
        return self.clip.record.size

    @cached_property
    def scene(self) -> Scene:
        """Return the tracked face before the camera, in all frames of the clip."""
        tracked = Scene.tracked(self.surface, self.clip.motion(), self.size)
        return Scene(self.surface, tracked.rest, tracked.views, self.clip.read("crop"), self.size)

    @property
    def coefficients(self) -> np.ndarray:
        """Expression coefficients (N, 52) of the frames, without the gaze."""
        return self.clip.coefficients[self.first : self.last]

    def coefficients_with_gaze(self, t: int, landmarks: np.ndarray) -> np.ndarray:
        """Return the coefficients (52,) of frame t of the clip with the gaze of its landmarks (478, 3) in the video."""
        return self.gaze(self.scene.rest, self.clip.coefficients[t], self.scene.views[t], landmarks)

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        """See `Portrait.window`."""
        frames = np.arange(self.first, self.last)[first:last]
        landmarks = self.clip.read("landmarks", int(frames[0]), int(frames[-1]) + 1)
        conditions = [
            self.scene.frame_channels(self.coefficients_with_gaze(t, points), t)
            for t, points in zip(frames, landmarks, strict=True)
        ]
        images = self.clip.images(frames).transpose(0, 3, 1, 2)
        return build_window(torch.from_numpy(np.stack(conditions)), images, self.clip.landmarks(frames))

    def edited_conditions(self, first: int, coefficients: np.ndarray) -> np.ndarray:
        """See `Portrait.edited_conditions`; the gaze stays that of the frames."""
        return self.conditions_of_frames(self.first + first + np.arange(len(coefficients)), coefficients)

    def conditions_of_frames(self, frames: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """Compute conditions (n, 10, S, S) of frames (n,) of the clip with coefficients (n, 52), as in an edit."""
        channels = []
        for t, w in zip(map(int, frames), coefficients, strict=True):
            with_gaze = self.coefficients_with_gaze(t, self.clip.read("landmarks", t, t + 1)[0])
            channels.append(self.scene.frame_channels(w + with_gaze - self.clip.coefficients[t], t))
        return np.stack(channels)


def load_prepared_portraits(
    folder: Path, surface: FaceSurface, people: str = "", verify: bool = True
) -> list[PreparedPortrait]:
    """Load every segment of a folder's clips in which a face is visible.

    Args:
        folder: of `training.prepare`.
        surface: of the head model.
        people: see `ClipFolder`.
        verify: compare the files with the manifest.

    Raises:
        InputError: the folder has no such clips, or is damaged.
    """
    clips, gaze = ClipFolder(folder, surface.head.names, people, verify).clips, GazeEstimator(surface)
    return [PreparedPortrait(clip, surface, gaze, first, last) for clip in clips for first, last in clip.segments]
