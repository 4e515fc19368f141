"""Plan an edit: everything that decides its pixels. Previews and edits share this one plan."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asccl import zoo
from asccl.directors.base import Director, ReferenceStyle, Target, emotion_weights
from asccl.directors.preset import PresetDirector
from asccl.directors.reference import ReferenceDirector
from asccl.editing.adaptation.adapt import Adaptation, FaceEvaluator, adapt, adaptation_goal
from asccl.editing.adaptation.measures import load_adaptation_networks
from asccl.editing.frames import EditFrames, ObservedFace
from asccl.editing.keyframes import intensity_over_time
from asccl.editing.models import Models
from asccl.editing.renderer_selection import WARP_SELECTION, mean_embedding, renderer_files, select_renderer
from asccl.editing.strength import identity_preserving_strength, min_identity_cosine
from asccl.face.easing import smoothstep
from asccl.files import file_key
from asccl.morphable.anny_head import AnnyHead
from asccl.progress import Progress
from asccl.renderers.base import Renderer, RenderSession
from asccl.types import EditRequest, Motion

FADE_SECONDS = 0.3  # seconds in which an edit fades at the ends of its time range


@dataclass(frozen=True)
class EditPlan:
    """What an edit does to T frames.

    Attributes:
        target: emotion, reference, groups and emotion of the source; its intensity includes strength and keyframes.
        strength: factor of the intensity that preserves identity; what is taken away does not depend on it.
        adaptation: report of the adaptation to the face, JSON-able; empty without one.
        motion: of the source; its weight is how far each frame is edited.
        edited: of the edited face.
        renderer: of the person.
        render_plan: of that renderer.
        renderer_report: which renderer was selected and why, JSON-able.
    """

    target: Target
    strength: float
    adaptation: dict[str, Any]
    motion: Motion
    edited: Motion
    renderer: Renderer
    render_plan: Any
    renderer_report: dict[str, Any]

    def start(self) -> RenderSession:
        """Start rendering the frames."""
        return self.renderer.start(self.render_plan)


def plan_edit(
    request: EditRequest,
    frames: EditFrames,
    models: Models,
    reference: ReferenceStyle | None = None,
    progress: Progress | None = None,
) -> EditPlan:
    """Decide all that an edit does, before its first frame is rendered.

    Args:
        request: what the user asks for.
        frames: to be edited, with the person in them.
        models: to plan with.
        reference: style of `request.reference`.
        progress: can cancel the adaptation to the face.

    Returns:
        The plan of these frames.

    Raises:
        InputError: the requested renderer cannot be used for this person.
        WeightsError: weights are missing or damaged.
        SettingError: the device of the neural renderer cannot be used.
        CancelledError: by the user.
    """
    face = frames.face
    director = select_director(request, models.head)
    target = Target(
        request.emotion,
        reference,
        seed=request.seed,
        source_probabilities=None if face.readings is None else face.readings[0],
        source_readings=face.readings,
        second_emotion=request.second_emotion,
        second_share=request.second_share,
    )
    key = _adaptation_key(request, reference)
    adapted = face.plan_steps.get(key, lambda: _adapt(request, face, director, target, models, progress))
    renderer, report = _select_renderer(request, frames, models)
    intensity = intensity_over_time(request, frames.times)
    scaled = replace(
        target,
        intensity=intensity * adapted.strength,
        offsets=adapted.offsets,
        removal=np.minimum(intensity, 1.0),
        groups=request.groups,
        group_intensity=intensity,
    )
    motion = replace(frames.motion, weight=_frame_weight(frames, request, intensity))
    edited = director(motion, scaled)
    render_plan = renderer.plan(motion, edited)
    return EditPlan(scaled, adapted.strength, adapted.report, motion, edited, renderer, render_plan, report)


def is_planned(request: EditRequest, face: ObservedFace, reference: ReferenceStyle | None = None) -> bool:
    """Whether planning is quick because the edit was adapted to this face before.

    Args:
        request: what the user asks for.
        face: the person.
        reference: style of `request.reference`.
    """
    return not _is_adapted(request) or _adaptation_key(request, reference) in face.plan_steps


def select_director(request: EditRequest, head: AnnyHead) -> Director:
    """The director of a request: NED's manipulator, the style of a reference, or a preset emotion."""
    if request.generator == "ned":
        from asccl.directors.manipulator import ManipulatorDirector  # imports torch

        return ManipulatorDirector(head, zoo.load_manipulator(request.manipulator or zoo.DEFAULT_MANIPULATOR))
    return ReferenceDirector(head) if request.reference is not None else PresetDirector(head)


