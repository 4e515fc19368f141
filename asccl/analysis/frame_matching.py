"""Which frames of two files are processed, and which of them belong together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asccl.analysis.face_alignment import MAX_HEAD_OFFSET, head_offset, relative_scale
from asccl.analysis.settings import AnalysisSettings
from asccl.analysis.temporal_alignment import align_frames, subsample
from asccl.morphable.reconstruct import TrackedClip
from asccl.types import MediaInfo

MAX_PAIRS = 300  # compared frame pairs unless a stride is given
TAKE_SAMPLE_RATE = 15.0  # Hz, lowest rate at which another take is processed, so that its lips can be followed
DURATION_TOLERANCE = 0.02  # relative difference of the durations of a video and its edit
FRAME_TOLERANCE = 2  # the same in frames; the larger of both counts
MAX_OFFSET_SAMPLES = 60  # frame pairs from which the head offset is measured


class FrameMatch(NamedTuple):
    """The frames of two clips that are compared.

    Attributes:
        pairing: how they were paired, one of `PAIRINGS`.
        alignment: how their faces are aligned, one of `ALIGNMENTS`.
        pairs: (K, 2) row numbers of both clips; both frames have a face.
    """

    pairing: str
    alignment: str
    pairs: np.ndarray


def choose_strides(source: MediaInfo, generated: MediaInfo, settings: AnalysisSettings) -> tuple[int, int]:
    """Choose which frames of each file are processed.

    Args:
        source: the source file.
        generated: the generated file.
        settings: with the stride and the pairing.

    Returns:
        Every how many frames one is processed, of the source and of the generated file.
    """
    rates = float(source.frame_rate), float(generated.frame_rate)
    if settings.stride is not None:
        stride = settings.stride
    elif settings.pairing == "time" or (settings.pairing == "auto" and _same_duration(source, generated)):
        stride = -(-source.frames // MAX_PAIRS)
    else:
        return max(1, int(rates[0] / TAKE_SAMPLE_RATE)), max(1, int(rates[1] / TAKE_SAMPLE_RATE))
    return stride, stride if rates[0] == rates[1] else 1  # at other rates every frame may be the nearest one


def match_frames(a: TrackedClip, b: TrackedClip, settings: AnalysisSettings) -> FrameMatch:
    """Choose pairing and alignment where they are "auto", and pair the frames.

    Args:
        a: the source.
        b: the generated clip.
        settings: pairing, alignment, offset and stride.

    Returns:
        The pairs, and how they were chosen.
    """
    pairing, alignment = settings.pairing, settings.alignment
    pairs = _with_both_faces(a, b, align_frames(a, b, "time", settings.offset))
    same_place = _head_in_same_place(a, b, pairs)
    if a.info.is_still or (pairing == "auto" and same_place and _same_duration(a.info, b.info)):
        pairing = "time"
    elif pairing == "auto":
        pairing = "sound" if a.info.audio_tracks and b.info.audio_tracks else "mouth"
    if pairing != "time":
        pairs = _with_both_faces(a, b, align_frames(a, b, pairing))
    if alignment == "auto":
        alignment = "place" if pairing == "time" and same_place else "landmarks"
    return FrameMatch(pairing, alignment, subsample(pairs, None if settings.stride is not None else MAX_PAIRS))


def _with_both_faces(a: TrackedClip, b: TrackedClip, pairs: np.ndarray) -> np.ndarray:
    present = (a.track.presence[pairs[:, 0]] > 0) & (b.track.presence[pairs[:, 1]] > 0)
    return pairs[present]


def _head_in_same_place(a: TrackedClip, b: TrackedClip, pairs: np.ndarray) -> bool:
    scale = relative_scale(a.info, b.info)
    if scale is None or not len(pairs):
        return False
    rows = subsample(pairs, MAX_OFFSET_SAMPLES)
    offset = head_offset(a.landmarks.select(rows[:, 0]), b.landmarks.select(rows[:, 1]), scale)
    return float(np.nanmedian(offset)) < MAX_HEAD_OFFSET


def _same_duration(source: MediaInfo, generated: MediaInfo) -> bool:
    if source.is_still:
        return True
    tolerance = max(DURATION_TOLERANCE * source.duration, FRAME_TOLERANCE / float(source.frame_rate))
    return abs(source.duration - generated.duration) <= tolerance
