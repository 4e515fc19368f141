"""Pairs of frames of two clips whose timing is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from asccl.analysis.temporal_alignment import align_frames, subsample
from asccl.face import mesh
from asccl.face.store import LandmarkStore
from asccl.morphable.reconstruct import TrackedClip
from asccl.types import MediaInfo, Track


def tracked_clip(landmarks: np.ndarray, rate: int) -> TrackedClip:
    store = LandmarkStore()
    for row in landmarks:
        store.append(row)
    count = len(landmarks)
    info = MediaInfo(
        path=Path("talk.mp4"),
        width=200,
        height=200,
        frame_rate=Fraction(rate),
        time_base=Fraction(1, rate),
        duration=count / rate,
        frames=count,
        is_still=False,
    )
    track = Track(np.ones(count, np.float32), np.zeros(count, np.int32))
    return TrackedClip(info, np.arange(count) / rate, track, store)


def resting_clip(face: np.ndarray, frames: int, rate: int) -> TrackedClip:
    return tracked_clip(np.repeat(face[None], frames, 0), rate)


def talking_clip(face: np.ndarray, opening: np.ndarray, rate: int = 30) -> TrackedClip:
    landmarks = np.repeat(face[None], len(opening), 0)
    landmarks[:, list(mesh.LOWER_INNER_LIP), 1] += opening[:, None] * 10
    return tracked_clip(landmarks, rate)


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_frames_of_the_same_time_are_paired_at_any_frame_rate(face, offset):
    a, b = resting_clip(face, 50, 25), resting_clip(face, 60, 30)
    pairs = align_frames(a, b, "time", offset)
    assert len(pairs) == 50 - round(25 * offset)
    assert np.abs(a.times[pairs[:, 0]] - b.times[pairs[:, 1]] - offset).max() <= 0.5 / 30 + 1e-9


def test_a_frame_without_a_partner_is_left_out(face):
    assert align_frames(resting_clip(face, 50, 25), resting_clip(face, 30, 30), "time")[-1, 0] <= 26


def test_another_take_is_warped_by_the_mouth(face):
    opening = np.abs(np.sin(np.linspace(0, 9, 90))) * np.linspace(0.4, 1, 90)
    slow = np.interp(np.linspace(0, 89, 135), np.arange(90), opening)
    pairs = align_frames(talking_clip(face, opening), talking_clip(face, slow), "mouth")[10:80]
    assert np.abs(pairs[:, 1] - 1.5 * pairs[:, 0]).mean() < 4
    assert np.abs(pairs[:, 0] - 1.5 * pairs[:, 0]).mean() > 15  # the error of pairing by time


def test_subsampling_keeps_both_ends():
    rows = np.arange(20).reshape(10, 2)
    assert subsample(rows, 3)[[0, -1]].tolist() == [[0, 1], [18, 19]]
    assert len(subsample(rows, None)) == 10
