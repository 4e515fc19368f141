"""Track one person's face through a clip, frame by frame, in constant memory.

    tracker = FaceMeshTracker(embed)
    people = tracker.find_people(sampled_frames, time_base)  # number 0 is the largest
    tracker.start(select_person(people, face, source))
    for frame in reader:
        observation = tracker.track(frame.pixels)           # store the landmarks on disk, the evidence in a list
    presence = compute_presence(evidence, frame_rate)       # asccl.face.presence
    landmarks = smooth_landmarks(window, shot_window)       # asccl.face.smooth, window by window

The centre of pixel (0, 0) is (0.0, 0.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np

from asccl.face.detect import Detector
from asccl.face.facemesh import Window
from asccl.face.identity import MIN_IDENTITY_COSINE, EmbedFunction, IdentityVerifier
from asccl.face.occlusion import OcclusionDetector
from asccl.face.people import (
    SAME_PERSON_COSINE,
    Face,
    Person,
    PersonDetections,
    assign_faces,
    bounding_box,
    box_separation,
    box_side,
    boxes_overlap,
    rank_people,
)
from asccl.face.presence import CUT_THRESHOLD, Evidence, share_outside
from asccl.face.scene_change import SceneChangeMeter
from asccl.face.verified_detector import VerifiedDetector
from asccl.types import Frame, LazyImage

SEARCH_INTERVAL = 5  # frames between two searches of the complete frame while the face is lost; later twice as many
RECENT_FRAMES = 30  # frames for which a lost face is expected near its last position
VELOCITY_FACTOR = 0.8  # fraction of the last movement that is expected for the next frame
SAME_PLACE_SEPARATION = 0.3  # maximum separation of boxes that may show the same face, occluded, after a cut
JUMP_THRESHOLD = 0.35  # distance of windows or separation of boxes; a face that moves further may be another person's
MAX_WINDOW_OFFSET = 0.12  # distance of a window from the face's own; above it landmarks are detected again


class Observation(NamedTuple):
    """Result of one frame.

    Attributes:
        landmarks: (478, 3) float32 pixels of the frame, or None without a face.
        evidence: for the presence.
    """

    landmarks: np.ndarray | None
    evidence: Evidence


class Tracker(Protocol):
    """Tracks one person through frames in order; keeps none of them. It must not be shared between threads."""

    def find_people(self, frames: Iterable[Frame], time_base: Fraction, all_people: bool = True) -> list[Person]:
        """Find the people in sampled frames.

        Args:
            frames: in order.
            time_base: seconds per unit of `Frame.pts`.
            all_people: whether to find more people than the largest.
        """
        ...

    def start(self, person: Person | None = None) -> None:
        """Begin a clip with a person; None selects the largest face of the first frame with a face."""
        ...

    def track(self, image: LazyImage) -> Observation:
        """Process the next frame, (H, W, 3)."""
        ...

    def close(self) -> None:
        """Free the networks."""
        ...


class FaceMeshTracker:
    """`Tracker` by MediaPipe's BlazeFace and FaceMesh on one CPU.

    Args:
        embed: the identity of ArcFace crops; without it people are distinguished by position and size only.
        create_detector: makes another detector than BlazeFace.
    """

    def __init__(self, embed: EmbedFunction | None = None, create_detector: Callable[[], Detector] = Detector) -> None:
        self._detector = VerifiedDetector(create_detector)
        self._identity = IdentityVerifier(embed)
        self._occlusion = OcclusionDetector()
        self.start(None)

    def find_people(
        self, frames: Iterable[Frame], time_base: Fraction = Fraction(1), all_people: bool = True
    ) -> list[Person]:
        """Find the people in sampled frames.

        Args:
            frames: in order.
            time_base: seconds per unit of `Frame.pts`.
            all_people: whether to detect faces smaller than the largest ones, which takes about 0.1 s per frame at
                720p.

        Returns:
            The people, the largest by median size times number of detections first; empty without a face.
        """
        groups: list[PersonDetections] = []
        frame_count = 0
        for frame in frames:
            frame_count += 1
            faces: list[Face] = []
            for faces in self._detector.levels(frame.image):
                if faces and not all_people:
                    break
            embeddings = self._identity.embed(frame.image, faces)
            assign_faces(float(frame.pts * time_base), frame.image, faces, embeddings, groups)
        return rank_people(groups, frame_count)

    def start(self, person: Person | None = None) -> None:
        """Begin a clip with a person; None selects the largest face of the first frame with a face."""
        self._person = person
        self._identity.start(None if person is None else person.embedding)
        self._occlusion.reset()
        self._scene = SceneChangeMeter()
        self._window: Window | None = None  # where the face is expected
        self._box: np.ndarray | None = None if person is None else np.array(person.detected.box)  # of the last face
        self._lost_frames = 0  # since the last frame with the face, or since the start
        self._has_been_tracked = False

    def track(self, image: LazyImage) -> Observation:
        """Process the next frame, (H, W, 3)."""
        change, two_frame_change = self._scene.update(image, self._box if self._lost_frames == 0 else None)
        previous_box = self._box
        is_cut = change > CUT_THRESHOLD
        if is_cut:
            self._window, self._lost_frames, self._box = None, 0, None
        face, has_jumped = self._follow(image)
        is_reacquired = False
        if face is None:
            face = self._search(image)
            is_reacquired = face is not None
        if is_cut and not _is_same_place(face, previous_box):
            self._occlusion.reset()
        if face is None:
            self._lost_frames += 1
            return Observation(None, Evidence(change=change, two_frame_change=two_frame_change))
        cosine, was_wrong_person = np.nan, False
        if not is_reacquired:
            verified, cosine = self._verify(image, face, has_jumped)
            was_wrong_person = is_reacquired = verified is not face
            face = verified
        if face is None:
            evidence = Evidence(change=change, two_frame_change=two_frame_change, was_wrong_person=True)
            return Observation(None, evidence)
        self._predict(face)
        evidence = self._measure(image, face)._replace(
            identity_cosine=cosine,
            change=change,
            two_frame_change=two_frame_change,
            reacquired=is_reacquired,
            was_wrong_person=was_wrong_person,
        )
        return Observation(face.landmarks, evidence)

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()

    def __enter__(self) -> FaceMeshTracker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _measure(self, image: LazyImage, face: Face) -> Evidence:
        """The evidence of a face without that of the clip."""
        box, pose = bounding_box(face.landmarks), face.pose
        return Evidence(
            score=face.score,
            yaw=pose.yaw,
            pitch=pose.pitch,
            roll=pose.roll,
            x=float(box[0] + box[2]) / 2,
            y=float(box[1] + box[3]) / 2,
            size=float(max(box[2] - box[0], box[3] - box[1])),
            outside=share_outside(face.landmarks, *image.shape[:2]),
            covered=self._occlusion.update(face.crop, face.crop_landmarks, pose.yaw),
        )

    def _predict(self, face: Face) -> None:
        """Predict the window of the next frame from the last movement."""
        box = bounding_box(face.landmarks)
        window = Window.around(face.landmarks)
        is_continued = self._has_been_tracked and self._lost_frames == 0
        if self._box is not None and is_continued and box_separation(box, self._box) < JUMP_THRESHOLD:
            dx, dy = VELOCITY_FACTOR * ((box[:2] + box[2:]) - (self._box[:2] + self._box[2:])) / 2
            window = replace(window, x=window.x + float(dx), y=window.y + float(dy))
        self._window, self._box = face.crop_window.follow(window), box
        self._lost_frames, self._has_been_tracked = 0, True

    def _follow(self, image: LazyImage) -> tuple[Face | None, bool]:
        """The face near its last window, and whether it moved so far that it may be another person's."""
        window = self._window
        if window is None or self._lost_frames > 0:
            return None, False
        face = self._detector.in_window(image, window)
        if face is None:
            faces = self._detector.near(image, window, max_candidates=1)
            if not faces:
                return None, False
            face = faces[0]
        if window.distance(face.window) > MAX_WINDOW_OFFSET:
            face = self._detector.in_window(image, face.window) or face
        return face, window.distance(face.window) > JUMP_THRESHOLD

    def _search(self, image: LazyImage) -> Face | None:
        """Search the complete frame at intervals, and around the last position otherwise."""
        is_recent = self._lost_frames < RECENT_FRAMES
        if self._lost_frames % (SEARCH_INTERVAL if is_recent else 2 * SEARCH_INTERVAL):
            if self._window is None or not is_recent:
                return None
            return self._select(image, self._detector.near(image, self._window))
        size = None  # faces of any size now and then, of the last size otherwise
        any_size_is_due = self._lost_frames > 0 and self._lost_frames % (4 * SEARCH_INTERVAL) == 0
        if self._has_been_tracked and self._box is not None and not any_size_is_due:
            size = float(max(self._box[2:] - self._box[:2]))
        for faces in self._detector.levels(image, size):
            face = self._select(image, faces)
            if face is not None:
                return face
        return None

    def _select(self, image: LazyImage, faces: list[Face]) -> Face | None:
        """The person's face, if it is one of these."""
        if not faces:
            return None
        separations = [
            np.inf if self._box is None else box_separation(bounding_box(face.landmarks), self._box) for face in faces
        ]
        near = [faces[i] for i in np.argsort(separations) if separations[i] < 1]
        is_recent = self._has_been_tracked and self._box is not None and self._lost_frames < RECENT_FRAMES
        cosines = self._identity.cosines(image, faces)
        if cosines is not None:
            best = int(np.argmax(cosines))
            if cosines[best] >= SAME_PERSON_COSINE:
                return faces[best]
            plausible = [
                face
                for face, cosine in zip(faces, cosines, strict=True)
                if cosine >= MIN_IDENTITY_COSINE or face.is_turned_away
            ]
            return next((face for face in near if is_recent and any(face is other for other in plausible)), None)
        if (self._has_been_tracked and not is_recent) or (self._person is None and not self._has_been_tracked):
            return max(faces, key=lambda face: box_side(face.landmarks))
        if not near and self._lost_frames >= RECENT_FRAMES:
            return faces[int(np.argmin(separations))]
        return near[0] if near else None

    def _verify(self, image: LazyImage, face: Face, has_jumped: bool) -> tuple[Face | None, float]:
        """(face, cosine to the person or NaN); another face or None if this face is another person's."""
        cosine, is_mismatch = self._identity.verify(image, face, has_jumped)
        if not is_mismatch:
            return face, cosine
        return self._resolve_mismatch(image, face, cosine)

    def _resolve_mismatch(self, image: LazyImage, face: Face, cosine: float) -> tuple[Face | None, float]:
        """Search another face that matches the person better; keep this one only if its cosine allows it."""
        previous = self._window, self._box
        self._lost_frames, self._box = 0, None
        other = self._search(image)
        if other is not None and not boxes_overlap(bounding_box(other.landmarks), bounding_box(face.landmarks)):
            return other, np.nan
        if cosine >= MIN_IDENTITY_COSINE:
            self._window, self._box = previous
            return face, cosine
        self._window, self._lost_frames = None, 1
        return None, np.nan


def _is_same_place(face: Face | None, box: np.ndarray | None) -> bool:
    if face is None or box is None:
        return False
    return box_separation(bounding_box(face.landmarks), box) < SAME_PLACE_SEPARATION
