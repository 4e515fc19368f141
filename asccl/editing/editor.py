"""The one place where the steps meet: open, track, fit, direct, render, read out, write.

`Editor.edit` walks twice over a file: once to see what the face does, once to change it. Frames pass one by one, so
memory does not grow with the length of the video.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from asccl import zoo
from asccl.directors.base import Director, ReferenceStyle, Target
from asccl.directors.preset import PresetDirector
from asccl.directors.reference import ReferenceDirector
from asccl.editing import renderer_selection
from asccl.editing.preview import (
    FaceLandmarker,
    PreviewSession,
    fit_sampled_frames,
    reference_style,
    source_emotion_probabilities,
)
from asccl.editing.render_pass import render_clip
from asccl.editing.report import StageTimer, describe_edit, edit_metadata, weights_used
from asccl.editing.strength import FaceSample, identity_preserving_strength
from asccl.errors import SettingError
from asccl.face.easing import smoothstep
from asccl.face.people import select_person
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.fit import Fitter
from asccl.morphable.reconstruct import SEARCHED_FRAMES, FittedClip, reconstruct
from asccl.renderers.base import Renderer
from asccl.renderers.warp.renderer import WarpRenderer
from asccl.types import DetectedFace, EditRequest, EditResult, Image, MediaInfo, Preview, Progress, as_image
from asccl.video import EncodeSettings, Limits, default_output, draw_badge, open_writer, probe, sample_frames

FADE_SECONDS = 0.3  # seconds in which an edit fades at the ends of its time range
MIN_STRENGTH_SAMPLES = 4  # frames by which the strength of an edit is judged, at least; less than twice as many
CACHE_SIZE = 8  # files whose faces are kept ready for previews


class Editor:
    """Edits the emotion of talking faces. One editor serves any number of threads and keeps no request's settings.
    Making one switches the own threads of OpenCV and of numpy's BLAS off for the process.

    limits: what is refused as too large. encode: quality of the written video. device: of a neural renderer.
    """

    def __init__(self, limits: Limits | None = None, encode: EncodeSettings | None = None, device: str = "cpu"):
        self.device = device
        # the steps of an edit have threads of their own; more would only wait for each other, those of BLAS busily
        cv2.setNumThreads(1)
        threadpool_limits(1, "blas")
        self.limits = limits or Limits()
        self.encode = encode or EncodeSettings()
        self._head: AnnyHead | None = None
        self._fitter: Fitter | None = None
        self._eyes: FaceLandmarker | None = None
        self._looking = threading.Lock()  # guards what follows and what only one thread may use
        self._people: OrderedDict[tuple, list] = OrderedDict()
        self._styles: OrderedDict[tuple, ReferenceStyle] = OrderedDict()
        self._studios: OrderedDict[tuple, PreviewSession] = OrderedDict()

    def probe(self, source: Path) -> MediaInfo:
        """What a file holds. Raises UnreadableError, LimitError."""
        return probe(source, self.limits)

    def faces(self, source: Path) -> list[DetectedFace]:
        """The people in a file, number 0 with the largest face. Raises NoFaceError, UnreadableError, LimitError."""
        with self._looking:
            people = self._find(Path(source))
        select_person(people, None, Path(source).name)
        return [person.detected for person in people]

    def preview(self, request: EditRequest, time: float) -> Preview:
        """One frame, `time` seconds after the first, before and after. The same errors as `edit`.

        The first call for a file looks at its faces; further ones take a fraction of a second.
        """
        with self._looking:
            target = self._target(request)
            studio = self._studio(request)
            amount = float(time_range_weight(np.array([time]), request)[0])
            target = replace(target, intensity=target.intensity * amount)
            shown = studio.show(time, self._get_eyes(), self._director(request), target, zoo.load_embedder().embed)
        if request.badge:
            shown = replace(shown, edited=as_image(draw_badge(shown.edited)))
        return shown

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult:
        """Edit a whole file. The output appears whole or not at all.

        Raises SettingError, UnreadableError, NoFaceError, LimitError, OutputError, WeightsError, CancelledError.
        """
        progress, clock = progress or Progress(), StageTimer()
        info = self.probe(request.source)
        check_time_range(request, info)
        progress("open", 0.0)
        output = request.output or default_output(info, f"-{request.emotion or 'reference'}")
        if request.reference is not None and output.exists() and output.samefile(request.reference):
            raise SettingError(f"{output.name} would replace the reference", "choose another name")
        with open_writer(output, info, info.path, edit_metadata(request), self.encode) as writer:
            with clock("reference"), self._looking:
                target = self._target(request)
            if request.renderer is not None:
                renderer_selection.read_metadata(request.renderer)  # before all the work
            if request.generator == "ned":
                zoo.check_device(self.device)
            warp, few = WarpRenderer(self._get_fitter().head), FrameSampler()
            with clock("track and fit"):
                clip = self._analyse(request, warp, few, progress)
            with clip:
                with clock("direct"):
                    director = self._director(request)
                    samples = few.samples(clip)
                    target = replace(target, shown=source_emotion_probabilities(samples, zoo.load_expression_net()))
                    strength = self._strength(clip, director, target, warp, samples)
                    renderer, served = self._renderer(request, warp, samples)
                    motion = replace(clip.motion, weight=clip.motion.weight * time_range_weight(clip.times, request))
                    target = replace(target, intensity=target.intensity * strength)
                    renderer.plan(motion, director(motion, target))
                readout = render_clip(request, clip, renderer, writer, self.limits, progress, clock)
                with clock("read out"):
                    features = target.reference.features if target.reference else None
                    measured = readout.report(request.emotion, features)
        report = {
            **describe_edit(request, clip, motion),
            "strength": strength,
            "renderer": served,
            **measured,
            "seconds": clock.report(),
            "weights": weights_used(request, served),
        }
        progress("done", 1.0)
        return EditResult(output, report)

    # the steps of an edit

    def _analyse(self, request: EditRequest, renderer: Renderer, few: FrameSampler, progress: Progress) -> FittedClip:
        def study(index: int, image: Image, landmarks: np.ndarray) -> None:
            renderer.observe(image, landmarks)
            few.keep(index, image)

        tracker = FaceMeshTracker(zoo.load_embedder().embed)
        try:
            fitter = self._get_fitter()
            return reconstruct(request.source, tracker, fitter, progress, self.limits, request.face, study)
        finally:
            tracker.close()

    def _strength(
        self, clip: FittedClip, director: Director, target: Target, renderer: Renderer, samples: list[FaceSample]
    ) -> float:
        """Judged by warping, whoever renders: how much a network blurs a face says nothing about the emotion."""
        return identity_preserving_strength(clip.motion, director, target, renderer, samples, zoo.load_embedder().embed)

    def _renderer(
        self, request: EditRequest, warp: WarpRenderer, samples: list[FaceSample]
    ) -> tuple[Renderer, dict[str, Any]]:
        """Who renders the person of some frames, and what the report says of it."""
        if request.generator != "ned":
            return warp, renderer_selection.WARP_SELECTION
        chosen = renderer_selection.select_renderer(
            renderer_selection.mean_embedding(samples, zoo.load_embedder().embed), request.renderer
        )
        if chosen.renderer is None:
            return warp, chosen.report
        from asccl.renderers.neural.renderer import NeuralRenderer  # brings torch

        net, card = zoo.load_renderer(chosen.renderer, self.device)
        return NeuralRenderer(self._get_head(), net, card), chosen.report

    def _director(self, request: EditRequest) -> Director:
        head = self._get_fitter().head
        if request.generator == "ned":
            from asccl.directors.manipulator import ManipulatorDirector  # brings torch

            return ManipulatorDirector(head, zoo.load_manipulator())
        return ReferenceDirector(head) if request.reference is not None else PresetDirector(head)

    # what is loaded once, or kept for a while; callers of the latter three hold the lock

    def _get_fitter(self) -> Fitter:
        if self._fitter is None:
            self._fitter = Fitter(self._get_head())
        return self._fitter

    def _get_head(self) -> AnnyHead:
        if self._head is None:
            self._head = load_anny_head()
        return self._head

    def _get_eyes(self) -> FaceLandmarker:
        if self._eyes is None:
            self._eyes = FaceLandmarker()
        return self._eyes

    def _find(self, source: Path) -> list:
        def find() -> list:
            tracker = FaceMeshTracker(zoo.load_embedder().embed)
            try:
                info = self.probe(source)
                return tracker.find_people(sample_frames(source, SEARCHED_FRAMES, self.limits), info.time_base)
            finally:
                tracker.close()

        return _remember(self._people, _key(source), find)

    def _target(self, request: EditRequest) -> Target:
        style = None
        if request.reference is not None:
            path = request.reference

            def look() -> ReferenceStyle:
                seen = fit_sampled_frames(path, self._get_eyes(), self._get_fitter(), self.limits)
                return reference_style(seen, zoo.load_expression_net())

            style = _remember(self._styles, _key(path), look)
        return Target(request.emotion, style, request.intensity, request.seed)

    def _studio(self, request: EditRequest) -> PreviewSession:
        path = request.source

        def look() -> PreviewSession:
            face = select_person(self._find(path), request.face, path.name).detected
            seen = fit_sampled_frames(path, self._get_eyes(), self._get_fitter(), self.limits, face)
            warp = WarpRenderer(self._get_fitter().head)
            samples = [FaceSample(t, *frame) for t, frame in enumerate(zip(seen.images, seen.landmarks, strict=True))]
            renderer, _ = self._renderer(request, warp, samples)
            shown = source_emotion_probabilities(samples, zoo.load_expression_net())
            return PreviewSession(path, seen, renderer, warp, self._get_fitter(), self.limits, shown)

        taught = (
            []
            if request.generator != "ned"
            else [request.renderer]
            if request.renderer
            else renderer_selection.renderer_files()
        )
        return _remember(self._studios, (*_key(path), request.face, request.generator, *map(_key, taught)), look)


def _key(path: Path) -> tuple:
    try:
        stat = path.stat()
    except OSError:  # the reader says it better
        return (str(path),)
    return (str(path.absolute()), stat.st_mtime_ns, stat.st_size)


def _remember(cache: OrderedDict, key: tuple, make: Any) -> Any:
    if key not in cache:
        cache[key] = make()
    cache.move_to_end(key)
    while len(cache) > CACHE_SIZE:
        cache.popitem(last=False)
    return cache[key]


def check_time_range(request: EditRequest, info: MediaInfo) -> None:
    """Raises SettingError where the time range lies behind the end."""
    if not info.is_still and info.duration and request.start >= info.duration:
        raise SettingError(
            f"start {request.start:g} s lies behind the end of {info.path.name} ({info.duration:.2f} s)",
            "give an earlier start",
        )


def time_range_weight(times: np.ndarray, request: EditRequest) -> np.ndarray:
    """(T,) seconds -> (T,) float32 in [0, 1]: 1 inside the request's range, with soft ends inside it."""
    out = np.ones(len(times))
    if request.start > 0:
        out = np.minimum(out, (times - request.start) / FADE_SECONDS)
    if request.end is not None:
        out = np.minimum(out, (request.end - times) / FADE_SECONDS)
    return smoothstep(out).astype(np.float32)


class FrameSampler:
    """Between `MIN_STRENGTH_SAMPLES` and twice as many frames, evenly spread over however many come."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, Image]] = []
        self._every, self._seen = 1, 0

    def keep(self, index: int, image: Image) -> None:
        if self._seen % self._every == 0:
            self.frames.append((index, image))
            if len(self.frames) > 2 * MIN_STRENGTH_SAMPLES - 1:
                self.frames, self._every = self.frames[::2], 2 * self._every
        self._seen += 1

    def samples(self, clip: FittedClip) -> list[FaceSample]:
        """Those that show the face plainly."""
        return [
            FaceSample(t, image, clip.landmarks.read(t, t + 1)[0])
            for t, image in self.frames
            if clip.track.presence[t] > 0.5
        ]
