"""MediaPipe's FaceMesh network as a plain function from image and window to landmarks and confidence.

MediaPipe's own `FaceMesh` solution keeps the window of the last frame as internal state, in the coordinates of its
input image. Here the caller chooses the window and the network's graph gets a crop of it: windows can move, faces at
the border are padded, small faces are enlarged, large frames cost nothing extra, and the same image with the same
window always gives the same landmarks.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from asccl.face.mesh import OUTER_EYE_CORNERS
from asccl.files import open_temporary_file
from asccl.types import Image, LazyImage

INPUT_SIZE = 192  # the network's input, pixels
WINDOW_MARGIN = 1.5  # window side over the larger side of the face's box, as in the training of the network
_SCORE_STREAM = "facelandmarkcpu__face_presence_score"  # inside MediaPipe's subgraph; the version is pinned
# bytes of a `NormalizedLandmark` in a protobuf list; reading them is ten times faster than 478 Python objects
_LANDMARK_DTYPE = np.dtype(
    [("start", "V3"), ("x", "<f4"), ("y_tag", "V1"), ("y", "<f4"), ("z_tag", "V1"), ("z", "<f4")]
)
_STARTUP_LINE = re.compile(rb"INFO: Created TensorFlow|WARNING: All log messages before absl|[IW]\d{4,} .*\.cc:\d+\]")
_stderr_lock = threading.Lock()
# the calling thread runs the network: threads of the graph would only wait for each other
_GRAPH = """
executor { name: "" type: "ApplicationThreadExecutor" }
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
    """Remove the messages that TensorFlow Lite prints while a graph starts from stderr, and nothing else.

    C++ code writes them to file descriptor 2 of the process, so stderr is redirected to a file. Other lines are written
    to stderr afterwards; if the block raises an exception, all lines are.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    with _stderr_lock, open_temporary_file() as captured:
        try:
            stderr = os.dup(2)
        except OSError:  # a service without stderr
            yield
            return
        os.dup2(captured.fileno(), 2)
        hidden: re.Pattern[bytes] | None = None
        try:
            yield
            hidden = _STARTUP_LINE
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if hidden is None or not hidden.match(line):
                    with contextlib.suppress(OSError):  # nobody reads stderr
                        os.write(2, line)


@dataclass(frozen=True)
class Window:
    """A rotated square in a frame that holds a face.

    Attributes:
        x: of the centre, in pixels.
        y: of the centre, in pixels.
        side: pixels.
        angle: radians, clockwise on screen.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    @classmethod
    def around(cls, landmarks: np.ndarray) -> Window:
        """The window, aligned with the eyes, that holds landmarks (468+, 2+) in pixels with the network's margin."""
        right, left = landmarks[list(OUTER_EYE_CORNERS), :2].astype(np.float64)
        angle = math.atan2(left[1] - right[1], left[0] - right[0])
        c, s = math.cos(angle), math.sin(angle)
        rotated = landmarks[:, :2].astype(np.float64) @ np.array([[c, -s], [s, c]])
        low, high = rotated.min(0), rotated.max(0)
        x, y = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
        return cls(float(x), float(y), float(WINDOW_MARGIN * (high - low).max()), angle)

    def follow(self, other: Window, slack: float = 0.01) -> Window:
        """Move this window towards `other` by the distance that exceeds a dead zone.

        A still head therefore keeps exactly one window, and a moving head is followed without jumps.

        Args:
            other: the new window.
            slack: size of the dead zone, as a fraction of the side and in radians; twice as much for side and angle.
        """

        def approach(value: float, target: float, dead_zone: float) -> float:
            difference = target - value
            return value + math.copysign(max(abs(difference) - dead_zone, 0.0), difference)

        dead_zone = slack * self.side
        rotation = math.remainder(other.angle - self.angle, math.tau)
        return Window(
            approach(self.x, other.x, dead_zone),
            approach(self.y, other.y, dead_zone),
            approach(self.side, other.side, 2 * dead_zone),
            self.angle + approach(0.0, rotation, 2 * slack),
        )

    def distance(self, other: Window) -> float:
        """The largest of: distance of the centres over the side, log size ratio, difference of the angles."""
        centre = math.hypot(self.x - other.x, self.y - other.y) / max(self.side, 1e-6)
        size = abs(math.log(max(other.side, 1e-6) / max(self.side, 1e-6)))
        return max(centre, size, abs(math.remainder(other.angle - self.angle, math.tau)))


