"""MediaPipe's FaceMesh network as a plain function: picture and window in, landmarks and certainty out.

MediaPipe's own `FaceMesh` solution keeps the window of the last frame inside, in the coordinates of the picture it is
fed. Here the network's graph is fed a crop that we cut ourselves, so that the caller decides where to look: windows
can move, faces at the border are padded, small faces are enlarged, large frames cost nothing extra, and the same
picture with the same window always gives the same landmarks.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from asccl.face.mesh import OUTER_EYE_CORNERS
from asccl.types import Image, LazyImage

INPUT_SIZE = 192  # the network's input, pixels
WINDOW_MARGIN = 1.5  # window side over the larger side of the face's box, as the network was trained
_SCORE = "facelandmarkcpu__face_presence_score"  # a stream inside MediaPipe's subgraph; the version is pinned
# a `NormalizedLandmark` inside its list, as protobuf writes it: ten times faster than 478 Python objects
_LANDMARK = np.dtype([("start", "V3"), ("x", "<f4"), ("y_tag", "V1"), ("y", "<f4"), ("z_tag", "V1"), ("z", "<f4")])
_GREETING = re.compile(rb"INFO: Created TensorFlow|WARNING: All log messages before absl|[IW]\d{4,} .*\.cc:\d+\]")
_detour = threading.Lock()
_GRAPH = """
input_stream: "image"
input_stream: "roi"
input_side_packet: "with_attention"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""


@contextlib.contextmanager
def suppress_startup_log() -> Iterator[None]:
    """Keep the greetings that TensorFlow Lite prints while a graph starts off stderr, and nothing else.

    They are written by C++ straight to file descriptor 2, which belongs to the whole process, hence the detour: what
    anybody else writes there meanwhile is handed on, and all of it when the start fails.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    with _detour, tempfile.TemporaryFile() as detour:
        try:
            stderr = os.dup(2)
        except OSError:  # a service without stderr
            yield
            return
        os.dup2(detour.fileno(), 2)
        greeting: re.Pattern[bytes] | None = None
        try:
            yield
            greeting = _GREETING
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            detour.seek(0)
            for line in detour:
                if greeting is None or not greeting.match(line):
                    os.write(2, line)


@dataclass(frozen=True)
class Window:
    """A square to look at: centre (x, y) and side in pixels of the frame, angle in radians (clockwise on screen)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    @classmethod
    def around(cls, landmarks: np.ndarray) -> Window:
        """(468+, 2+) pixels -> the upright-in-the-face window that holds the face with the network's margin."""
        right, left = landmarks[list(OUTER_EYE_CORNERS), :2].astype(np.float64)
        angle = math.atan2(left[1] - right[1], left[0] - right[0])
        c, s = math.cos(angle), math.sin(angle)
        turned = landmarks[:, :2].astype(np.float64) @ np.array([[c, -s], [s, c]])
        low, high = turned.min(0), turned.max(0)
        x, y = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
        return cls(float(x), float(y), float(WINDOW_MARGIN * (high - low).max()), angle)

    def follow(self, other: Window, slack: float = 0.01) -> Window:
        """This window, moved towards `other` by what exceeds the slack (a share of the side, and as much in radians).

        A still head therefore keeps exactly one window, and a moving one is followed without steps.
        """

        def pull(have: float, want: float, free: float) -> float:
            off = want - have
            return have + math.copysign(max(abs(off) - free, 0.0), off)

        free = slack * self.side
        turn = math.remainder(other.angle - self.angle, math.tau)
        return Window(
            pull(self.x, other.x, free),
            pull(self.y, other.y, free),
            pull(self.side, other.side, 2 * free),
            self.angle + pull(0.0, turn, 2 * slack),
        )

    def distance(self, other: Window) -> float:
        """How far apart two windows lie: centres over the side, log size ratio, or angle, whichever is largest."""
        centre = math.hypot(self.x - other.x, self.y - other.y) / max(self.side, 1e-6)
        size = abs(math.log(max(other.side, 1e-6) / max(self.side, 1e-6)))
        return max(centre, size, abs(math.remainder(other.angle - self.angle, math.tau)))


