"""How two files are to be compared."""

from __future__ import annotations

from dataclasses import dataclass

from asccl.analysis.temporal_alignment import PAIRINGS
from asccl.errors import SettingError
from asccl.face.crop import CROP_SIZE


@dataclass(frozen=True)
class AnalysisSettings:
    """How to compare. Checked on construction.

    pairing: "time" for an edit of the source (the same moment), "sound" or "mouth" for another take (dynamic time
        warping over what is heard or over the lips), "auto" to judge by length and place.
    alignment: "place" cuts both frames where the source's face is, "landmarks" brings the generated face into its pose
        first, "auto" takes the first where the head has not moved.
    stride: compare each `stride`-th frame; None takes about 300 of them. offset: seconds by which the generated
        video runs ahead. face: which person of the source, as `Editor.faces` counts; None takes the largest.
    metric: see `asccl.load_metric`. size: pixels of a crop, a multiple of 16.
    Raises SettingError.
    """

    pairing: str = "auto"
    alignment: str = "auto"
    stride: int | None = None
    offset: float = 0.0
    face: int | None = None
    metric: str = "scc-mobilefacenet"
    size: int = CROP_SIZE

    def __post_init__(self) -> None:
        for name, choices in (("pairing", ("auto", *PAIRINGS)), ("alignment", ("auto", "place", "landmarks"))):
            if getattr(self, name) not in choices:
                raise SettingError(f"there is no {name} {getattr(self, name)!r}", f"choose one of {', '.join(choices)}")
        if self.stride is not None and self.stride < 1:
            raise SettingError(f"stride {self.stride} is not a number of frames", "give 1, 2, 3, ... or leave it out")
        if not abs(self.offset) < 3600:
            raise SettingError(f"offset {self.offset} is not a time", "give seconds")
        if self.face is not None and self.face < 0:
            raise SettingError(f"face {self.face} is not a number of a face", "give 0, 1, 2, ... or leave it out")
        if self.size < 32 or self.size % 16:
            raise SettingError(f"crops of {self.size} pixels cannot be compared", "give a multiple of 16 from 32 on")
