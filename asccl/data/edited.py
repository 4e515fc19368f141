"""Pairs out of real or rendered clips: a frame as filmed, and the same frame after an edit to another emotion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from asccl.errors import NoFaceError
from asccl.face.crop import CROP_SIZE, arcface_crop, arcface_matrix
from asccl.face.mesh import NUM_FACE_LANDMARKS
from asccl.face.tracker import FaceMeshTracker
from asccl.synthetic.datasets import SyntheticPair
from asccl.types import EMOTIONS, Image, LazyImage
from asccl.video import Reader

Edit = Callable[[Path, str, Path], object]  # source, emotion, output: writes the edited clip
AS_FILMED = -1  # the emotion of a frame that nobody named


class EditedPairs:
    """A map-style data set of `SyntheticPair`. What is not known of a real face, its coefficients, is NaN;
    landmarks are measured.

    clips: files with one face; use only faces that you may use. edit: such as `Editor().edit` in an `EditRequest`.
    folder: keeps the edited clips for the next time. every: takes every n-th frame. Raises NoFaceError.
    """

    def __init__(
        self,
        clips: list[Path],
        edit: Edit,
        folder: Path,
        size: int = CROP_SIZE,
        every: int = 3,
        emotions: tuple[str, ...] = EMOTIONS[1:],
    ):
        self.size, self.every = size, every
        self._pairs: list[SyntheticPair] = []
        folder.mkdir(parents=True, exist_ok=True)
        for number, clip in enumerate(clips):
            source = dict(self._crops(clip))
            if not source:
                raise NoFaceError(f"{clip.name} has no face", "give a clip with a face that is plain to see")
            for emotion in emotions:
                self._pairs += self._of_edit(source, self._edited(clip, emotion, edit, folder), number, emotion)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> SyntheticPair:
        return self._pairs[index]

    def _edited(self, clip: Path, emotion: str, edit: Edit, folder: Path) -> Path:
        output = folder / f"{clip.stem}-{emotion}.mp4"
        if not output.exists():
            edit(clip, emotion, output)
        return output

    def _of_edit(
        self, source: dict[int, tuple[Image, np.ndarray]], edited: Path, number: int, emotion: str
    ) -> Iterator[SyntheticPair]:
        unknown = np.full(52, np.nan, np.float32)
        for frame, (crop, landmarks) in self._crops(edited):
            if frame in source:
                before, there = source[frame]
                yield SyntheticPair(before, crop, AS_FILMED, EMOTIONS.index(emotion), number, frame, unknown, unknown, unknown,
                           there, landmarks)  # fmt: skip

    def _crops(self, clip: Path) -> Iterator[tuple[int, tuple[Image, np.ndarray]]]:
        """Every n-th frame that has a face: its number, the crop, and the landmarks there."""
        tracker = FaceMeshTracker()
        try:
            with Reader(clip) as reader:
                for frame in reader:
                    if frame.index % self.every:
                        continue
                    landmarks = tracker.track(frame.pixels).landmarks
                    if landmarks is not None:
                        yield frame.index, aligned(frame.pixels, landmarks[:NUM_FACE_LANDMARKS], self.size)
        finally:
            tracker.close()


def aligned(image: LazyImage, landmarks: np.ndarray, size: int) -> tuple[Image, np.ndarray]:
    """(H, W, 3) uint8 RGB and (468, 2+) pixels -> its ArcFace crop and the landmarks (468, 2) float32 in the crop."""
    matrix = arcface_matrix(landmarks, size)
    return arcface_crop(image, landmarks, size), (landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
