"""In which frames a face can be edited, judged over a whole clip from a few numbers per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from asccl.face.easing import smoothstep
from asccl.face.mesh import FACE_OVAL
from asccl.face.smooth import MAX_GAP
from asccl.types import Image

MISSING, CUT_OFF, TURNED, HIDDEN = "missing", "cut off", "turned", "hidden"
YAW_RANGE, PITCH_RANGE = (48.0, 60.0), (38.0, 48.0)  # degrees: full strength up to the first, none from the second on
MIN_FACE_SCORE = 0.5  # certainty of the network that it sees a face
OUTSIDE = (0.06, 0.14)  # share of the oval's area beyond the frame: full strength up to the first, none from the second
COVERED = (0.13, 0.07)  # share of the skin that changed: hidden from the first on, until below the second
RAMP = 1 / 6  # seconds in which an edit fades
SHORTEST = 0.3  # seconds: what shows for less than this is not worth an edit
CUT_THRESHOLD = 0.28  # a cut changes the picture by more than this (movement: up to 0.15) ...
OUTSTANDING = 2.5  # ... and so many times more than the frames around it (a fast pan does not) ...
LOOKALIKE = 0.5  # ... and for good: after a flash the picture is like before by half of the change


class Evidence(NamedTuple):
    """What one frame says about the face. NaN where it says nothing."""

    score: float = 0.0  # the network's certainty in [0, 1]; 0 without landmarks
    yaw: float = np.nan  # degrees
    pitch: float = np.nan
    roll: float = np.nan
    x: float = np.nan  # centre of the face, pixels
    y: float = np.nan
    size: float = np.nan  # side of the face's box, pixels
    outside: float = np.nan  # share of the face's oval that lies outside the frame
    covered: float = np.nan  # share of the skin that something else seems to cover
    likeness: float = np.nan  # cosine to the chosen person, in the frames in which it was looked at
    change: float = 0.0  # how different the picture is from the one before, 0 to 2
    back: float = 0.0  # and from the one before that
    jumped: bool = False  # the face was searched for, not followed from the frame before
    stranger: bool = False  # what was followed until the frame before turned out to be somebody else

    @property
    def found(self) -> bool:
        return self.score >= MIN_FACE_SCORE


@dataclass(frozen=True)
class Presence:
    """presence (T,) float32 in [0, 1], shot (T,) int32 and spans with presence 0, as in `types.Track`."""

    presence: np.ndarray
    shot: np.ndarray
    reasons: tuple[tuple[int, int, str], ...]


def compute_presence(evidence: Sequence[Evidence], frame_rate: float) -> Presence:
    """Evidence of all frames, in order -> how far the face can be edited in each. frame_rate: a second, 0 for a still.

    Frames without a face, or with a stranger's, gaps up to `smooth.MAX_GAP` frames apart, cannot be edited; neither can
    what is cut off by the frame, turned too far or hidden. Towards such frames the presence falls over RAMP seconds,
    inside the good frames, but not across a cut.
    """
    frames = len(evidence)
    shot = shots(evidence)
    if frames == 0:
        return Presence(np.zeros(0, np.float32), shot, ())
    column = {name: np.array([getattr(e, name) for e in evidence], np.float64) for name in Evidence._fields}
    missing = _missing(column, shot)
    outside, turned = _fade(column["outside"], OUTSIDE), _turn(column)
    hidden = _hidden(column["covered"], shot)
    why = np.full(frames, "", object)
    for word, bad in ((HIDDEN, hidden), (TURNED, turned <= 0), (CUT_OFF, outside <= 0), (MISSING, missing)):
        why[bad] = word
    rate = frame_rate if frame_rate > 0 else 25.0
    ramp, shortest = max(round(RAMP * rate), 1), max(round(SHORTEST * rate), 2)
    strength = np.minimum(outside, turned)
    presence = np.zeros(frames)
    for first, last in _runs(shot):
        _fill_islands(why[first : last + 1], shortest)
        bad = why[first : last + 1] != ""
        presence[first : last + 1] = _ramped(np.where(bad, 0.0, strength[first : last + 1]), ramp)
    presence[why != ""] = 0.0
    spans = tuple((a, b, str(why[a])) for a, b in _runs(why) if why[a])
    return Presence(presence.astype(np.float32), shot, spans)


def shots(evidence: Sequence[Evidence]) -> np.ndarray:
    """(T,) int32: grows by one at each cut. A flash, after which the picture is as before, is none; nor is a pan."""
    change = np.array([e.change for e in evidence])
    back = np.array([e.back for e in evidence])
    cut = change > CUT_THRESHOLD
    for i in np.flatnonzero(cut):
        around = np.concatenate([change[max(i - 3, 1) : i], change[i + 1 : i + 4]])
        pan = len(around) and change[i] < OUTSTANDING * np.median(around)
        flash = i + 1 < len(change) and back[i + 1] < LOOKALIKE * change[i]
        after = change[i - 1] > CUT_THRESHOLD and back[i] < LOOKALIKE * change[i - 1]
        cut[i] = i > 0 and not (pan or flash or after)
    return np.cumsum(cut).astype(np.int32)


def _missing(column: dict[str, np.ndarray], shot: np.ndarray) -> np.ndarray:
    missing = column["score"] < MIN_FACE_SCORE
    for first, last in _runs(np.where(missing, -1, shot)):  # short gaps inside a shot are bridged
        inside = first > 0 and last + 1 < len(shot) and shot[first - 1] == shot[last + 1]
        if missing[first] and last - first < MAX_GAP and inside:
            missing[first : last + 1] = False
    # a stranger counts back to where the person was last recognised, or where the face was searched for
    recognised, jumped = np.isfinite(column["likeness"]), column["jumped"] > 0
    for i in np.flatnonzero(column["stranger"]):
        k = i - 1
        while k >= 0 and shot[k] == shot[i] and not recognised[k] and not missing[k]:
            missing[k] = True
            if jumped[k]:
                break
            k -= 1
    return missing


def _turn(column: dict[str, np.ndarray]) -> np.ndarray:
    """How far the turn of the head allows an edit; the angles steadied by a median of five frames."""
    yaw, pitch = (_median5(np.abs(column[name])) for name in ("yaw", "pitch"))
    return np.minimum(_fade(yaw, YAW_RANGE), _fade(pitch, PITCH_RANGE))


def _hidden(covered: np.ndarray, shot: np.ndarray) -> np.ndarray:
    """With hysteresis, and at least three frames long: a hand stays, a twitch does not."""
    hidden = np.zeros(len(covered), bool)
    high, low = COVERED
    values = _median5(np.nan_to_num(covered))
    for first, last in _runs(shot):
        inside = False
        for i in range(first, last + 1):
            inside = values[i] > (low if inside else high)
            hidden[i] = inside
        for i in range(last, first, -1):  # the rise belongs to it as well
            hidden[i - 1] |= hidden[i] and values[i - 1] > low
    for first, last in _runs(hidden):
        if hidden[first] and last - first < 2:
            hidden[first : last + 1] = False
    return hidden


def _fill_islands(why: np.ndarray, shortest: int) -> None:
    """Good stretches shorter than `shortest` between two bad ones of a shot become bad, for the first one's reason."""
    runs = _runs(why)
    for (_, before), (first, last), _ in zip(runs, runs[1:], runs[2:], strict=False):
        if why[first] == "" and last - first + 1 < shortest:
            why[first : last + 1] = why[before]


