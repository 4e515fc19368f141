"""One frame of a clip that shows what an edit does, chosen by a rule instead of by hand.

The rule: the source frame in which the inner lips are open widest among the frames that both videos have, the generated
frame that belongs to it, and the frame in the middle of the reference. Source and generated frame are cut at the same
place, a square around the landmarks of the source.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from asccl.errors import NoFaceError, UnreadableError
from asccl.evaluation.face_chunk import FaceImage
from asccl.evaluation.face_stream import FaceStream
from asccl.evaluation.measure import ClipPair
from asccl.face import mesh
from asccl.face.crop import warp_crop
from asccl.types import Image

MOMENT_RULE = "the frame in which the lips of the source are open widest, and the middle frame of the reference"
CROP_FACTOR = 1.5  # side of the square over the larger side of the box around the landmarks
PICTURE_SIDE = 160  # pixels
JPEG_QUALITY = 88


class Moment(NamedTuple):
    """Crops (S, S, 3) uint8 RGB of one moment; the reference is None where there is none."""

    source: Image
    reference: Image | None
    generated: Image


def find_moment(clip: ClipPair) -> int:
    """Return the index of the source frame of the rule. Raises NoFaceError."""
    count = clip.generated.info.frames
    gaps = [float(mesh.lip_gap(landmarks)) for landmarks in clip.source.landmarks()]
    first = max(clip.offset, 0)
    gaps = gaps[first : max(count + clip.offset, first + 1)]
    if not np.isfinite(gaps).any():
        raise NoFaceError(f"{clip.source.name} has no frame with a face", "leave it out, or give another video")
    return first + int(np.nanargmax(gaps))


def cut_moment(clip: ClipPair, index: int, side: int = PICTURE_SIDE) -> Moment:
    """Cut the crops of a moment.

    Args:
        clip: with its videos.
        index: of the source frame, see `find_moment`.
        side: of a crop, pixels.
    """
    image, landmarks = read_frame(clip.source, index)
    generated = read_frame(clip.generated, index - clip.offset)[0]
    if generated.shape != image.shape:
        generated = cv2.resize(generated, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    reference = None
    if clip.reference is not None:
        reference = cut_square(*read_frame(clip.reference, clip.reference.info.frames // 2), side)
    return Moment(cut_square(image, landmarks, side), reference, cut_square(generated, landmarks, side))


def capture_moment(clip: ClipPair) -> bytes:
    """Return source, reference and generated frame of the clip's moment side by side, as JPEG."""
    moment = cut_moment(clip, find_moment(clip))
    row = np.hstack([picture for picture in moment if picture is not None])
    return cv2.imencode(".jpg", row[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def read_frame(stream: FaceStream, index: int) -> FaceImage:
    """Return a frame with its landmarks; the last one for an index after the end. Raises UnreadableError."""
    frames = deque(islice(stream.frames(), max(index, 0) + 1), maxlen=1)
    if not frames:
        raise UnreadableError(f"{stream.name} has no frame that can be read", "give a complete video")
    return frames.pop()


def cut_square(image: Image, landmarks: np.ndarray, side: int) -> Image:
    """Cut a square around a face; without a face, the largest square in the middle.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) pixels, NaN without a face.
        side: of the result, pixels.
    """
    height, width = image.shape[:2]
    centre, half = np.array([width, height]) / 2, min(width, height) / 2
    if np.isfinite(landmarks[:, :2]).all():
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        centre, half = (low + high) / 2, CROP_FACTOR * (high - low).max() / 2
    scale = side / (2 * half)
    matrix = np.array([[scale, 0, side / 2 - scale * centre[0]], [0, scale, side / 2 - scale * centre[1]]])
    return warp_crop(image, matrix, side)
