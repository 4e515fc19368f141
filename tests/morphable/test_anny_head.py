"""The bundled head moves as a face does, and its loader refuses other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from asccl import hub
from asccl.errors import WeightsError
from asccl.face import mesh
from asccl.morphable.anny_head import TENSOR_LAYOUT, WEIGHTS_FILE, AnnyHead, load_anny_head

ARKIT = """
eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft eyeBlinkRight
eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawLeft jawRight
jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft
mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper
mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight
mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut
""".split()  # noqa: SIM905 (a list of 52 lines)
LIDS = {"Right": ((159, 145), (158, 153), (160, 144)), "Left": ((386, 374), (385, 380), (387, 373))}


@pytest.fixture(scope="module")
def head() -> AnnyHead:
    return load_anny_head()


def units(head: AnnyHead, **values: float) -> np.ndarray:
    coefficients = np.zeros(52)
    for name, value in values.items():
        coefficients[head.index[name]] = value
    return coefficients


def gap(landmarks: np.ndarray) -> np.ndarray:
    """cm, downwards, at the three middle pairs of inner lip points."""
    upper, lower = np.array(mesh.LIP_GAP_PAIRS).T
    return landmarks[lower, 1] - landmarks[upper, 1]


def test_units_are_those_of_arkit(head):
    assert sorted(head.names) == sorted(ARKIT)
    assert [head.names[head.index[name]] for name in ARKIT] == ARKIT


def test_shapes_and_types(head):
    k, v = head.vertex_identity.shape[:2]
    assert k >= 40
    assert head.identity.shape == (k, 468, 3)
    assert head.neutral.shape == (468, 3)
    assert head.expression.shape == (52, 468, 3)
    assert head.vertices.shape == (v, 3)
    assert head.vertex_expression.shape == (52, v, 3)
    assert head.region.shape == (v,)
    for array in (head.neutral, head.identity, head.expression, head.vertices, head.vertex_identity):
        assert array.dtype == np.float32
    assert head.mesh.dtype == head.triangles.dtype == head.mirror.dtype == np.int32
    np.testing.assert_allclose(head.landmark_barycentric.sum(1), 1, atol=2e-3)


def test_axes_and_size(head):
    """x to the image's right, y down, z away, cm."""
    nose, chin, brow = head.neutral[mesh.NOSE_TIP], head.neutral[152], head.neutral[10]
    assert nose[2] < head.neutral[[33, 263, 152, 10], 2].min()
    assert brow[1] < nose[1] < chin[1]
    assert head.neutral[33, 0] < 0 < head.neutral[263, 0]  # the person's right eye is on the image's left
    assert 8.4 < np.linalg.norm(head.neutral[33] - head.neutral[263]) < 9.8
    assert np.abs(head.neutral).max() < 15


def test_closed_lips_touch_and_the_jaw_parts_them(head):
    inner = np.array([mesh.UPPER_INNER_LIP, mesh.LOWER_INNER_LIP])
    np.testing.assert_array_equal(head.neutral[inner[0]], head.neutral[inner[1]])
    np.testing.assert_array_equal(head.identity[:, inner[0]], head.identity[:, inner[1]])
    opened = head.landmarks(units(head, jawOpen=1.0))
    assert (gap(opened) > 2.0).all()
    assert (gap(opened) < 4.5).all()
    assert opened[152, 1] - head.neutral[152, 1] > 1.5
    half = head.landmarks(units(head, jawOpen=0.5))
    pairs = half[inner[1], 1] - half[inner[0], 1]
    assert (pairs > 0).all()
    assert pairs[4] >= pairs[0]
    assert pairs[4] >= pairs[-1]  # widest in the middle


def test_inner_lips_move_as_the_rim_of_the_mesh(head):
    on_mesh = head.landmarks_on(head.vertices)
    distance = np.linalg.norm(on_mesh[list(mesh.UPPER_INNER_LIP)] - on_mesh[list(mesh.LOWER_INNER_LIP)], axis=1)
    assert distance.max() < 0.6
    for unit, sign, points in (("mouthUpperUp", -1, (82, 312)), ("mouthLowerDown", 1, (87, 317))):
        both = head.expression[head.index[unit + "Right"]] + head.expression[head.index[unit + "Left"]]
        assert (sign * both[list(points), 1] > 0.25).all(), unit


def test_mouth_close_closes_an_open_jaw(head):
    closed = head.landmarks(units(head, jawOpen=1.0, mouthClose=1.0))
    np.testing.assert_allclose(closed[list(mesh.UPPER_INNER_LIP)], closed[list(mesh.LOWER_INNER_LIP)], atol=1e-3)
    assert closed[152, 1] - head.neutral[152, 1] > 1.5  # and the jaw stays open


@pytest.mark.parametrize("side", ["Right", "Left"])
def test_a_blink_closes_that_eye_alone(head, side):
    other = "Left" if side == "Right" else "Right"
    blink = head.landmarks(units(head, **{f"eyeBlink{side}": 1.0}))
    for upper, lower in LIDS[side]:
        assert head.neutral[lower, 1] - head.neutral[upper, 1] > 0.6
        assert abs(blink[lower, 1] - blink[upper, 1]) < 1e-3
    for upper, lower in LIDS[other]:
        np.testing.assert_allclose(blink[[upper, lower]], head.neutral[[upper, lower]], atol=0.02)


