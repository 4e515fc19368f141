"""Decide in which frames of a clip a face can be edited, from a few numbers per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from asccl.face.easing import smoothstep
from asccl.face.mesh import FACE_OVAL
from asccl.face.occlusion import MAX_UNCOVERED_FRACTION, MIN_COVERED_FRACTION
from asccl.face.smooth import MAX_GAP
from asccl.types import DEFAULT_FRAME_RATE

MISSING, CUT_OFF, TURNED, HIDDEN = "missing", "cut off", "turned", "hidden"  # reasons in reports
# (a, b): an edit has full strength up to a, and none from b on
YAW_RANGE, PITCH_RANGE = (48.0, 60.0), (38.0, 48.0)  # degrees
OUTSIDE_RANGE = (0.06, 0.14)  # fraction of the oval's area outside the frame
MIN_FACE_SCORE = 0.5  # confidence of the landmark network
FADE_DURATION = 1 / 6  # seconds
MIN_VISIBLE_DURATION = 0.3  # seconds; faces that are visible for a shorter time are not edited
MIN_HIDDEN_FRAMES = 3
CUT_THRESHOLD = 0.28  # minimum change of the image at a scene cut; movement changes it by up to 0.15
CUT_PROMINENCE = 2.5  # minimum change at a cut, over the median of the frames around it; a fast pan stays below
FLASH_RATIO = 0.5  # minimum change across two frames, over that across one, at a cut; a flash stays below


class Evidence(NamedTuple):
    """Measurements of one frame. NaN where there is no measurement.

    Attributes:
        score: confidence of the landmark network in [0, 1]; 0 without landmarks.
        yaw: degrees.
        pitch: degrees.
        roll: degrees.
        x: of the centre of the face, pixels.
        y: of the centre of the face, pixels.
        size: side of the face's box, pixels.
        outside: fraction of the face oval that lies outside the frame.
        covered: fraction of the skin that something else seems to cover.
        identity_cosine: to the chosen person, in frames in which the identity was verified.
        change: difference from the previous frame, 0 to 2.
        two_frame_change: difference from the frame before that, 0 to 2.
        reacquired: whether the face was searched for, and not followed from the previous frame.
        was_wrong_person: whether the face that was followed up to the previous frame is another person's.
    """

    score: float = 0.0
    yaw: float = np.nan
    pitch: float = np.nan
    roll: float = np.nan
    x: float = np.nan
    y: float = np.nan
    size: float = np.nan
    outside: float = np.nan
    covered: float = np.nan
    identity_cosine: float = np.nan
    change: float = 0.0
    two_frame_change: float = 0.0
    reacquired: bool = False
    was_wrong_person: bool = False


@dataclass(frozen=True)
class Presence:
    """Presence (T,) float32 in [0, 1], shot (T,) int32 and spans with presence 0, as in `types.Track`."""

    presence: np.ndarray
    shot: np.ndarray
    reasons: tuple[tuple[int, int, str], ...]


def compute_presence(evidence: Sequence[Evidence], frame_rate: float) -> Presence:
    """Compute how far the face can be edited in each frame.

    Frames without a face or with another person's face, except gaps of up to `smooth.MAX_GAP` frames, cannot be edited;
    neither can faces that are cut off by the frame, turned too far or hidden. Towards such frames the presence falls
    over `FADE_DURATION`, inside the good frames, but not across a cut.

    Args:
        evidence: of all frames, in order.
        frame_rate: frames per second, 0 for a still.
    """
    frames = len(evidence)
    shot = detect_shots(evidence)
    if frames == 0:
        return Presence(np.zeros(0, np.float32), shot, ())
    column = {name: np.array([getattr(e, name) for e in evidence], np.float64) for name in Evidence._fields}
    missing = _missing(column, shot)
    inside_strength = _fade(column["outside"], OUTSIDE_RANGE)
    turn_strength = turn_weight(*(_median_of_five(np.abs(column[name])) for name in ("yaw", "pitch")))
    hidden = _hidden(column["covered"], shot)
    reason = np.full(frames, "", object)
    for word, mask in (
        (HIDDEN, hidden),
        (TURNED, turn_strength <= 0),
        (CUT_OFF, inside_strength <= 0),
        (MISSING, missing),
    ):
        reason[mask] = word
    rate = frame_rate if frame_rate > 0 else DEFAULT_FRAME_RATE
    fade_frames, min_visible = max(round(FADE_DURATION * rate), 1), max(round(MIN_VISIBLE_DURATION * rate), 2)
    strength = np.minimum(inside_strength, turn_strength)
    presence = np.zeros(frames)
    for first, last in _runs(shot):
        in_shot = slice(first, last + 1)
        _fill_short_gaps(reason[in_shot], min_visible)
        presence[in_shot] = _limit_slope(np.where(reason[in_shot] != "", 0.0, strength[in_shot]), fade_frames)
    presence[reason != ""] = 0.0
    spans = tuple((a, b, str(reason[a])) for a, b in _runs(reason) if reason[a])
    return Presence(presence.astype(np.float32), shot, spans)


def detect_shots(evidence: Sequence[Evidence]) -> np.ndarray:
    """Index of the shot (T,) int32, which grows by one at each cut. Flashes and pans are no cuts."""
    change = np.array([e.change for e in evidence])
    two_frame_change = np.array([e.two_frame_change for e in evidence])
    cut = change > CUT_THRESHOLD
    for i in np.flatnonzero(cut):
        around = np.concatenate([change[max(i - 3, 1) : i], change[i + 1 : i + 4]])
        is_pan = len(around) and change[i] < CUT_PROMINENCE * np.median(around)
        is_flash = i + 1 < len(change) and two_frame_change[i + 1] < FLASH_RATIO * change[i]
        is_flash_end = change[i - 1] > CUT_THRESHOLD and two_frame_change[i] < FLASH_RATIO * change[i - 1]
        cut[i] = i > 0 and not (is_pan or is_flash or is_flash_end)
    return np.cumsum(cut).astype(np.int32)


def turn_weight(yaw: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Compute how far the rotation of the head allows an edit.

    `compute_presence` passes angles smoothed over time and eases the result; a preview passes those of one frame.

    Args:
        yaw: (...) degrees; NaN sets no limit.
        pitch: (...) degrees; NaN sets no limit.

    Returns:
        (...) in [0, 1]: 1 up to the start of `YAW_RANGE` and `PITCH_RANGE`, 0 from the end of either.
    """
    return np.minimum(_fade(np.abs(yaw), YAW_RANGE), _fade(np.abs(pitch), PITCH_RANGE))


