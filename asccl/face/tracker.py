"""Follow one person's face through a clip, frame by frame, in constant memory.

    tracker = FaceMeshTracker(embed)
    people = tracker.find(sampled_frames, time_base)        # who is there; number 0 is the largest
    tracker.start(select_person(people, face, source))
    for frame in reader:
        seen = tracker.push(frame.pixels)                  # landmarks: keep them on disk; evidence: in a list
    presence = judge(evidence, frame_rate)                  # asccl.face.presence
    landmarks = smooth_landmarks(window, shot_window)       # asccl.face.smooth, window by window

Pixel (0, 0) has its centre at (0.0, 0.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from asccl.face.crop import arcface_crop
from asccl.face.detect import Detector
from asccl.face.facemesh import INPUT_SIZE, FaceMesh, Window
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
from asccl.face.pose import estimate_head_pose
from asccl.face.presence import CUT_THRESHOLD, MIN_FACE_SCORE, Evidence, OcclusionDetector, share_outside
from asccl.types import Frame, LazyImage

EmbedFunction = Callable[[np.ndarray], np.ndarray]  # (N, 112, 112, 3) uint8 RGB -> (N, D), each of length 1

CHECK = 30  # frames between two looks at the identity
MIN_IDENTITY_COSINE = (
    0.35  # cosine below which it is somebody else; from there to `people.SAME_PERSON_COSINE` the place decides
)
SEARCH = 5  # frames between two searches of the whole frame while the face is lost; twice as many after RECENT frames
ONWARD = 0.8  # share of the last movement that the next is expected to repeat
UNMOVED = 0.3  # boxes this close after a cut may well be the same face with something before it
JUMP_THRESHOLD = (
    0.35  # a window that moves by more than this share of its side within a frame deserves a look at the identity
)
SMALLEST_MESH = 16.0  # pixels of face side; less than this holds no face worth the name
MEMORY = 8  # looks that make up a target embedding that nobody handed in
RECENT = 30  # frames for which a lost face is expected near its last place
SETTLED = 0.12  # a window closer than this to the face's own, as a share of its side, needs no second look
MISMATCH_PATIENCE = 3  # looks in a row that must fail before the face counts as a stranger's
CLEAR = 32.0  # pixels of face side from which on an embedding means something
MISFIT = 0.2  # a rigid head further off than this is no head


class Observation(NamedTuple):
    """One frame's answer. landmarks: (478, 3) float32 pixels of the full frame, or None where no face was found."""

    landmarks: np.ndarray | None
    evidence: Evidence


class Tracker(Protocol):
    """Follows one person. Frames come in order, one at a time; nothing of them is kept. Not shared between threads."""

    def find_people(self, frames: Iterable[Frame], time_base: Fraction, all_people: bool = True) -> list[Person]: ...

    def start(self, person: Person | None = None) -> None: ...

    def track(self, image: LazyImage) -> Observation: ...

    def close(self) -> None: ...