def test_units_move_what_they_name(head):
    def displacement(name: str, point: int) -> np.ndarray:
        return head.expression[head.index[name], point]

    assert displacement("mouthSmileRight", 61)[0] < -0.3  # out
    assert displacement("mouthSmileRight", 61)[1] < -0.3  # up
    assert displacement("mouthFrownLeft", 291)[1] > 0.2
    assert displacement("browInnerUp", 55)[1] < -0.2
    assert displacement("browInnerUp", 107)[1] < -0.2  # the other row of the brow
    assert displacement("browDownLeft", 282)[1] > 0.2
    assert displacement("browDownLeft", 334)[1] > 0.2
    assert displacement("eyeSquintRight", 145)[1] < -0.1
    assert displacement("eyeWideRight", 159)[1] < -0.1
    assert displacement("mouthPucker", 61)[0] > 0.1
    assert displacement("mouthPucker", 0)[2] < -0.1
    assert displacement("jawLeft", 152)[0] > 0.3  # to the left of the person


def test_left_is_the_mirror_image_of_right(head):
    flip = np.array([-1, 1, 1], np.float32)
    assert (head.mirror[head.mirror] == np.arange(468)).all()
    assert head.mirror[33] == 263
    assert head.mirror[61] == 291
    assert head.mirror[159] == 386
    midline = [
        *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164),
        *(0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175),
    ]
    np.testing.assert_array_equal(head.mirror[midline], midline)
    np.testing.assert_array_equal(head.neutral[head.mirror] * flip, head.neutral)
    np.testing.assert_allclose(head.expression[head.mirror_units][:, head.mirror] * flip, head.expression, atol=1e-6)
    assert head.names[head.mirror_units[head.index["mouthLeft"]]] == "mouthRight"
    assert head.mirror_units[head.index["jawOpen"]] == head.index["jawOpen"]


def test_the_landmark_mesh_faces_the_camera_and_leaves_the_mouth_open(head):
    a, b, c = head.neutral[head.mesh].transpose(1, 0, 2)
    assert (np.cross(b - a, c - a)[:, 2] < 0).mean() > 0.97
    for loop in (mesh.INNER_LIPS, mesh.RIGHT_EYE, mesh.LEFT_EYE):
        assert not np.isin(head.mesh, loop).all(1).any()
    assert set(np.unique(head.mesh)) == set(range(468))


def test_people_differ_by_millimetres(head):
    size = np.linalg.norm(head.vertex_identity.reshape(len(head.identity), -1), axis=1)
    assert size[:8].min() > 3 * size[-8:].max()  # the first matter most
    people = head.landmarks(np.zeros(52), np.random.default_rng(0).normal(size=len(head.identity)))
    assert 0.05 < np.linalg.norm(people - head.neutral, axis=1).mean() < 1.5


BUNDLED_FILE = Path(__file__).parents[2] / "checkpoints" / WEIGHTS_FILE


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return load_file(BUNDLED_FILE)


def test_a_missing_file_names_itself_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(hub, "BUNDLED_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=r"head-anny\.safetensors is not in .*bake_head"):
        load_anny_head()
    with pytest.raises(WeightsError, match=r"other\.safetensors is missing.*bake_head"):
        load_anny_head(tmp_path / "other.safetensors")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / WEIGHTS_FILE
    data = BUNDLED_FILE.read_bytes()
    for length in (0, 5, 1000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError, match="damaged"):
            load_anny_head(path)


def read_metadata() -> dict[str, str]:
    with safe_open(BUNDLED_FILE, framework="np") as file:
        return dict(file.metadata())


def test_a_file_without_a_recipe_is_refused(tmp_path, tensors):
    save_file(tensors, tmp_path / WEIGHTS_FILE, {})
    with pytest.raises(WeightsError, match="not a head of recipe"):
        load_anny_head(tmp_path / WEIGHTS_FILE)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mirror", lambda values: None, "missing or unknown tensors: mirror"),
        ("landmark_identity", lambda values: values[:-1].copy(), "tensor landmark_identity is"),
        ("region", lambda values: values.astype(np.float32), "tensor region is"),
        ("landmark_neutral", lambda values: np.full_like(values, np.nan), "not finite"),
        ("landmark_mesh", lambda values: values + 1, "indices outside the mesh"),
    ],
)
def test_a_changed_tensor_is_refused(tmp_path, tensors, name, change, message):
    changed = {key: change(value) if key == name else value for key, value in tensors.items()}
    path = tmp_path / WEIGHTS_FILE
    save_file({key: value for key, value in changed.items() if value is not None}, path, read_metadata())
    with pytest.raises(WeightsError, match=message):
        load_anny_head(path)


def test_an_unknown_tensor_is_refused(tmp_path, tensors):
    path = tmp_path / WEIGHTS_FILE
    save_file(tensors | {"more": tensors["mirror"]}, path, read_metadata())
    with pytest.raises(WeightsError, match="missing or unknown tensors: more"):
        load_anny_head(path)


def test_the_layout_lists_what_the_file_holds(tensors):
    assert set(tensors) == set(TENSOR_LAYOUT)
