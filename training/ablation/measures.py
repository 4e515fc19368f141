"""What is measured of an edit whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asccl.evaluation.edit_metrics import lip_distance
from asccl.evaluation.metrics import expression_similarity, frechet_distance, lip_correlation
from asccl.face import mesh
from asccl.face.crop import arcface_crop, expression_crop
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.anny_head import AnnyHead
from asccl.synthetic.speech import lip_opening
from asccl.zoo import load_embedder, load_expression_net

MOVES = 0.02  # cm: deviation of an opening of the lips below which its correlation says nothing
SEEN_MOVES = 0.01  # likewise in eye distances, as read from a picture


@dataclass(frozen=True)
class FrameFeatures:
    """N pictures as the networks see them. identity: (N, 192) unit vectors. expression: (N, 256). marks: (N, 468, 2)
    pixels as FaceMesh finds them, not a number where it finds none."""

    identity: np.ndarray
    expression: np.ndarray
    marks: np.ndarray


class FeatureExtractor:
    """The bundled networks and FaceMesh, for pictures whose true landmarks are known. Call `close()`."""

    def __init__(self) -> None:
        self._mesh, self._embed, self._express = FaceMesh(), load_embedder().embed, load_expression_net().predict

    def close(self) -> None:
        self._mesh.close()

    def look(self, pictures: np.ndarray, places: np.ndarray) -> FrameFeatures:
        """pictures: (N, S, S, 3) uint8 RGB. places: (N, 468, 2) where the face should be, to crop by."""
        window = Window.around(places.mean(0))
        marks = []
        for picture in pictures:
            found, _, _ = self._mesh.detect(picture, window)
            marks.append(
                np.full((mesh.NUM_FACE_LANDMARKS, 2), np.nan) if found is None else found[: mesh.NUM_FACE_LANDMARKS, :2]
            )
        faces = np.stack([arcface_crop(x, p) for x, p in zip(pictures, places, strict=True)])
        whole = np.stack([expression_crop(x, p) for x, p in zip(pictures, places, strict=True)])
        return FrameFeatures(self._embed(faces), self._express(whole)[1], np.stack(marks))


def coefficient_metrics(made: Sequence[np.ndarray], truth: Sequence[np.ndarray], head: AnnyHead) -> dict[str, float]:
    """Of the manipulator alone: "mouth_3dmm", correlation of the lips' opening with the truth's; "lips_3dmm", mean
    distance of the lips' points in percent of the eye distance; "error", of the coefficients. made, truth: (T, 52) of
    each case."""
    scale = 100 / mesh.eye_distance(head.neutral)
    lips = head.expression[:, list(mesh.LIPS), :2]
    rows = [
        (
            lip_correlation(lip_opening(a, head), lip_opening(b, head), MOVES),
            scale * np.linalg.norm(np.tensordot(a - b, lips, 1), axis=-1).mean(),
            np.abs(a - b).mean(),
        )
        for a, b in zip(made, truth, strict=True)
    ]
    return dict(zip(("mouth_3dmm", "lips_3dmm", "error"), map(float, np.nanmean(rows, 0)), strict=True))


def image_metrics(made: Sequence[FrameFeatures], truth: Sequence[FrameFeatures], references: Sequence[FrameFeatures], emotions: Sequence[int]) \
        -> dict[str, float]:  # fmt: skip
    """Of the whole edit: "fad", Frechet distance of identity features, of all cases of an emotion together, then the
    mean over emotions; "csim", likeness of expression features to the reference; "mouth" and "lips" as
    of coefficients, both as FaceMesh reads them."""
    fad = []
    for emotion in sorted(set(emotions)):
        mine = [k for k, e in enumerate(emotions) if e == emotion]
        a, b = (np.concatenate([side[k].identity for k in mine]) for side in (made, truth))
        fad.append(frechet_distance(a, b))
    gaps = [(mesh.lip_gap(a.marks), mesh.lip_gap(b.marks)) for a, b in zip(made, truth, strict=True)]
    lips = [
        np.nanmean([lip_distance(y, x) for x, y in zip(a.marks, b.marks, strict=True)])
        for a, b in zip(made, truth, strict=True)
    ]
    return {
        "fad": float(np.mean(fad)),
        "csim": float(
            np.mean([expression_similarity(a.expression, r.expression) for a, r in zip(made, references, strict=True)])
        ),
        "mouth": float(np.nanmean([lip_correlation(a, b, SEEN_MOVES) for a, b in gaps])),
        "lips": float(np.mean(lips)),
    }