class FaceMesh:
    """The landmark network on one CPU. It must not be shared between threads. Call `close()` after use."""

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
            self._full_image = NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
            self._graph: Any = calculator_graph.CalculatorGraph(graph_config=_GRAPH)
            self._packets: dict[str, Any] = {}
            for name in ("landmarks", _SCORE_STREAM):
                self._graph.observe_output_stream(name, self._packets.__setitem__, False)
            self._graph.start_run({"with_attention": packet_creator.create_bool(True)})
            self._timestamp = 0
            self._run(np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8))  # the first run prints log messages, too

    def detect(self, image: LazyImage, window: Window) -> tuple[np.ndarray | None, float, Image]:
        """Detect the landmarks of the face that fills a window.

        Args:
            image: (H, W, 3).
            window: holds the face.

        Returns:
            Landmarks (478, 3) float32 in pixels of the image (z too, smaller is nearer) or None; the network's
            confidence in [0, 1] that this is a face; the crop (192, 192, 3) that was its input.
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
        self._timestamp += 1
        self._packets.clear()
        packet = self._creator.create_image_frame(image_format=self._format, data=crop)
        self._graph.add_packet_to_input_stream("image", packet.at(self._timestamp))
        self._graph.add_packet_to_input_stream("roi", self._creator.create_proto(self._full_image).at(self._timestamp))
        self._graph.wait_until_idle()
        score = self._getter.get_float(self._packets[_SCORE_STREAM]) if _SCORE_STREAM in self._packets else 0.0
        if "landmarks" not in self._packets:
            return None, score
        points = np.frombuffer(self._serialized(self._packets["landmarks"]), _LANDMARK_DTYPE)
        return np.stack([points[axis] for axis in "xyz"], 1), score

    def close(self) -> None:
        """Free the network. It is harmless to call this again."""
        if self._graph is not None:
            self._graph.close()
            self._graph = None


def cut_window(image: LazyImage, window: Window, size: int = INPUT_SIZE) -> tuple[Image, np.ndarray]:
    """Cut a window out of an image; outside the image its border is repeated.

    A large window is reduced by area first, so that fine texture does not alias into the landmarks.

    Args:
        image: (H, W, 3).
        window: the part to cut out.
        size: side of the crop in pixels.

    Returns:
        The crop (size, size, 3) uint8 RGB, and the (2, 3) float32 matrix from its pixels to pixels of the image.
    """
    scale = window.side / size
    c, s = math.cos(window.angle) * scale, math.sin(window.angle) * scale
    half = (size - 1) / 2
    to_frame = np.array(
        [[c, -s, window.x - c * half + s * half], [s, c, window.y - s * half - c * half]],
    )
    shrink = max(int(scale), 1)
    radius = window.side / 2 * (abs(math.cos(window.angle)) + abs(math.sin(window.angle))) + max(shrink, 2)
    height, width = image.shape[:2]
    (x0, x1), (y0, y1) = _pixel_range(window.x, radius, width), _pixel_range(window.y, radius, height)
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


def _pixel_range(centre: float, radius: float, length: int) -> tuple[int, int]:
    """Start and stop of the pixels in [0, length) around a centre; the nearest pixel if there is none."""
    first = int(np.clip(centre - radius, 0, length - 1))
    return first, int(np.clip(centre + radius, first + 1, length))
