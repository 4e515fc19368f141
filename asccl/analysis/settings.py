"""Settings of a comparison of two files."""

from __future__ import annotations

from dataclasses import dataclass

from asccl.analysis.face_alignment import ALIGNMENTS
from asccl.analysis.temporal_alignment import PAIRINGS
from asccl.errors import SettingError
from asccl.face.crop import CROP_SIZE

CROP_SIZE_STEP = 16  # pixels
MIN_CROP_SIZE = 32  # pixels
MAX_OFFSET = 3600  # seconds


@dataclass(frozen=True)
class AnalysisSettings:
    """Settings of a comparison, checked on construction.

    Attributes:
        pairing: "time" for an edit of the source (frames of the same time); "sound" or "mouth" for another take of the
            same words (dynamic time warping over the sound or the lips); "auto" chooses by duration and head position.
        alignment: "place" crops both frames where the face of the source is; "landmarks" first transforms the
            generated face to the pose of the source; "auto" chooses "place" if the head has not moved.
        stride: compare every `stride`-th frame; None compares about 300 frames.
        offset: seconds by which the generated video is ahead of the source.
        face: number of the person in the source, as `Editor.faces` counts; None selects the largest face.
        metric: see `asccl.load_metric`.
        size: side of a crop in pixels, a multiple of 16.

    Raises:
        SettingError: a value is not allowed.
    """

    pairing: str = "auto"
    alignment: str = "auto"
    stride: int | None = None
    offset: float = 0.0
    face: int | None = None
    metric: str = "scc-mobilefacenet"
    size: int = CROP_SIZE

    def __post_init__(self) -> None:
        for name, choices in (("pairing", ("auto", *PAIRINGS)), ("alignment", ("auto", *ALIGNMENTS))):
            if getattr(self, name) not in choices:
                raise SettingError(f"there is no {name} {getattr(self, name)!r}", f"choose one of {', '.join(choices)}")
        if self.stride is not None and self.stride < 1:
            raise SettingError(f"stride {self.stride} is not a number of frames", "give 1, 2, 3, ... or leave it out")
        if not abs(self.offset) < MAX_OFFSET:
            raise SettingError(f"offset {self.offset} is not a time", "give seconds")
        if self.face is not None and self.face < 0:
            raise SettingError(f"face {self.face} is not a number of a face", "give 0, 1, 2, ... or leave it out")
        if self.size < MIN_CROP_SIZE or self.size % CROP_SIZE_STEP:
            raise SettingError(
                f"crops of {self.size} pixels cannot be compared",
                f"give a multiple of {CROP_SIZE_STEP} and at least {MIN_CROP_SIZE}",
            )
