"""Detect faces that both BlazeFace and the landmark network confirm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from asccl.face.detect import Detector
from asccl.face.facemesh import FaceMesh, Window
from asccl.face.people import Face, bounding_box, box_side, boxes_overlap
from asccl.face.pose import estimate_head_pose
from asccl.face.presence import MIN_FACE_SCORE
from asccl.types import LazyImage

MIN_FACE_SIDE = 16.0  # pixels
MAX_MISFIT = 0.2  # of landmarks to a rigid head, see `Pose`
REFINEMENT_STEPS = 3  # detections by which the window is fitted to the face


class VerifiedDetector:
    """A detector and FaceMesh on one CPU. It must not be shared between threads. Call `close()` after use.

    Args:
        create_detector: makes the detector on first use.
    """

    def __init__(self, create_detector: Callable[[], Detector] = Detector) -> None:
        self._mesh = FaceMesh()
        self._create_detector = create_detector
        self._created: Detector | None = None

    def in_window(self, image: LazyImage, window: Window) -> Face | None:
        """The face in exactly this window, if there is one."""
        landmarks, score, crop = self._mesh.detect(image, window)
        if landmarks is None or score < MIN_FACE_SCORE or box_side(landmarks) < MIN_FACE_SIDE:
            return None
        pose = estimate_head_pose(landmarks)
        if pose.misfit > MAX_MISFIT:
            return None
        return Face(landmarks, score, Window.around(landmarks), crop, window, pose)

    def near(self, image: LazyImage, window: Window, max_candidates: int | None = None) -> list[Face]:
        """Detect distinct faces around a window.

        Args:
            image: (H, W, 3).
            window: faces are searched up to twice its side.
            max_candidates: number of BlazeFace's detections that are verified, the most confident first.
        """
        faces: list[Face] = []
        self._add_faces(image, self._detector.near(image, window)[:max_candidates], faces)
        return faces

    def levels(self, image: LazyImage, size: float | None = None) -> Iterator[list[Face]]:
        """Detect distinct faces level by level, large faces first.

        Args:
            image: (H, W, 3).
            size: detect only faces of about this many pixels (half to twice); None detects all.

        Yields:
            The faces of all levels so far.
        """
        faces: list[Face] = []
        for windows in self._detector.levels(image, size):
            self._add_faces(image, windows, faces)
            yield faces

    def close(self) -> None:
        """Free the networks."""
        self._mesh.close()
        if self._created is not None:
            self._created.close()

    @property
    def _detector(self) -> Detector:
        if self._created is None:
            self._created = self._create_detector()
        return self._created

    def _add_faces(self, image: LazyImage, windows: Iterable[Window], faces: list[Face]) -> None:
        """Add the faces of the windows that are not in the list yet."""
        for window in windows:
            face = self._refine(image, window)
            if face is not None and not any(
                boxes_overlap(bounding_box(face.landmarks), bounding_box(other.landmarks)) for other in faces
            ):
                faces.append(face)

    def _refine(self, image: LazyImage, window: Window) -> Face | None:
        """The face in a window of BlazeFace, detected again until the window fits it."""
        face = None
        for _ in range(REFINEMENT_STEPS):
            face = self.in_window(image, window)
            if face is None:
                return None
            window = Window.around(face.landmarks)
        return face
