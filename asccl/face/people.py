"""Group the faces of sampled frames into people who can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from asccl.errors import NoFaceError
from asccl.face.crop import quarter_turns
from asccl.face.facemesh import INPUT_SIZE, Window, cut_window
from asccl.face.pose import Pose
from asccl.types import DetectedFace, Image, LazyImage

SAME_PERSON_COSINE = 0.5  # minimum cosine to a person's mean embedding at which a face is certainly theirs
THUMBNAIL_SIZE = 96  # pixels
MAX_IDENTITY_YAW = 35  # degrees; identity is not recognizable on faces that are turned further
MAX_IDENTITY_PITCH = 30  # degrees


@dataclass(frozen=True)
class Person:
    """A person who can be tracked.

    Attributes:
        detected: what is shown to choose from.
        embedding: mean identity embedding of length 1; None without an embedding network.
    """

    detected: DetectedFace
    embedding: np.ndarray | None = None


def select_person(people: Sequence[Person], face: int | None, source: str) -> Person:
    """Select the person to track.

    Args:
        people: the result of `rank_people`.
        face: index of the person; None selects the largest.
        source: name of the input, for the error.

    Raises:
        NoFaceError: there is no such person.
    """
    if not people:
        raise NoFaceError(
            f"no face was found in {source}",
            "give an image or video with a face of 40 pixels or more, not turned away",
        )
    number = face or 0
    if number >= len(people):
        count = "1 face was" if len(people) == 1 else f"{len(people)} faces were"
        numbers = "0" if len(people) == 1 else f"a number from 0 to {len(people) - 1}"
        raise NoFaceError(f"face {number} was asked for, but {count} found in {source}", f"give {numbers}")
    return people[number]


@dataclass(frozen=True)
class Face:
    """A face in one frame.

    Attributes:
        landmarks: (478, 3) pixels of the frame.
        score: confidence of the landmark network.
        window: fits the landmarks.
        crop: input of the landmark network.
        crop_window: the window that the crop was cut from.
        pose: of the head.
    """

    landmarks: np.ndarray
    score: float
    window: Window
    crop: Image
    crop_window: Window
    pose: Pose

    @property
    def is_turned_away(self) -> bool:
        """Whether the head is turned too far for its identity to be recognized."""
        return abs(self.pose.yaw) > MAX_IDENTITY_YAW or abs(self.pose.pitch) > MAX_IDENTITY_PITCH

    @property
    def crop_landmarks(self) -> np.ndarray:
        """(478, 2) landmarks in pixels of the crop."""
        window = self.crop_window
        c, s = np.cos(window.angle), np.sin(window.angle)
        offset = self.landmarks[:, :2] - (window.x, window.y)
        return offset @ np.array([[c, -s], [s, c]]) * (INPUT_SIZE / window.side) + (INPUT_SIZE - 1) / 2


@dataclass
class PersonDetections:
    """Detections of one person in the sampled frames.

    Attributes:
        times: seconds.
        boxes: (4,) pixels each.
        angles: of the eyes, radians, clockwise on screen.
        embeddings: of length 1 each.
        portrait: the best thumbnail so far.
        portrait_quality: of that thumbnail.
    """

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    angles: list[float] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)
    portrait: Image = field(default_factory=lambda: np.zeros((THUMBNAIL_SIZE, THUMBNAIL_SIZE, 3), np.uint8))
    portrait_quality: float = -1.0

    def add(self, time: float, face: Face, image: LazyImage, embedding: np.ndarray | None) -> None:
        """Add a face of this person.

        Args:
            time: of the frame, in seconds.
            face: the face.
            image: the frame.
            embedding: of the face, if there is an embedding network.
        """
        quality = face.score * box_side(face.landmarks) / (1 + (face.pose.yaw**2 + face.pose.pitch**2) / 400)
        self.times.append(time)
        self.boxes.append(bounding_box(face.landmarks))
        self.angles.append(face.window.angle)
        if embedding is not None:
            self.embeddings.append(embedding)
        if quality > self.portrait_quality:
            turn = quarter_turns(face.landmarks) * np.pi / 2
            upright = Window(face.window.x, face.window.y, face.window.side, turn)
            self.portrait_quality, self.portrait = quality, cut_window(image, upright, THUMBNAIL_SIZE)[0]

    @property
    def size(self) -> float:
        """Median of the larger sides of the boxes, in pixels."""
        return float(np.median([max(b[2] - b[0], b[3] - b[1]) for b in self.boxes]))

    def affinity(self, face: Face, embedding: np.ndarray | None) -> float:
        """How well a face matches, by identity or by position and size; above 0 it may be the same person."""
        mean = _mean_embedding(self.embeddings)
        if mean is not None and embedding is not None:
            return float(mean @ embedding) - SAME_PERSON_COSINE
        return 1.0 - box_separation(bounding_box(face.landmarks), self.boxes[-1])


def assign_faces(
    time: float,
    image: LazyImage,
    faces: Sequence[Face],
    embeddings: Sequence[np.ndarray | None],
    groups: list[PersonDetections],
) -> None:
    """Assign each face of a frame to the person it matches best, at most one face each; the rest are new people.

    Args:
        time: of the frame, in seconds.
        image: the frame.
        faces: of the frame.
        embeddings: of the faces; None without an embedding network.
        groups: the people so far; they are updated in place.
    """
    affinities = [
        (group.affinity(face, embedding), i, j)
        for i, (face, embedding) in enumerate(zip(faces, embeddings, strict=True))
        for j, group in enumerate(groups)
    ]
    group_of_face: dict[int, int] = {}
    for affinity, i, j in sorted(affinities, reverse=True):
        if affinity > 0 and i not in group_of_face and j not in group_of_face.values():
            group_of_face[i] = j
    for i, (face, embedding) in enumerate(zip(faces, embeddings, strict=True)):
        if i not in group_of_face:
            groups.append(PersonDetections())
        groups[group_of_face.get(i, len(groups) - 1)].add(time, face, image, embedding)


def rank_people(groups: Sequence[PersonDetections], frame_count: int) -> list[Person]:
    """Number the people of `frame_count` sampled frames by median size times number of detections, largest first."""
    people = []
    for number, group in enumerate(sorted(groups, key=lambda g: -g.size * len(g.times))):
        x0, y0, x1, y1 = map(float, group.boxes[0])
        share = len(group.times) / frame_count
        face = DetectedFace(number, group.portrait, group.times[0], share, (x0, y0, x1, y1), group.angles[0])
        people.append(Person(face, _mean_embedding(group.embeddings)))
    return people


def box_side(landmarks: np.ndarray) -> float:
    """The larger side of the bounding box of landmarks (468+, 2+)."""
    return float(np.ptp(landmarks[:, :2], axis=0).max())


def bounding_box(landmarks: np.ndarray) -> np.ndarray:
    """The bounding box (x0, y0, x1, y1) of landmarks (468+, 2+)."""
    return np.concatenate([landmarks[:, :2].min(0), landmarks[:, :2].max(0)]).astype(np.float64)


def box_separation(a: np.ndarray, b: np.ndarray) -> float:
    """The larger of centre distance over mean size and twice the log size ratio; above 1 boxes are unrelated."""
    size_a, size_b = (max(float(max(box[2:] - box[:2])), 1e-6) for box in (a, b))
    centre = np.hypot(*((a[:2] + a[2:]) - (b[:2] + b[2:]))) / (size_a + size_b)
    return float(max(centre, abs(np.log(size_a / size_b)) * 2))


def boxes_overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the centre of the smaller box lies in the larger one; the boxes of two heads do not overlap that much."""
    small, large = sorted((a, b), key=lambda box: float(np.prod(box[2:] - box[:2])))
    centre = (small[:2] + small[2:]) / 2
    return bool(np.all(centre > large[:2]) and np.all(centre < large[2:]))


def _mean_embedding(embeddings: Sequence[np.ndarray]) -> np.ndarray | None:
    if not embeddings:
        return None
    total = np.sum(embeddings, axis=0)
    return total / max(float(np.linalg.norm(total)), 1e-9)