class FaceMeshTracker:
    """`Tracker` by MediaPipe's BlazeFace and FaceMesh on one CPU.

    embed: the identity of ArcFace crops; without it place and size alone say who is who.
    """

    def __init__(self, embed: EmbedFunction | None = None) -> None:
        self._embed = embed
        self._mesh = FaceMesh()
        self._detector: Detector | None = None  # made when first needed
        self._cover = OcclusionDetector()
        self.start(None)

    def find_people(
        self, frames: Iterable[Frame], time_base: Fraction = Fraction(1), all_people: bool = True
    ) -> list[Person]:
        """Who is to be seen in some sampled frames; the largest, counted by typical size times share, comes first.

        time_base: seconds per unit of `Frame.pts`. all_people: also look for faces smaller than the largest ones, which
        takes about 0.1 s a frame at 720p; False when the largest is all you want. Empty where there is no face.
        """
        groups: list[PersonDetections] = []
        looked = 0
        for frame in frames:
            looked += 1
            faces: list[Face] = []
            for windows in self._detectors.levels(frame.image):
                self._verify(frame.image, windows, faces)
                if faces and not all_people:
                    break
            embeddings = list(self._identify(frame.image, faces)) if self._embed and faces else [None] * len(faces)
            assign_faces(float(frame.pts * time_base), frame.image, faces, embeddings, groups)
        return rank_people(groups, looked)

    def start(self, person: Person | None = None) -> None:
        """Begin a clip: follow this person; None follows the largest face of the first frame that has one."""
        self._person = person
        self._target = None if person is None else person.embedding
        self._known = 0 if self._target is None else MEMORY  # looks that the target embedding rests on
        self._window: Window | None = None
        self._box: np.ndarray | None = None  # where the face was last, or is to be expected
        if person is not None:
            self._box = np.array(person.detected.box)
        self._lost = 0  # frames since the face was last there; counts from the start, too
        self._met = False  # ever
        self._checked = 0  # frames since the identity was last looked at
        self._doubts = 0
        self._thumbs: list[np.ndarray] = []
        self._cover.reset()

    def track(self, image: LazyImage) -> Observation:
        """The next frame, (H, W, 3)."""
        change, back = self._changes(image)
        before = self._box
        if change > CUT_THRESHOLD:
            self._window, self._lost, self._box = None, 0, None
        face, leapt, jumped = None, False, False
        if self._window is not None and self._lost == 0:
            face, leapt = self._follow(image)
        if face is None:
            face = self._search(image)
            jumped = face is not None
        if change > CUT_THRESHOLD and not (
            face and before is not None and box_separation(bounding_box(face.landmarks), before) < UNMOVED
        ):
            self._cover.reset()
        if face is None:
            self._lost += 1
            return Observation(None, Evidence(change=change, back=back))
        likeness, stranger = np.nan, False
        if not jumped:
            kept, likeness = self._recognise(image, face, leapt)
            stranger = jumped = kept is not face
            face = kept
        if face is None:
            return Observation(None, Evidence(change=change, back=back, stranger=True))
        self._keep(face)
        box, pose = bounding_box(face.landmarks), face.pose
        return Observation(
            face.landmarks,
            Evidence(
                score=face.score,
                yaw=pose.yaw,
                pitch=pose.pitch,
                roll=pose.roll,
                x=float(box[0] + box[2]) / 2,
                y=float(box[1] + box[3]) / 2,
                size=float(max(box[2] - box[0], box[3] - box[1])),
                outside=share_outside(face.landmarks, *image.shape[:2]),
                covered=self._cover.update(face.crop, _in_crop(face), pose.yaw),
                likeness=likeness,
                change=change,
                back=back,
                jumped=jumped,
                stranger=stranger,
            ),
        )

    def close(self) -> None:
        self._mesh.close()
        if self._detector is not None:
            self._detector.close()

    def __enter__(self) -> FaceMeshTracker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def _detectors(self) -> Detector:
        if self._detector is None:
            self._detector = Detector()
        return self._detector

    def _keep(self, face: Face) -> None:
        """Remember where the face is, and where it will be if it moves on as it did."""
        box = bounding_box(face.landmarks)
        ahead = Window.around(face.landmarks)
        if self._box is not None and self._met and self._lost == 0 and box_separation(box, self._box) < JUMP_THRESHOLD:
            dx, dy = ONWARD * ((box[:2] + box[2:]) - (self._box[:2] + self._box[2:])) / 2
            ahead = replace(ahead, x=ahead.x + float(dx), y=ahead.y + float(dy))
        self._window, self._box = face.seen.follow(ahead), box
        self._lost, self._met = 0, True

    def _follow(self, image: LazyImage) -> tuple[Face | None, bool]:
        """The face near its last window, and whether it moved so far that it may be another one's."""
        assert self._window is not None
        before = self._window
        face = self._look(image, before)
        if face is None:
            for window in self._detectors.near(image, before)[:1]:
                face = self._settled(image, window)
        if face is None:
            return None, False
        moved = before.distance(face.window)
        if moved > SETTLED:  # seen askew: look again from where it is
            face = self._look(image, face.window) or face
        return face, before.distance(face.window) > JUMP_THRESHOLD

    def _look(self, image: LazyImage, window: Window) -> Face | None:
        """The face in this very window; its own window is the one to look at next."""
        landmarks, score, crop = self._mesh.detect(image, window)
        if landmarks is None or score < MIN_FACE_SCORE or box_side(landmarks) < SMALLEST_MESH:
            return None
        pose = estimate_head_pose(landmarks)
        if pose.misfit > MISFIT:
            return None
        return Face(landmarks, score, Window.around(landmarks), crop, window, pose)

    def _settled(self, image: LazyImage, window: Window) -> Face | None:
        """The face in a detector's window, looked at until its own window fits."""
        face = None
        for _ in range(3):
            face = self._look(image, window)
            if face is None:
                return None
            window = Window.around(face.landmarks)
        return face

    def _verify(self, image: LazyImage, windows: Iterable[Window], faces: list[Face]) -> None:
        """Add the windows' faces to those that are known, each once."""
        for window in windows:
            face = self._settled(image, window)
            if face is not None and not any(
                boxes_overlap(bounding_box(face.landmarks), bounding_box(f.landmarks)) for f in faces
            ):
                faces.append(face)

    def _search(self, image: LazyImage) -> Face | None:
        """Look for the person; in the whole frame now and then, else near the last place. None where they are not."""
        faces: list[Face] = []
        if self._lost % (SEARCH if self._lost < RECENT else 2 * SEARCH):
            if self._window is None or self._lost >= RECENT:
                return None
            self._verify(image, self._detectors.near(image, self._window), faces)
            return self._pick(image, faces)
        size = None  # now and then of any size, else of the last one
        if self._met and self._box is not None and (self._lost == 0 or self._lost % (4 * SEARCH)):
            size = float(max(self._box[2:] - self._box[:2]))
        for windows in self._detectors.levels(image, size):
            self._verify(image, windows, faces)
            chosen = self._pick(image, faces)
            if chosen is not None:
                return chosen
        return None

    def _pick(self, image: LazyImage, faces: list[Face]) -> Face | None:
        """Which of these faces is the person, if any."""
        if not faces:
            return None
        largest = max(faces, key=lambda f: box_side(f.landmarks))
        far = [np.inf if self._box is None else box_separation(bounding_box(f.landmarks), self._box) for f in faces]
        near = [faces[i] for i in np.argsort(far) if far[i] < 1]
        fresh = self._met and self._box is not None and self._lost < RECENT
        if self._embed is not None and self._target is not None:
            likeness = self._identify(image, faces) @ self._target
            best = int(np.argmax(likeness))
            if likeness[best] >= SAME_PERSON_COSINE:
                return faces[best]
            plausible = [f for f, like in zip(faces, likeness, strict=True) if like >= MIN_IDENTITY_COSINE or f.turned]
            return next((f for f in near if fresh and any(f is p for p in plausible)), None)
        if (self._met and not fresh) or (self._person is None and not self._met):
            return largest
        if not near and self._lost >= RECENT:
            return faces[int(np.argmin(far))]
        return near[0] if near else None

    def _recognise(self, image: LazyImage, face: Face, leapt: bool) -> tuple[Face | None, float]:
        """Now and then, make sure that the face is still the person's: (face, likeness or NaN);
        the face is another one, or None, where it is a stranger's."""
        self._checked += 1
        due = leapt or self._doubts > 0 or self._checked >= (CHECK if self._known >= MEMORY else 3)
        if self._embed is None or not due or face.turned or box_side(face.landmarks) < CLEAR:
            return face, np.nan
        self._checked = 0
        embedding = self._identify(image, [face])[0]
        if self._target is None:
            self._target, self._known = embedding, 1
            return face, 1.0
        likeness = float(embedding @ self._target)
        if likeness >= SAME_PERSON_COSINE:
            self._doubts = 0
            if self._known < MEMORY:
                total = self._target * self._known + embedding
                self._target, self._known = total / np.linalg.norm(total), self._known + 1
            return face, likeness
        self._doubts += 1
        if self._doubts < MISMATCH_PATIENCE:
            return face, np.nan
        self._doubts = 0
        return self._settle_doubt(image, face, likeness)

    def _settle_doubt(self, image: LazyImage, face: Face, likeness: float) -> tuple[Face | None, float]:
        """The face does not look like the person: is somebody else here more like them, or are they gone?"""
        kept = self._window, self._box
        self._lost, self._box = 0, None
        other = self._search(image)
        if other is not None and not boxes_overlap(bounding_box(other.landmarks), bounding_box(face.landmarks)):
            return other, np.nan
        if likeness >= MIN_IDENTITY_COSINE:
            self._window, self._box = kept
            return face, likeness
        self._window, self._lost = None, 1
        return None, np.nan

    def _identify(self, image: LazyImage, faces: Sequence[Face]) -> np.ndarray:
        assert self._embed is not None
        return self._embed(np.stack([arcface_crop(image, f.landmarks) for f in faces]))

    def _changes(self, image: LazyImage) -> tuple[float, float]:
        """How different the frame is from the one before, and from the one before that."""
        thumb = _thumb(image)
        around = _surroundings(self._box if self._lost == 0 else None, *image.shape[:2])
        rest = thumb[around]
        contrasts = _contrast(thumb), _contrast(rest)
        changes = []
        for before in reversed(self._thumbs):
            there = before[around]
            changes.append(min(_difference(thumb, before, contrasts[0]), _difference(rest, there, contrasts[1])))
        self._thumbs = [*self._thumbs[-1:], thumb]
        return (*changes, 0.0, 0.0)[:2]  # type: ignore[return-value]