def time_range_weight(times: np.ndarray, request: EditRequest) -> np.ndarray:
    """Weight of each frame by the time range of a request.

    Args:
        times: seconds after the first frame of the file, (T,); NaN for a frame that only gives context.
        request: with the range.

    Returns:
        (T,) float32 in [0, 1]: 1 inside the range and for context, eased to 0 within `FADE_SECONDS` of its ends.
    """
    ramp = np.ones(len(times))
    if request.start > 0:
        ramp = np.minimum(ramp, (times - request.start) / FADE_SECONDS)
    if request.end is not None:
        ramp = np.minimum(ramp, (request.end - times) / FADE_SECONDS)
    return smoothstep(np.where(np.isnan(times), 1, ramp)).astype(np.float32)


def _frame_weight(frames: EditFrames, request: EditRequest, intensity: np.ndarray | float) -> np.ndarray:
    """Weight of each frame, (T,): its presence within the time range; 0 where keyframes lower the intensity to 0."""
    weight = frames.motion.weight * time_range_weight(frames.times, request)
    return np.where(intensity > 0, weight, 0).astype(np.float32) if request.keyframes else weight


def _adapt(
    request: EditRequest,
    face: ObservedFace,
    director: Director,
    target: Target,
    models: Models,
    progress: Progress | None,
) -> Adaptation:
    """Fit the edit to the face; without adaptation, choose its strength alone.

    The warp renderer serves for every generator: the blur of a network also lowers the cosine of the identity.
    """
    min_cosine = min_identity_cosine(emotion_weights(target))
    if not (_is_adapted(request) and face.adaptation_samples):
        strength = identity_preserving_strength(
            face.motion, director, target, face.warp, face.strength_samples, models.embedder.embed, min_cosine
        )
        return Adaptation(strength)
    samples, networks = face.adaptation_samples, load_adaptation_networks()
    progress = progress or Progress()
    evaluate = FaceEvaluator(samples, face.motion, director, target, face.warp, models.head, networks, progress)
    return adapt(evaluate, adaptation_goal(target), 1 - min_cosine)


def _select_renderer(request: EditRequest, frames: EditFrames, models: Models) -> tuple[Renderer[Any], dict[str, Any]]:
    """The renderer and its report; one of a person is remembered with the face."""
    if request.generator == "icface":
        return _make_icface(request, frames, models)
    face = frames.face
    return face.plan_steps.get(_renderer_key(request), lambda: _make_renderer(request, face, models))


def _make_icface(request: EditRequest, frames: EditFrames, models: Models) -> tuple[Renderer[Any], dict[str, Any]]:
    from asccl.editing.icface_selection import load_selected, select_icface  # imports torch, as the next two do
    from asccl.renderers.icface.openface import read_openface_table
    from asccl.renderers.icface.renderer import IcfaceRenderer

    file, report = select_icface(request.renderer)
    net = load_selected(file, models.device)
    if request.controls is None:
        return IcfaceRenderer(net, models.head.names), report
    table = read_openface_table(request.controls)
    measured = table.resample(frames.times, net.settings.pose_limit)
    return IcfaceRenderer(net, models.head.names, measured), {**report, "controls": table.report()}


def _make_renderer(request: EditRequest, face: ObservedFace, models: Models) -> tuple[Renderer, dict[str, Any]]:
    selection = WARP_SELECTION
    if request.generator == "ned":
        selection = select_renderer(mean_embedding(face.samples, models.embedder.embed), request.renderer)
    if selection.renderer is None:
        return face.warp, selection.report
    from asccl.renderers.neural.renderer import NeuralRenderer  # imports torch

    net, metadata = zoo.load_renderer(selection.renderer, models.device)
    return NeuralRenderer(models.head, net, metadata), selection.report


def _is_adapted(request: EditRequest) -> bool:
    return request.adapt and request.intensity > 0 and request.generator != "ned"


def _adaptation_key(request: EditRequest, reference: ReferenceStyle | None) -> tuple[Hashable, ...]:
    """Key of the adaptation to one face; strength and offsets do not depend on the intensity, unless it is 0."""
    style = b"" if reference is None else reference.mean.tobytes()
    manipulator = None if request.manipulator is None else file_key(request.manipulator)
    return (
        "adaptation",
        _is_adapted(request),
        request.generator,
        manipulator,
        request.emotion,
        (request.second_emotion, request.second_share),
        style,
        request.seed,
    )


def _renderer_key(request: EditRequest) -> tuple[Hashable, ...]:
    """Key of the renderer for one face; it changes when the files to choose from change."""
    files: list[Path] = []
    if request.generator == "ned":
        files = [request.renderer] if request.renderer else renderer_files()
    return ("renderer", request.generator, *map(file_key, files))
