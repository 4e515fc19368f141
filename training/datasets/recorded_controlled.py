"""Prepared clips for ICface: frames in its crops, with control values of the tracked face."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from asccl.data.clips import ClipFolder, PreparedClip
from asccl.errors import InputError
from asccl.face.crop import warp_crop
from asccl.morphable.head import HeadModel
from asccl.renderers.icface.controls import lip_gaps, motion_controls, person_offsets
from asccl.renderers.icface.crop import face_crop_matrices
from asccl.types import EMOTIONS
from training.datasets.controlled_clips import ControlledFrames
from training.datasets.driven_clips import REENACTMENT, DrivenClip
from training.datasets.recorded import split_clips
from training.engine import distributed


class RecordedClip:
    """The frames of a prepared clip in which a face is visible; see `ControlledClip`.

    The crops are cut from the images of the folder, which are little larger: at a tilted head a corner may repeat the
    border of the image.

    Args:
        clip: the prepared clip.
        names: of the 52 units.
        size: side of a crop, pixels.
        pose_limit: rotation whose control is 1, radians.
    """

    def __init__(self, clip: PreparedClip, names: tuple[str, ...], size: int, pose_limit: float):
        self.clip, self.names, self.size, self.pose_limit = clip, names, size, pose_limit
        self._visible = np.flatnonzero(clip.valid)

    def __len__(self) -> int:
        return len(self._visible)

    def edit_of(self, _index: int) -> None:
        """See `ControlledClip.edit_of`: a recording shows each moment once."""
        return

    @property
    def name(self) -> str:
        """Name of the clip, for errors."""
        return self.clip.record.file

    @property
    def person(self) -> str:
        """Label of the person; the name of a clip without a label."""
        return self.clip.record.person or self.name

    @cached_property
    def controls(self) -> np.ndarray:
        """Controls of all frames of the prepared clip without what its person's face always has of them, (T, 20).

        The driving controls of an edit are without these offsets, too.
        """
        motion = self.clip.motion()
        values = motion_controls(motion, self.names, lip_gaps(self.clip.read("landmarks"), motion), self.pose_limit)
        return np.clip(values - person_offsets(values, motion.weight), 0, 1)

    @cached_property
    def crop_matrices(self) -> np.ndarray:
        """Similarities from the images of the folder to the crops, (T, 2, 3)."""
        to_crop, to_image = face_crop_matrices(self.clip.motion(), self.size), self.clip.read("crop")
        inverse = np.stack([cv2.invertAffineTransform(matrix.astype(np.float64)) for matrix in to_image])
        linear = to_crop[:, :, :2] @ inverse[:, :, :2]
        shift = np.einsum("tij,tj->ti", to_crop[:, :, :2], inverse[:, :, 2]) + to_crop[:, :, 2]
        return np.concatenate([linear, shift[..., None]], -1)

    def frames(self, indices: Sequence[int]) -> ControlledFrames:
        """See `ControlledClip.frames`."""
        frames = self._visible[list(indices)]
        matrices, points = self.crop_matrices[frames], []
        for t, matrix in zip(frames, matrices, strict=True):
            points.append(self.clip.landmarks(np.array([t]))[0] @ matrix[:, :2].T + matrix[:, 2])
        images = zip(self.clip.images(frames), matrices, strict=True)
        crops = np.stack([warp_crop(image, matrix, self.size) for image, matrix in images])
        return ControlledFrames(crops, self.controls[frames], np.stack(points).astype(np.float32))


def load_recorded_clips(
    folder: Path, head: HeadModel, size: int, pose_limit: float, people: str = "", verify: bool = True
) -> tuple[list[RecordedClip], list[RecordedClip]]:
    """Load the clips of a folder to train on and the held-out ones.

    Args:
        folder: of `training.prepare`.
        head: whose coefficients the clips must have.
        size: side of a crop, pixels.
        pose_limit: rotation whose control is 1, radians.
        people: see `ClipFolder`.
        verify: compare the files with the manifest (on the main process).

    Raises:
        InputError: the folder has no such clips, or is damaged.
    """
    clips = ClipFolder(folder, head.names, people, verify and distributed.is_main_process()).clips
    usable = [clip for clip in clips if clip.record.valid > 1]
    if not usable:
        raise InputError(f"no clip of {folder} has two frames with a face", "give longer clips")
    train, held_out = (
        [RecordedClip(clip, head.names, size, pose_limit) for clip in part] for part in split_clips(usable)
    )
    return train, held_out


def recorded_driven_clips(clips: Sequence[RecordedClip], max_frames: int) -> list[DrivenClip]:
    """Return one clip to generate for each clip: its first frame is driven by the frames after it.

    Args:
        clips: held-out clips.
        max_frames: largest number of frames of each.
    """
    driven = []
    for clip in clips:
        truth = clip.frames(range(1, min(len(clip), max_frames + 1)))
        still = ControlledFrames(*(np.repeat(part, len(truth.images), 0) for part in clip.frames([0])))
        emotion = clip.clip.record.emotion
        driven.append(DrivenClip(still, truth, EMOTIONS.index(emotion) if emotion else -1, REENACTMENT))
    return driven