def _ramped(strength: np.ndarray, ramp: int) -> np.ndarray:
    """Never above the strength, and never changing by more than 1 / (ramp + 1) a frame; eased."""
    out = strength.copy()
    step = 1.0 / (ramp + 1)
    for i in range(1, len(out)):
        out[i] = min(out[i], out[i - 1] + step)
    for i in range(len(out) - 2, -1, -1):
        out[i] = min(out[i], out[i + 1] + step)
    return smoothstep(out)


def _fade(value: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    full, none = ends
    return np.clip((none - np.nan_to_num(value)) / (none - full), 0.0, 1.0)


def _median5(values: np.ndarray) -> np.ndarray:
    """Running median over five frames, NaN left out (0 where all are)."""
    padded = np.pad(values, 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    blank = np.isnan(windows).all(1)
    return np.where(blank, 0.0, np.nanmedian(np.where(blank[:, None], 0.0, windows), axis=1))


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """(first, last inclusive) of the stretches of equal values."""
    if len(values) == 0:
        return []
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1), len(values)]
    return [(int(a), int(b) - 1) for a, b in pairwise(edges)]


def share_outside(landmarks: np.ndarray, height: int, width: int) -> float:
    """(468+, 2+) pixels -> share of the area of the face's oval that lies outside the frame."""
    oval = landmarks[list(FACE_OVAL), :2].astype(np.float64)
    if oval.min() >= 0 and (oval.max(0) < (width, height)).all():
        return 0.0
    whole = _area(oval)
    inside = oval
    for axis, limit, sign in ((0, -0.5, 1), (0, width - 0.5, -1), (1, -0.5, 1), (1, height - 0.5, -1)):
        inside = _clip(inside, axis, limit, sign)
    return float(np.clip(1 - _area(inside) / max(whole, 1e-9), 0.0, 1.0))


