"""Verify that a tracked face is still the chosen person's, by identity embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from asccl.face.crop import arcface_crop
from asccl.face.people import SAME_PERSON_COSINE, Face, box_side
from asccl.types import LazyImage

EmbedFunction = Callable[[np.ndarray], np.ndarray]  # (N, 112, 112, 3) uint8 RGB -> (N, D), each of length 1

MIN_IDENTITY_COSINE = 0.35  # below it a face is another person's; up to `SAME_PERSON_COSINE` the position decides
CHECK_INTERVAL = 30  # frames
EARLY_CHECK_INTERVAL = 3  # frames, while the target embedding is not complete
TARGET_SAMPLES = 8  # checks that are averaged to a target embedding if none was given
MISMATCH_PATIENCE = 3  # checks in a row that must fail before the face counts as another person's
MIN_FACE_SIDE = 32.0  # pixels; embeddings of smaller faces are not reliable


class IdentityVerifier:
    """Compares faces with the chosen person.

    Args:
        embed: the identity of ArcFace crops; None accepts every face.
    """

    def __init__(self, embed: EmbedFunction | None):
        self._embed = embed
        self.start(None)

    def start(self, embedding: np.ndarray | None) -> None:
        """Begin a clip with the embedding of a person; None takes the embedding from the first faces."""
        self._target = embedding
        self._target_samples = 0 if embedding is None else TARGET_SAMPLES
        self._frames_since_check = 0
        self._mismatches = 0

    def embed(self, image: LazyImage, faces: Sequence[Face]) -> list[np.ndarray | None]:
        """Embed the faces of a frame; None for each without an embedding network."""
        if self._embed is None or not faces:
            return [None] * len(faces)
        return list(_embed_faces(self._embed, image, faces))

    def cosines(self, image: LazyImage, faces: Sequence[Face]) -> np.ndarray | None:
        """Cosines (N,) of faces to the person; None if the person's embedding is not known."""
        if self._embed is None or self._target is None:
            return None
        return _embed_faces(self._embed, image, faces) @ self._target

    def verify(self, image: LazyImage, face: Face, has_jumped: bool) -> tuple[float, bool]:
        """Verify a tracked face, if it is time to.

        Args:
            image: (H, W, 3).
            face: the tracked face.
            has_jumped: whether it moved so far that it may be another person's; it is verified at once.

        Returns:
            The cosine to the person, NaN if it was not determined, and whether the face is repeatedly a mismatch.
        """
        self._frames_since_check += 1
        interval = CHECK_INTERVAL if self._target_samples >= TARGET_SAMPLES else EARLY_CHECK_INTERVAL
        is_due = has_jumped or self._mismatches > 0 or self._frames_since_check >= interval
        if self._embed is None or not is_due or face.is_turned_away or box_side(face.landmarks) < MIN_FACE_SIDE:
            return np.nan, False
        self._frames_since_check = 0
        embedding = _embed_faces(self._embed, image, [face])[0]
        if self._target is None:
            self._target, self._target_samples = embedding, 1
            return 1.0, False
        cosine = float(embedding @ self._target)
        if cosine >= SAME_PERSON_COSINE:
            self._mismatches = 0
            self._add_sample(embedding)
            return cosine, False
        self._mismatches += 1
        if self._mismatches < MISMATCH_PATIENCE:
            return np.nan, False
        self._mismatches = 0
        return cosine, True

    def _add_sample(self, embedding: np.ndarray) -> None:
        """Update the mean of the target embedding while it is not complete."""
        if self._target is None or self._target_samples >= TARGET_SAMPLES:
            return
        total = self._target * self._target_samples + embedding
        self._target, self._target_samples = total / np.linalg.norm(total), self._target_samples + 1


def _embed_faces(embed: EmbedFunction, image: LazyImage, faces: Sequence[Face]) -> np.ndarray:
    return embed(np.stack([arcface_crop(image, face.landmarks) for face in faces]))