class FaceMesh:
    """One network on one CPU. Threads must not share it; several may each have their own. Call `close()`."""

    def __init__(self) -> None:
        with suppress_startup_log():
            import mediapipe
            from mediapipe.framework.formats.rect_pb2 import NormalizedRect
            from mediapipe.python import packet_creator, packet_getter
            from mediapipe.python._framework_bindings import calculator_graph, image_frame, resource_util

            resource_util.set_resource_dir(os.path.dirname(os.path.dirname(os.path.abspath(mediapipe.__file__))))
            self._creator, self._getter = packet_creator, packet_getter
            self._serialized = packet_getter._packet_getter._get_serialized_proto
            self._format = image_frame.ImageFormat.SRGB
            self._whole = NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
            self._graph: Any = calculator_graph.CalculatorGraph(graph_config=_GRAPH)
            self._packets: dict[str, Any] = {}
            for name in ("landmarks", _SCORE):
                self._graph.observe_output_stream(name, self._packets.__setitem__, False)
            self._graph.start_run({"with_attention": packet_creator.create_bool(True)})
            self._time = 0
            self._run(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8))  # the first run greets, too

    def detect(self, image: LazyImage, window: Window) -> tuple[np.ndarray | None, float, Image]:
        """Find the face that fills a window.

        image: (H, W, 3). Returns landmarks (478, 3) float32 in pixels of the image (z too, smaller is
        nearer) or None, the network's certainty in [0, 1] that this is a face, and the crop (192, 192, 3) it saw.
        """
        crop, to_frame = cut_window(image, window)
        points, score = self._run(crop)
        if points is None:
            return None, score, crop
        points *= INPUT_SIZE
        landmarks = np.empty_like(points)
        landmarks[:, :2] = (points[:, :2] - 0.5) @ to_frame[:, :2].T + to_frame[:, 2]
        landmarks[:, 2] = points[:, 2] * (window.side / INPUT_SIZE)
        return landmarks, score, crop

    def _run(self, crop: Image) -> tuple[np.ndarray | None, float]:
        self._time += 1
        self._packets.clear()
        picture = self._creator.create_image_frame(image_format=self._format, data=crop)
        self._graph.add_packet_to_input_stream("image", picture.at(self._time))
        self._graph.add_packet_to_input_stream("roi", self._creator.create_proto(self._whole).at(self._time))
        self._graph.wait_until_idle()
        score = self._getter.get_float(self._packets[_SCORE]) if _SCORE in self._packets else 0.0
        if "landmarks" not in self._packets:
            return None, score
        found = np.frombuffer(self._serialized(self._packets["landmarks"]), _LANDMARK)
        return np.stack([found[axis] for axis in "xyz"], 1), score

    def close(self) -> None:
        if self._graph is not None:
            self._graph.close()
            self._graph = None


def cut_window(image: LazyImage, window: Window, size: int = INPUT_SIZE) -> tuple[Image, np.ndarray]:
    """Cut a window out of a picture, repeating its border where the window hangs over.

    Returns the crop (size, size, 3) uint8 RGB and the (2, 3) float32 matrix from its pixels to the picture's.
    A large window is reduced by area first, so that fine texture does not alias into the landmarks.
    """
    step = window.side / size
    c, s = math.cos(window.angle) * step, math.sin(window.angle) * step
    half = (size - 1) / 2
    to_frame = np.array(
        [[c, -s, window.x - c * half + s * half], [s, c, window.y - s * half - c * half]],
    )
    shrink = max(int(step), 1)
    reach = window.side / 2 * (abs(math.cos(window.angle)) + abs(math.sin(window.angle))) + max(shrink, 2)
    height, width = image.shape[:2]
    (x0, x1), (y0, y1) = _span(window.x, reach, width), _span(window.y, reach, height)
    source = image[y0:y1, x0:x1]
    matrix = to_frame.copy()
    matrix[:, 2] -= x0, y0
    if shrink >= 2 and min(source.shape[:2]) >= shrink:
        h, w = source.shape[0] // shrink, source.shape[1] // shrink
        source = cv2.resize(source[: h * shrink, : w * shrink], (w, h), interpolation=cv2.INTER_AREA)
        matrix[:, 2] -= (shrink - 1) / 2
        matrix /= shrink
    crop = cv2.warpAffine(
        source,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return crop, to_frame.astype(np.float32)


def _span(middle: float, reach: float, length: int) -> tuple[int, int]:
    """First and one past the last of the pixels in [0, length) within reach; the nearest one where none is."""
    first = int(np.clip(middle - reach, 0, length - 1))
    return first, int(np.clip(middle + reach, first + 1, length))