def _in_crop(face: Face) -> np.ndarray:
    """(478, 2) landmarks in pixels of the crop that they were seen in."""
    c, s = np.cos(face.seen.angle), np.sin(face.seen.angle)
    off = face.landmarks[:, :2] - (face.seen.x, face.seen.y)
    return off @ np.array([[c, -s], [s, c]]) * (INPUT_SIZE / face.seen.side) + (INPUT_SIZE - 1) / 2


def _thumb(image: LazyImage) -> np.ndarray:
    """(18, 32, 3) float32, of mean 1, so that a change of light leaves it as it is."""
    height, width = image.shape[:2]
    sparse = image[:: max(height // 72, 1), :: max(width // 128, 1)]
    small = cv2.resize(sparse, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32) + 4
    return small / small.mean()


def _surroundings(box: np.ndarray | None, height: int, width: int) -> np.ndarray:
    """(18, 32) bool: where a thumbnail does not show the head, which may move or be covered without a cut."""
    around = np.ones((18, 32), bool)
    if box is not None:
        grow = 0.3 * (box[2:] - box[:2])
        low = np.maximum(np.floor((box[:2] - grow) / (width, height) * (32, 18)), 0).astype(int)
        high = np.maximum(np.ceil((box[2:] + grow) / (width, height) * (32, 18)), 0).astype(int)
        around[low[1] : high[1], low[0] : high[0]] = False
    return around if around.mean() > 0.1 else np.ones((18, 32), bool)


def _difference(a: np.ndarray, b: np.ndarray, contrast: float) -> float:
    """(..., 3) each, the contrast of a -> mean absolute difference over the contrast of the two: 0 the same, about 1
    unrelated."""
    return float(np.abs(a - b).mean()) / max((contrast + _contrast(b)) / 2, 0.05)


def _contrast(a: np.ndarray) -> float:
    return float(np.abs(a - a.reshape(-1, 3).mean(0)).mean())
