"""Whom an ablation is judged on where the clips are real: held-out clips of the person whom the renderers are taught.

The truth is the same words as this person says them with the wanted emotion, its frames found by sound or mouth. It has
another head pose than the edit, so that PSNR says nothing here, and its timing is the nearest that warping finds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from asccl.data.clips import PreparedClip
from asccl.errors import InputError
from asccl.face.mesh import NUM_FACE_LANDMARKS
from asccl.nets.ned_manipulator import WINDOW_LENGTH
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.types import EMOTIONS
from training.ablation.cases import CROSS, INTRA, REFERENCE_FRAMES, REFERENCE_IMAGES, Case, Reference
from training.datasets.portraits import Prepared
from training.datasets.recorded import LABELS, aligned, labelled, partners, split


def recorded_cases(folder: Path, person: str, frames: int, each: int, surface: FaceSurface) -> list[Case]:
    """folder: of `training.prepare`. person: of its labels. frames: of a case, at the end of the clips, which the
    renderer is not taught. each: cases of an emotion, at most. Raises InputError."""
    everybody, gaze = labelled(folder, surface.head), GazeEstimator(surface)
    clips = split([clip for clip in everybody if clip.record.person == person], True)
    found: dict[str, list[Case]] = {emotion: [] for emotion in EMOTIONS}
    for pair in partners(clips):
        for i, j in (pair, pair[::-1]):
            source, truth = clips[i], clips[j]
            mine, both = found[str(truth.record.emotion)], aligned(source, truth)[-frames:]
            references = _references(everybody, truth)
            if len(mine) < each and len(both) >= WINDOW_LENGTH and references is not None:
                mine.append(_case(source, truth, both, references, surface, gaze))
    if not any(found.values()):
        raise InputError(f"{person} has no held-out pair of clips in {folder} whose emotion others show, too", LABELS)
    return [case for emotion in EMOTIONS for case in found[emotion]]


def _case(
    source: PreparedClip, truth: PreparedClip, both: np.ndarray, references: dict[str, Reference],
    surface: FaceSurface, gaze: GazeEstimator,
) -> Case:  # fmt: skip
    before, after = both.T
    return Case(
        source.coefficients[before], truth.coefficients[after], EMOTIONS.index(str(truth.record.emotion)),
        source.images(before), truth.images(after), source.landmarks(before)[:, :NUM_FACE_LANDMARKS],
        truth.landmarks(after)[:, :NUM_FACE_LANDMARKS], _conditions(source, before, surface, gaze), references,
    )  # fmt: skip


def _conditions(
    clip: PreparedClip, frames: np.ndarray, surface: FaceSurface, gaze: GazeEstimator
) -> Callable[[np.ndarray], np.ndarray]:
    """(T, 52) that the face shall do in these frames -> (T, 10, S, S), drawn as an edit draws them."""
    scene = Prepared(clip, surface, gaze, 0, len(clip)).scene

    def draw(new: np.ndarray) -> np.ndarray:
        out = []
        for t, w in zip(frames, new, strict=True):
            own = clip.coefficients[t]
            looking = gaze(scene.rest, own, scene.views[t], clip.read("landmarks", int(t), int(t) + 1)[0])
            out.append(scene.frame_channels(w + looking - own, int(t)))
        return np.stack(out)

    return draw


def _references(clips: list[PreparedClip], truth: PreparedClip) -> dict[str, Reference] | None:
    """Other words with the emotion of the truth, of its speaker and of somebody else; None where there are none."""
    alike = [clip for clip in clips if clip.record.emotion == truth.record.emotion and clip is not truth]
    own = [c for c in alike if c.record.person == truth.record.person and c.record.words != truth.record.words]
    others = [c for c in alike if c.record.person != truth.record.person]
    return {INTRA: _shown(own[0]), CROSS: _shown(others[0])} if own and others else None


def _shown(clip: PreparedClip) -> Reference:
    seen = np.flatnonzero(clip.valid)[:REFERENCE_FRAMES]
    some = seen[:: max(1, len(seen) // REFERENCE_IMAGES)][:REFERENCE_IMAGES]
    return Reference(clip.coefficients[seen], clip.images(some), clip.landmarks(some)[:, :NUM_FACE_LANDMARKS])