def _missing(column: dict[str, np.ndarray], shot: np.ndarray) -> np.ndarray:
    """Whether the chosen person's face is missing in a frame, (T,) bool."""
    missing = column["score"] < MIN_FACE_SCORE
    for first, last in _runs(np.where(missing, -1, shot)):  # short gaps inside a shot are bridged
        is_inside = first > 0 and last + 1 < len(shot) and shot[first - 1] == shot[last + 1]
        if missing[first] and last - first < MAX_GAP and is_inside:
            missing[first : last + 1] = False
    # another person's face counts back to where the person was last recognized, or where the face was searched for
    recognized, reacquired = np.isfinite(column["identity_cosine"]), column["reacquired"] > 0
    for i in np.flatnonzero(column["was_wrong_person"]):
        k = i - 1
        while k >= 0 and shot[k] == shot[i] and not recognized[k] and not missing[k]:
            missing[k] = True
            if reacquired[k]:
                break
            k -= 1
    return missing


def _hidden(covered: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """Whether the face is hidden, (T,) bool, with hysteresis. Spans of less than `MIN_HIDDEN_FRAMES` are ignored."""
    hidden = np.zeros(len(covered), bool)
    values = _median_of_five(np.nan_to_num(covered))
    for first, last in _runs(shot):
        is_hidden = False
        for i in range(first, last + 1):
            is_hidden = values[i] > (MAX_UNCOVERED_FRACTION if is_hidden else MIN_COVERED_FRACTION)
            hidden[i] = is_hidden
        for i in range(last, first, -1):  # the rise before the start is hidden, too
            hidden[i - 1] |= hidden[i] and values[i - 1] > MAX_UNCOVERED_FRACTION
    for first, last in _runs(hidden):
        if hidden[first] and last - first + 1 < MIN_HIDDEN_FRAMES:
            hidden[first : last + 1] = False
    return hidden


def _fill_short_gaps(reason: np.ndarray, min_visible: int) -> None:
    """Give visible spans of less than `min_visible` frames between two invisible ones the first one's reason."""
    runs = _runs(reason)
    for (_, before), (first, last), _ in zip(runs, runs[1:], runs[2:], strict=False):
        if reason[first] == "" and last - first + 1 < min_visible:
            reason[first : last + 1] = reason[before]


def _limit_slope(strength: np.ndarray, fade_frames: int) -> np.ndarray:
    """Lower the strength until it changes by at most 1 / (fade_frames + 1) per frame; eased."""
    limited = strength.copy()
    step = 1.0 / (fade_frames + 1)
    for i in range(1, len(limited)):
        limited[i] = min(limited[i], limited[i - 1] + step)
    for i in range(len(limited) - 2, -1, -1):
        limited[i] = min(limited[i], limited[i + 1] + step)
    return smoothstep(limited)


def _fade(value: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    full, none = value_range
    return np.clip((none - np.nan_to_num(value)) / (none - full), 0.0, 1.0)


def _median_of_five(values: np.ndarray) -> np.ndarray:
    """Running median over five frames that ignores NaN; 0 where all are NaN."""
    padded = np.pad(values, 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    is_empty = np.isnan(windows).all(1)
    return np.where(is_empty, 0.0, np.nanmedian(np.where(is_empty[:, None], 0.0, windows), axis=1))


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """(first, last inclusive) of the spans of equal values."""
    if len(values) == 0:
        return []
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1), len(values)]
    return [(int(a), int(b) - 1) for a, b in pairwise(edges)]


def share_outside(landmarks: np.ndarray, height: int, width: int) -> float:
    """Fraction of the area of the face oval that lies outside the frame.

    Args:
        landmarks: (468+, 2+) pixels.
        height: of the frame.
        width: of the frame.
    """
    oval = landmarks[list(FACE_OVAL), :2].astype(np.float64)
    if oval.min() >= 0 and (oval.max(0) < (width, height)).all():
        return 0.0
    total_area = _polygon_area(oval)
    inside = oval
    for axis, limit, sign in ((0, -0.5, 1), (0, width - 0.5, -1), (1, -0.5, 1), (1, height - 0.5, -1)):
        inside = _clip_polygon(inside, axis, limit, sign)
    return float(np.clip(1 - _polygon_area(inside) / max(total_area, 1e-9), 0.0, 1.0))


def _polygon_area(polygon: np.ndarray) -> float:
    """Area by the shoelace formula."""
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _clip_polygon(polygon: np.ndarray, axis: int, limit: float, sign: int) -> np.ndarray:
    """Keep the half plane sign * (p[axis] - limit) >= 0 (Sutherland-Hodgman)."""
    if len(polygon) == 0:
        return polygon
    vertices = []
    depth = sign * (polygon[:, axis] - limit)
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if depth[i] >= 0:
            vertices.append(polygon[i])
        if (depth[i] >= 0) != (depth[j] >= 0):
            vertices.append(polygon[i] + (polygon[j] - polygon[i]) * (depth[i] / (depth[i] - depth[j])))
    return np.array(vertices).reshape(-1, 2)