def _area(polygon: np.ndarray) -> float:
    if len(polygon) < 3:
        return 0.0
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _clip(polygon: np.ndarray, axis: int, limit: float, sign: int) -> np.ndarray:
    """Keep the half plane sign * (p[axis] - limit) >= 0 (Sutherland and Hodgman)."""
    if len(polygon) == 0:
        return polygon
    out = []
    depth = sign * (polygon[:, axis] - limit)
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if depth[i] >= 0:
            out.append(polygon[i])
        if (depth[i] >= 0) != (depth[j] >= 0):
            out.append(polygon[i] + (polygon[j] - polygon[i]) * (depth[i] / (depth[i] - depth[j])))
    return np.array(out).reshape(-1, 2)


# skin that neither speech nor blinks hide, away from the oval's rim: forehead, cheeks, nose, round the mouth, chin
SKIN = (
    *(151, 9, 8, 69, 108, 337, 299, 104, 333, 68, 298, 67, 297),
    *(50, 280, 205, 425, 36, 266, 101, 330, 117, 346, 118, 347, 187, 411, 207, 427, 203, 423, 206, 426, 216, 436),
    *(4, 5, 195, 197, 6, 45, 275, 51, 281, 198, 420, 131, 360),
    *(164, 165, 391, 167, 393, 92, 322, 186, 410),
    *(199, 200, 18, 83, 313, 182, 406, 194, 418, 208, 428, 43, 273, 106, 335, 204, 424, 211, 431),
    *(192, 416, 214, 434, 135, 364, 212, 432, 210, 430),
)


class OcclusionDetector:
    """Notices what comes in front of a face, by the colour of its skin at places that move with it.

    Of every place the usual colour in this shot is learnt, slowly; what differs from it strongly (log ratio, after the
    common change of light is taken out) is counted. A quick change alone counts: beards, shadows and glasses are there
    all the time, and a turning head changes its light slowly.
    """

    CHANGED = 0.35  # log ratio; speech, blinks and turns stay below on nearly all of the skin
    MEMORY = 20  # frames until a usual colour is mostly replaced
    PATIENCE = 90  # frames after which the cover is taken for the face

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._usual: np.ndarray | None = None
        self._seen = 0
        self._covered_for = 0

    def update(self, crop: Image, points: np.ndarray, yaw: float) -> float:
        """crop: (S, S, 3) uint8 RGB; points: (468+, 2) in its pixels -> share of the visible skin that changed."""
        blurred = cv2.blur(crop, (7, 7))
        side = crop.shape[0]
        at = np.clip(np.rint(points[list(SKIN)]), 0, side - 1).astype(int)
        colour = np.log(blurred[at[:, 1], at[:, 0]].astype(np.float64) + 8.0)
        if self._usual is None:
            self._usual = colour
            self._seen = 1
            return 0.0
        off = colour - self._usual
        off -= np.median(off, axis=0)
        changed = np.abs(off).max(1) > self.CHANGED
        middle = (points[10, 0] + points[152, 0]) / 2
        facing = (np.abs(yaw) < 20) | (np.sign(points[list(SKIN), 0] - middle) != np.sign(yaw))
        share = float(changed[facing].mean()) if facing.any() else 0.0
        covered = share > COVERED[1]
        self._covered_for = self._covered_for + 1 if covered else 0
        if self._covered_for > self.PATIENCE:
            self.reset()
        elif not covered:
            self._seen += 1
            self._usual = self._usual + (colour - self._usual) / min(self._seen, self.MEMORY)
        return share
