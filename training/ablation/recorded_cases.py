"""Recorded test cases: held-out clips of the person whom the renderers are trained on.

The truth is the same words as this person says them with the target emotion; corresponding frames are determined by
sound or mouth movement. It has another head pose than the edit, so that PSNR is meaningless here, and its timing is the
nearest that time warping gives.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from asccl.data.clips import PreparedClip
from asccl.errors import InputError
from asccl.face.mesh import NUM_FACE_LANDMARKS
from asccl.nets.ned_manipulator import WINDOW_LENGTH
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.types import EMOTIONS
from training.ablation.cases import CROSS_ID, INTRA_ID, REFERENCE_FRAMES, REFERENCE_IMAGES, AblationCase, Reference
from training.datasets.recorded import LABELS_REMEDY, find_partners, load_labelled_clips, pair_valid_frames, split_clips
from training.datasets.recorded_portraits import PreparedPortrait


def recorded_cases(
    folder: Path, person: str, frames: int, cases_per_emotion: int, surface: FaceSurface
) -> list[AblationCase]:
    """Build the cases of a person.

    Args:
        folder: of `training.prepare`.
        person: of its labels.
        frames: of a case, from the end of the clips, which the renderer is not trained on.
        cases_per_emotion: largest number of cases of every emotion.
        surface: of the head model.

    Raises:
        InputError: the person has no held-out pair of clips, or the folder is damaged.
    """
    clips, gaze = load_labelled_clips(folder, surface.head), GazeEstimator(surface)
    _, held_out = split_clips([clip for clip in clips if clip.record.person == person])
    cases: dict[str, list[AblationCase]] = {emotion: [] for emotion in EMOTIONS}
    for pair in find_partners(held_out):
        for i, j in (pair, pair[::-1]):
            source, truth = held_out[i], held_out[j]
            same_emotion, aligned = cases[str(truth.record.emotion)], pair_valid_frames(source, truth)[-frames:]
            references = _references(clips, truth)
            if len(same_emotion) < cases_per_emotion and len(aligned) >= WINDOW_LENGTH and references is not None:
                portrait = PreparedPortrait(source, surface, gaze, 0, len(source))
                same_emotion.append(_case(portrait, truth, aligned, references))
    if not any(cases.values()):
        raise InputError(
            f"{person} has no held-out pair of clips in {folder} whose emotion others show, too", LABELS_REMEDY
        )
    return [case for emotion in EMOTIONS for case in cases[emotion]]


def _case(
    portrait: PreparedPortrait, truth: PreparedClip, aligned: np.ndarray, references: dict[str, Reference]
) -> AblationCase:
    source = portrait.clip
    source_frames, true_frames = aligned.T
    return AblationCase(
        source=source.coefficients[source_frames],
        truth=truth.coefficients[true_frames],
        emotion=EMOTIONS.index(str(truth.record.emotion)),
        source_images=source.images(source_frames),
        true_images=truth.images(true_frames),
        source_landmarks=source.landmarks(source_frames)[:, :NUM_FACE_LANDMARKS],
        true_landmarks=truth.landmarks(true_frames)[:, :NUM_FACE_LANDMARKS],
        conditions=partial(portrait.conditions_of_frames, source_frames),
        references=references,
    )


def _references(clips: list[PreparedClip], truth: PreparedClip) -> dict[str, Reference] | None:
    """Find other words with the emotion of the truth, by its speaker and by another one; None where one is missing."""
    same_emotion = [clip for clip in clips if clip.record.emotion == truth.record.emotion and clip is not truth]
    own = [c for c in same_emotion if c.record.person == truth.record.person and c.record.words != truth.record.words]
    others = [c for c in same_emotion if c.record.person != truth.record.person]
    return {INTRA_ID: _reference(own[0]), CROSS_ID: _reference(others[0])} if own and others else None


def _reference(clip: PreparedClip) -> Reference:
    frames = np.flatnonzero(clip.valid)[:REFERENCE_FRAMES]
    sampled = frames[:: max(1, len(frames) // REFERENCE_IMAGES)][:REFERENCE_IMAGES]
    landmarks = clip.landmarks(sampled)[:, :NUM_FACE_LANDMARKS]
    return Reference(clip.coefficients[frames], clip.images(sampled), landmarks)
