"""Edit the emotion of talking faces: what the app, the commands and `import asccl` call.

An edit passes twice over a file: `frames.observe_clip` tracks and fits the face, `plan.plan_edit` decides the edit,
`render_pass.render_edit` renders and writes it, `report.build_report` describes it. Frames are processed one by one; a
limited number is kept for the second pass (`video.kept_frames`): memory does not grow with the length of the video.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from asccl import zoo
from asccl.directors.base import ReferenceStyle
from asccl.editing import icface_selection, renderer_selection
from asccl.editing.cache import KeyedCache
from asccl.editing.frames import EditFrames, observe_clip
from asccl.editing.models import Models, load_models
from asccl.editing.plan import is_planned, plan_edit
from asccl.editing.preview import PreviewSession, preview_bytes
from asccl.editing.preview_clip import render_preview_clip
from asccl.editing.render_pass import render_edit
from asccl.editing.report import StageTimer, build_report
from asccl.editing.sampled_frames import fit_sampled_frames, reference_style
from asccl.errors import SettingError
from asccl.face.people import Person, select_person
from asccl.face.tracker import FaceMeshTracker
from asccl.files import file_key
from asccl.morphable.reconstruct import SEARCHED_FRAMES
from asccl.progress import Progress
from asccl.provenance.manifest import edit_metadata
from asccl.provenance.signer import EditSigner
from asccl.renderers.icface.openface import read_openface_table
from asccl.types import DetectedFace, EditRequest, EditResult, MediaInfo, Preview
from asccl.video import EncodeSettings, Limits, StillWriter, default_output, open_writer, probe, sample_frames
from asccl.video.kept_frames import KeptFrames

CACHED_FILES = 1000  # lists of faces and reference styles: a few kB each
PREVIEW_BYTES = 2**30  # of the sampled frames of files, for previews
OWNER_PREVIEWS = 4  # files of one owner whose sampled frames are kept


class Editor:
    """Edits the emotion of talking faces.

    One editor serves any number of threads and keeps no request's settings. Programs call
    `asccl.editing.threads.limit_threads` once, so that the threads of an edit do not compete with those of OpenCV.

    Args:
        limits: of the inputs; larger ones are refused.
        encode: quality of the written video.
        device: of a neural renderer: "cpu", "cuda", "cuda:1", "mps".
    """

    def __init__(self, limits: Limits | None = None, encode: EncodeSettings | None = None, device: str = "cpu"):
        self.limits, self.encode, self.device = limits or Limits(), encode or EncodeSettings(), device
        self._people: KeyedCache[list[Person]] = KeyedCache(CACHED_FILES)
        self._styles: KeyedCache[ReferenceStyle] = KeyedCache(CACHED_FILES)
        self._previews: KeyedCache[PreviewSession] = KeyedCache(PREVIEW_BYTES, preview_bytes, OWNER_PREVIEWS)

    def probe(self, source: Path) -> MediaInfo:
        """Describe a file by one frame and its time stamps. Raises UnreadableError, LimitError."""
        return probe(source, self.limits)

    def faces(self, source: Path) -> list[DetectedFace]:
        """List the people in a file, the largest face first. Raises NoFaceError, UnreadableError, LimitError."""
        people = self._find_people(Path(source))
        select_person(people, None, Path(source).name)
        return [person.detected for person in people]

    def preview(self, request: EditRequest, time: float, owner: str = "", progress: Progress | None = None) -> Preview:
        """Show one frame before and after the edit. Raises the errors of `edit`.

        The first call for a file fits its face on sampled frames, the first one for an emotion adapts it to the face,
        which takes seconds; further ones take a fraction of a second.

        Args:
            request: what to edit and how.
            time: of the frame, seconds after the first one.
            owner: on whose behalf; each one's files are remembered apart, so that nobody displaces another's.
            progress: can cancel an adaptation.

        Returns:
            The frame before and after.
        """
        session, models, reference = self._preview_session(request, owner)
        return session.render_frame(request, time, models, self.limits, reference, progress)

    def quick_preview(self, request: EditRequest, time: float, owner: str = "") -> Preview:
        """Show one frame as `preview` does, or with the plain preset where the edit is still to be adapted to the face.

        Args:
            request: as in `preview`.
            time: as in `preview`.
            owner: as in `preview`.

        Returns:
            The frame before and after; `is_final` tells which of the two it shows.
        """
        session, models, reference = self._preview_session(request, owner)
        if is_planned(request, session.face, reference):
            return session.render_frame(request, time, models, self.limits, reference)
        plain = session.render_frame(request, time, models, self.limits, reference, is_quick=True)
        return replace(plain, is_final=False)

    def is_fitted(self, request: EditRequest) -> bool:
        """Whether the face of a request was fitted for a preview before, so that its next preview is quick."""
        return (file_key(request.source), request.face) in self._previews

    def fit_face(self, request: EditRequest, owner: str = "") -> None:
        """Fit the face of a request on sampled frames, as its first preview does. Raises the errors of `edit`.

        Args:
            request: as in `preview`.
            owner: as in `preview`.
        """
        self._preview_session(request, owner)

    def _preview_session(
        self, request: EditRequest, owner: str
    ) -> tuple[PreviewSession, Models, ReferenceStyle | None]:
        models, reference = load_models(self.device), self._reference_style(request)

        def open_session() -> PreviewSession:
            person = select_person(self._find_people(request.source), request.face, request.source.name)
            return PreviewSession.open(request.source, person.detected, models, self.limits)

        session = self._previews.get((file_key(request.source), request.face), open_session, owner)
        return session, models, reference

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        """Write two seconds of a video, the face before and after side by side; see `render_preview_clip`.

        Args:
            request: what to edit and how.
            time: of the middle, seconds after the first frame.
            output: the .mp4 to write.
            owner: as in `preview`.
        """
        session, models, reference = self._preview_session(request, owner)
        render_preview_clip(session, request, time, output, models, self.limits, reference)

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult:
        """Edit a whole file. The output appears whole or not at all.

        Args:
            request: what to edit and how.
            progress: reports progress and can cancel.

        Returns:
            The output and its report.

        Raises:
            SettingError: a setting does not fit the file or this machine.
            UnreadableError, LimitError, NoFaceError, InputError: an input cannot be used.
            OutputError: the output cannot be written.
            WeightsError: weights are missing or damaged.
            CancelledError: by the user.
        """
        progress, clock = progress or Progress(), StageTimer()
        info = self.probe(request.source)
        output = request.output or default_output(info, f"-{request.emotion or 'reference'}")
        check_request(request, info, output, self.device)
        signer, tags = EditSigner(request), edit_metadata(request)
        progress("open", 0.0)
        with (
            open_writer(output, info, info.path, tags, self.encode, progress.check, signer) as writer,
            KeptFrames() as kept,
        ):
            models = load_models(self.device)
            with clock("reference"):
                reference = self._reference_style(request)
            with clock("track and fit"):
                people = self._known_people(request.source)
                clip, face = observe_clip(request, models, self.limits, progress, people, kept)
            with clip:
                with clock("direct"):
                    plan = plan_edit(request, EditFrames(face, clip.motion, clip.times), models, reference, progress)
                metrics, noticed = render_edit(request, plan, clip, kept, writer, models, self.limits, progress, clock)
                with clock("read out"):
                    measured = metrics.report(request.emotion, reference.features if reference else None)
        dropped = writer.dropped if isinstance(writer, StillWriter) else ()
        measured["occlusion"] = noticed
        report = build_report(request, clip, plan, measured, clock, writer.track_report(), signer.report(), dropped)
        progress.finish()
        return EditResult(output, report)

    def _known_people(self, source: Path) -> list[Person] | None:
        """The people in a file if a preview or `faces` searched for them; None otherwise."""
        return self._find_people(source) if file_key(source) in self._people else None

    def _find_people(self, source: Path) -> list[Person]:
        def find() -> list[Person]:
            info = self.probe(source)
            tracker = FaceMeshTracker(load_models(self.device).embedder.embed)
            try:
                return tracker.find_people(sample_frames(source, SEARCHED_FRAMES, self.limits), info.time_base)
            finally:
                tracker.close()

        return self._people.get(file_key(source), find)

    def _reference_style(self, request: EditRequest) -> ReferenceStyle | None:
        path = request.reference
        if path is None:
            return None

        def measure() -> ReferenceStyle:
            models = load_models(self.device)
            return reference_style(fit_sampled_frames(path, models, self.limits), models)

        return self._styles.get(file_key(path), measure)


def check_request(request: EditRequest, info: MediaInfo, output: Path, device: str) -> None:
    """Refuse a request that cannot be fulfilled, before the long work.

    Args:
        request: to check.
        info: of its source.
        output: the file to be written.
        device: of a neural renderer.

    Raises:
        SettingError: the time range or the keyframes start behind the end of the source, a still has keyframes, the
            output would replace the reference, or there is no such device.
        InputError: the requested renderer or table of controls cannot be used, or ICface has no networks.
    """
    if not info.is_still and request.start >= info.duration:
        raise SettingError(
            f"start {request.start:g} s lies behind the end of {info.path.name} ({info.duration:.2f} s)",
            "give an earlier start",
        )
    if info.is_still and request.keyframes:
        raise SettingError(f"{info.path.name} is a still and has no time for keyframes", "leave them out")
    if request.keyframes and request.keyframes[0].time >= info.duration:
        raise SettingError(
            f"the first keyframe at {request.keyframes[0].time:g} s lies behind the end of {info.path.name} "
            f"({info.duration:.2f} s)",
            "give earlier keyframes",
        )
    if request.reference is not None and os.path.exists(output) and output.samefile(request.reference):
        raise SettingError(f"{output.name} would replace the reference", "choose another name")
    if request.generator == "icface":
        icface_selection.select_icface(request.renderer)
        if request.controls is not None:
            read_openface_table(request.controls)
    elif request.renderer is not None:
        renderer_selection.read_renderer_metadata(request.renderer)
    if request.generator != "warp":
        zoo.check_device(device)
