"""Who is in a clip: faces of sampled frames, sorted into people that can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from asccl.errors import NoFaceError
from asccl.face.facemesh import Window, cut_window
from asccl.face.pose import Pose
from asccl.types import DetectedFace, Image, LazyImage

SAME_PERSON_COSINE = 0.5  # cosine to a person's mean embedding from which on it is the person
THUMBNAIL_SIZE = 96


@dataclass(frozen=True)
class Person:
    """Somebody who can be followed: what the picker shows, and how to know them again (None without an embedder)."""

    detected: DetectedFace
    embedding: np.ndarray | None = None


def select_person(people: Sequence[Person], face: int | None, source: str) -> Person:
    """The person that was asked for; None takes the largest. source: name of the input, for the error.

    Raises NoFaceError where nobody was found, or fewer than asked for.
    """
    if not people:
        raise NoFaceError(
            f"no face was found in {source}",
            "give a picture or video with a face of 40 pixels or more, not turned away",
        )
    number = face or 0
    if number >= len(people):
        count = "1 face was" if len(people) == 1 else f"{len(people)} faces were"
        numbers = "0" if len(people) == 1 else f"a number from 0 to {len(people) - 1}"
        raise NoFaceError(f"face {number} was asked for, but {count} found in {source}", f"give {numbers}")
    return people[number]


@dataclass(frozen=True)
class Face:
    """A face in one frame."""

    landmarks: np.ndarray
    score: float
    window: Window  # that fits it
    crop: Image
    seen: Window  # that the crop was cut from
    pose: Pose

    @property
    def turned(self) -> bool:
        """Too far for its identity to be read."""
        return abs(self.pose.yaw) > 35 or abs(self.pose.pitch) > 30


@dataclass
class PersonDetections:
    """What the sampled frames show of one person."""

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)
    portrait: Image = field(default_factory=lambda: np.zeros((THUMBNAIL_SIZE, THUMBNAIL_SIZE, 3), np.uint8))
    worth: float = -1.0  # of the portrait

    def add(self, time: float, face: Face, image: LazyImage, embedding: np.ndarray | None) -> None:
        worth = face.score * box_side(face.landmarks) / (1 + (face.pose.yaw**2 + face.pose.pitch**2) / 400)
        self.times.append(time)
        self.boxes.append(bounding_box(face.landmarks))
        if embedding is not None:
            self.embeddings.append(embedding)
        if worth > self.worth:
            upright = Window(face.window.x, face.window.y, face.window.side)
            self.worth, self.portrait = worth, cut_window(image, upright, THUMBNAIL_SIZE)[0]

    @property
    def size(self) -> float:
        return float(np.median([max(b[2] - b[0], b[3] - b[1]) for b in self.boxes]))

    def affinity(self, face: Face, embedding: np.ndarray | None) -> float:
        """How well a face fits; above 0 it may be the same person. By identity where known, else by place and size."""
        mean = _mean(self.embeddings)
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
    """Give each face of a frame to the person it fits best, at most one each; the rest are new people."""
    fits = [
        (group.affinity(face, embedding), i, j)
        for i, (face, embedding) in enumerate(zip(faces, embeddings, strict=True))
        for j, group in enumerate(groups)
    ]
    given: dict[int, int] = {}
    for fit, i, j in sorted(fits, reverse=True):
        if fit > 0 and i not in given and j not in given.values():
            given[i] = j
    for i, (face, embedding) in enumerate(zip(faces, embeddings, strict=True)):
        if i not in given:
            groups.append(PersonDetections())
        groups[given.get(i, len(groups) - 1)].add(time, face, image, embedding)


def rank_people(groups: Sequence[PersonDetections], looked: int) -> list[Person]:
    """Numbered; the largest by typical size times share first. looked: frames that were looked at."""
    ranked = sorted(groups, key=lambda g: -g.size * len(g.times))
    return [
        Person(
            DetectedFace(
                number=number,
                thumbnail=group.portrait,
                time=group.times[0],
                share=len(group.times) / looked,
                box=tuple(float(v) for v in group.boxes[0]),  # type: ignore[arg-type]
            ),
            _mean(group.embeddings),
        )
        for number, group in enumerate(ranked)
    ]


def box_side(landmarks: np.ndarray) -> float:
    """(468+, 2+) -> larger side of the face's box."""
    return float(np.ptp(landmarks[:, :2], axis=0).max())


def bounding_box(landmarks: np.ndarray) -> np.ndarray:
    return np.concatenate([landmarks[:, :2].min(0), landmarks[:, :2].max(0)]).astype(np.float64)


def box_separation(a: np.ndarray, b: np.ndarray) -> float:
    """Distance of two boxes' centres over the mean size, or twice the log size ratio: 0 same, above 1 unrelated."""
    size_a, size_b = (max(float(max(box[2:] - box[:2])), 1e-6) for box in (a, b))
    centre = np.hypot(*((a[:2] + a[2:]) - (b[:2] + b[2:]))) / (size_a + size_b)
    return float(max(centre, abs(np.log(size_a / size_b)) * 2))


def boxes_overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the centre of the smaller box lies in the larger one: heads do not overlap that much."""
    small, large = sorted((a, b), key=lambda box: float(np.prod(box[2:] - box[:2])))
    centre = (small[:2] + small[2:]) / 2
    return bool(np.all(centre > large[:2]) and np.all(centre < large[2:]))


def _mean(embeddings: Sequence[np.ndarray]) -> np.ndarray | None:
    if not embeddings:
        return None
    total = np.sum(embeddings, axis=0)
    return total / max(float(np.linalg.norm(total)), 1e-9)
