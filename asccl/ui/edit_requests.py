"""What the Edit tab asks of an editor, and how the values of its widgets become a request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asccl.errors import SettingError
from asccl.progress import Progress
from asccl.types import GENERATORS, DetectedFace, EditRequest, EditResult, MediaInfo, Preview
from asccl.ui.expression_values import expression_fields
from asccl.ui.hub_weights import generator_fields
from asccl.ui.limits import check_upload
from asccl.ui.widget_updates import LARGEST_FACE

FROM_REFERENCE = "reference"  # choice of the emotion buttons: the emotion of the reference alone
SLIDER_STEP = 0.01  # seconds
MISSING_REFERENCE = (
    "there is no clip yet whose expression could be copied",
    "add one under “Copy the expression of a clip or photo”, or choose an emotion",
)


class EditorProtocol(Protocol):
    """What the app calls of an editor; `asccl.editing.editor.Editor` is one."""

    def probe(self, source: Path) -> MediaInfo: ...

    def faces(self, source: Path) -> list[DetectedFace]: ...

    def is_fitted(self, request: EditRequest) -> bool: ...

    def fit_face(self, request: EditRequest, owner: str = "") -> None:
        """Fit the face of a request, which takes seconds and makes its previews quick.

        Args:
            request: what to edit.
            owner: on whose behalf.
        """
        ...

    def quick_preview(self, request: EditRequest, time: float, owner: str = "") -> Preview:
        """Show one frame before and after the edit; with the plain preset where its adaptation would take seconds.

        Args:
            request: what to edit and how.
            time: seconds after the first frame.
            owner: on whose behalf.
        """
        ...

    def preview(self, request: EditRequest, time: float, owner: str = "", progress: Progress | None = None) -> Preview:
        """Show one frame before and after the edit.

        Args:
            request: as in `quick_preview`.
            time: as in `quick_preview`.
            owner: as in `quick_preview`.
            progress: can cancel it.
        """
        ...

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        """Write two seconds of a video before and after the edit, side by side.

        Args:
            request: what to edit and how.
            time: of the middle, seconds after the first frame.
            output: the file to write.
            owner: on whose behalf.
        """
        ...

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult: ...


@dataclass(frozen=True)
class EditSettings:
    """The values of the widgets of the Edit tab that decide what an edit shows.

    Attributes:
        source: path of the uploaded video or photo.
        emotion: one of the emotions, or "reference" for the emotion of the reference alone.
        reference: path of the uploaded reference.
        intensity: 0 to 2.
        start: seconds, start of the edited time range.
        end: seconds, its end; 0 is the end of the video.
        face: number of the face as listed by /faces; -1 is the largest.
        variant: number of the variant of the emotion, 0 or more.
        generator: one of `GENERATORS`, or what `hub_weights.choose` made of loaded weights.
        adapt: whether to fit the preset to this face.
        expression: JSON of second_emotion, second_share and groups; empty for none.
        keyframes: JSON of keyframes, [[seconds, intensity], ...]; empty for none.
    """

    source: str | None
    emotion: str
    reference: str | None
    intensity: float
    start: float
    end: float
    face: float
    variant: float
    generator: str
    adapt: bool
    expression: str
    keyframes: str

    @property
    def lacks_reference(self) -> bool:
        """Whether the expression of a reference is chosen, and there is none."""
        return self.emotion == FROM_REFERENCE and not self.reference

    def request(self, editor: EditorProtocol) -> EditRequest:
        """Convert the values to a request.

        Args:
            editor: knows how long the source is.

        Returns:
            The request.

        Raises:
            SettingError: a value is missing or out of range.
            UnreadableError: there is no source, or it was deleted.
            WeightsError: weights of the generator are missing.
        """
        if self.lacks_reference:
            raise SettingError(*MISSING_REFERENCE)
        path = check_upload(self.source, "video or photo")
        end = float(self.end or 0)
        reaches_end = end <= 0 or end >= editor.probe(path).duration - SLIDER_STEP
        first = None if self.emotion == FROM_REFERENCE else self.emotion
        return EditRequest(
            source=path,
            emotion=first,
            reference=check_upload(self.reference, "reference") if self.reference else None,
            intensity=float(self.intensity),
            start=float(self.start or 0),
            end=None if reaches_end else end,
            face=None if self.face == LARGEST_FACE else int(self.face),
            seed=int(self.variant or 0),
            adapt=bool(self.adapt),
            **generator_fields(self.generator or GENERATORS[0]),
            **expression_fields(self.expression, self.keyframes, first),
        )
