"""InsightFace's detector and ArcFace, for users who hold a licence: the model packs are for non-commercial research.

The package `insightface` reads a pack from `~/.insightface/models/NAME`, or downloads it there. Nothing here is used
unless it is asked for.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from asccl.errors import AscclError, first_line
from asccl.face.detect import Detector
from asccl.face.facemesh import WINDOW_MARGIN, Window
from asccl.types import Image, LazyImage, as_image

DEFAULT_PACK = "buffalo_l"
ROOT = Path("~/.insightface")
DETECTION_SIDE = 640  # pixels of the detector's input
MIN_CONFIDENCE = 0.5
EYE_POINTS = (0, 1)  # of the detector's five points
TERMS = "InsightFace's model packs are for non-commercial research only"


class InsightFacePack:
    """The detector and the recognition network of a pack. It must not be shared between threads.

    Args:
        name: of the pack.
        root: folder of InsightFace; the pack is in `models/NAME`.

    Raises:
        AscclError: the package is not installed, or the pack is neither there nor can it be downloaded.
    """

    def __init__(self, name: str = DEFAULT_PACK, root: Path = ROOT):
        try:
            from insightface.app import FaceAnalysis
        except ImportError as error:
            raise AscclError("insightface is not installed", "pip install 'asccl[insightface]'") from error
        self.name = name
        self.folder = root.expanduser() / "models" / name
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints where it downloads and what it loads
                app = FaceAnalysis(name, str(root), allowed_modules=["detection", "recognition"])
                app.prepare(-1, det_thresh=MIN_CONFIDENCE, det_size=(DETECTION_SIDE, DETECTION_SIDE))
        except Exception as error:  # the package raises whatever requests, zipfile and onnxruntime raise
            raise AscclError(
                f"the InsightFace pack {name} is not in {self.folder} or cannot be read ({first_line(error)})",
                f"connect, so that it is downloaded, or put its files there; {TERMS}",
            ) from error
        if "recognition" not in app.models:
            raise AscclError(f"{self.folder} has no recognition network", f"delete it and download it again; {TERMS}")
        self._detector: Any = app.det_model
        self._recognition: Any = app.models["recognition"]

    def detect(self, image: Image) -> list[Window]:
        """Detect faces in an image (H, W, 3): windows around them, the most confident first."""
        boxes, points = self._detector.detect(np.ascontiguousarray(image[:, :, ::-1]))
        order = np.argsort(-boxes[:, 4], kind="stable")
        return [_window(boxes[i], points[i]) for i in order]

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Compute embeddings: ArcFace crops (N, 112, 112, 3) uint8 RGB -> (N, 512), not normalized."""
        if not len(crops):
            return np.zeros((0, self._recognition.output_shape[-1]), np.float32)
        return np.concatenate([self._recognition.get_feat(np.ascontiguousarray(c[:, :, ::-1])) for c in crops])


class InsightFaceDetector(Detector):
    """The detector of a pack in place of BlazeFace.

    Args:
        pack: see `InsightFacePack`.
    """

    def __init__(self, pack: InsightFacePack):
        self._pack = pack

    def levels(self, image: LazyImage, size: float | None = None) -> Iterator[list[Window]]:
        """Detect faces of all sizes at once; see `Detector.levels`."""
        yield self._pack.detect(as_image(image))

    def near(self, image: LazyImage, window: Window) -> list[Window]:
        """Detect faces around a window, up to twice its side."""
        height, width = image.shape[:2]
        x0, y0 = (max(int(c - window.side), 0) for c in (window.x, window.y))
        x1, y1 = min(int(window.x + window.side), width), min(int(window.y + window.side), height)
        if x1 <= x0 or y1 <= y0:
            return []
        windows = self._pack.detect(np.ascontiguousarray(image[y0:y1, x0:x1]))
        return [Window(w.x + x0, w.y + y0, w.side, w.angle) for w in windows]

    def close(self) -> None:
        """The pack is freed with its last user."""


def _window(box: np.ndarray, points: np.ndarray) -> Window:
    x0, y0, x1, y1 = box[:4]
    right, left = points[list(EYE_POINTS)]
    angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    return Window(float(x0 + x1) / 2, float(y0 + y1) / 2, WINDOW_MARGIN * float(max(x1 - x0, y1 - y0)), angle)
