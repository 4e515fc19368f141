"""Show two seconds of an edit before the whole file is edited: the face before and after, side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from asccl.directors.base import ReferenceStyle
from asccl.editing.frames import EditFrames
from asccl.editing.models import Models
from asccl.editing.plan import plan_edit
from asccl.editing.preview import PreviewSession, append_motion
from asccl.errors import NoFaceError
from asccl.face.crop import face_region
from asccl.face.people import bounding_box
from asccl.face.pose import estimate_head_pose
from asccl.face.presence import turn_weight
from asccl.face.smooth import smooth_landmarks
from asccl.types import EditRequest, Frame, Image, Motion, Track, as_image
from asccl.video import EncodeSettings, Limits, Writer, probe, read_frames_at

CLIP_SECONDS = 2.0
MAX_CLIP_RATE = 30.0  # frames per second
PANEL_HEIGHT = 360  # pixels
ENCODING = EncodeSettings(crf=20.0, preset="ultrafast")


def render_preview_clip(
    session: PreviewSession,
    request: EditRequest,
    time: float,
    output: Path,
    models: Models,
    limits: Limits,
    reference: ReferenceStyle | None = None,
) -> None:
    """Write `CLIP_SECONDS` of a video, original and edited side by side, cut to the face, without sound.

    The face is fitted on these frames as in an edit; its identity and the adaptation are those of the preview.

    Args:
        session: of the file and its face.
        request: of the edit.
        time: of the middle, seconds after the first frame.
        output: the .mp4 to write.
        models: to edit with.
        limits: of the file.
        reference: style of `request.reference`.

    Raises:
        NoFaceError: these two seconds show no face.
        UnreadableError, LimitError: the file cannot be read.
        InputError, SettingError, WeightsError: see `plan_edit`.
        OutputError: the file cannot be written.
    """
    info = probe(session.path, limits)
    rate = min(float(info.frame_rate), MAX_CLIP_RATE)
    start = max(0.0, min(time - CLIP_SECONDS / 2, info.duration - CLIP_SECONDS))
    times = start + np.arange(max(1, round(min(CLIP_SECONDS, info.duration) * rate))) / rate
    landmarks = _track(session, times, models, limits)
    frames = len(session.frames.motion)
    motion = append_motion(session.frames.motion, replace(_fit(session, landmarks, models), frame_rate=rate))
    all_times = np.append(np.full(frames, np.nan), times)
    plan = plan_edit(request, EditFrames(session.face, motion, all_times), models, reference)
    renderer, region = plan.start(), _common_region(landmarks, (info.width, info.height))
    width, height = _panel_size(region)
    panels = replace(
        info, width=2 * width, height=height, duration=len(times) / rate, frames=len(times), audio_tracks=0
    )
    with Writer(output, panels, settings=ENCODING) as writer:
        previous = None
        for index, frame in enumerate(read_frames_at(session.path, list(times), limits)):
            if frame.pts == previous:
                continue
            image, previous = frame.image, frame.pts
            edited = as_image(renderer.render(image, landmarks[index], frames + index))
            writer.write(Frame(_panels(image, edited, region), index, frame.pts))


def _track(session: PreviewSession, times: np.ndarray, models: Models, limits: Limits) -> np.ndarray:
    """Smoothed landmarks of the frames, (T, 478, 3) pixels; where the face is lost, those of the frame before."""
    detections: list[np.ndarray | None] = []
    previous = session.typical_landmarks()
    for frame in read_frames_at(session.path, list(times), limits):
        detections.append(models.landmarker.detect(frame.image, previous))
        previous = previous if detections[-1] is None else detections[-1]
    present = [landmarks for landmarks in detections if landmarks is not None]
    if not present:
        raise NoFaceError(f"{session.path.name} shows no face around this moment", "choose another moment")
    latest = present[0]
    filled = []
    for landmarks in detections:
        latest = latest if landmarks is None else landmarks
        filled.append(latest)
    return smooth_landmarks(np.stack(filled).astype(np.float32), np.zeros(len(filled), np.int32))


def _fit(session: PreviewSession, landmarks: np.ndarray, models: Models) -> Motion:
    """Motion of consecutive frames, with the identity of the session; its weight follows the turn of the head."""
    poses = [estimate_head_pose(frame) for frame in landmarks]
    presence = turn_weight(np.array([p.yaw for p in poses]), np.array([p.pitch for p in poses])).astype(np.float32)
    track = Track(np.ones(len(landmarks), np.float32), np.zeros(len(landmarks), np.int32))
    identity = session.frames.motion.identity.astype(np.float64)
    motion = models.fitter.fit_motion(track, lambda first, last: landmarks[first:last], identity)
    return replace(motion, weight=presence)


def _common_region(landmarks: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    corners = np.array([bounding_box(frame) for frame in landmarks])
    box = (*corners[:, :2].min(0), *corners[:, 2:].max(0))
    return face_region(box, size)


def _panel_size(region: tuple[int, int, int, int]) -> tuple[int, int]:
    """Width and height of one of the two panels, even numbers of pixels."""
    x0, y0, x1, y1 = region
    scale = min(1.0, PANEL_HEIGHT / (y1 - y0))
    return 2 * max(1, round((x1 - x0) * scale / 2)), 2 * max(1, round((y1 - y0) * scale / 2))


def _panels(image: Image, edited: Image, region: tuple[int, int, int, int]) -> Image:
    x0, y0, x1, y1 = region
    parts = [np.ascontiguousarray(frame[y0:y1, x0:x1]) for frame in (image, edited)]
    return np.hstack([cv2.resize(part, _panel_size(region), interpolation=cv2.INTER_AREA) for part in parts])
