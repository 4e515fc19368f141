"""The bundled head: does it do what a face does, and does its loader refuse what is not it?"""

from __future__ import annotations

from pathlib import Path

import mediapipe as mp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from asccl import hub
from asccl.errors import WeightsError
from asccl.face import mesh
from asccl.morphable.anny_head import TENSOR_LAYOUT, WEIGHTS_FILE, AnnyHead, load_anny_head
from asccl.morphable.raster import interpolate, rasterize, vertex_normals
from training.assets.portrait import PortraitCamera, render

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


def test_units_are_arkits(head):
    assert sorted(head.names) == sorted(ARKIT)
    assert [head.names[head.index[name]] for name in ARKIT] == ARKIT


def test_shapes_and_types(head):
    k, v = head.vertex_identity.shape[:2]
    assert k >= 40 and head.identity.shape == (k, 468, 3)
    assert head.neutral.shape == (468, 3) and head.expression.shape == (52, 468, 3)
    assert head.vertices.shape == (v, 3) and head.vertex_expression.shape == (52, v, 3) and head.region.shape == (v,)
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
    assert (gap(opened) > 2.0).all() and (gap(opened) < 4.5).all()
    assert opened[152, 1] - head.neutral[152, 1] > 1.5
    half = head.landmarks(units(head, jawOpen=0.5))
    pairs = half[inner[1], 1] - half[inner[0], 1]
    assert (pairs > 0).all() and pairs[4] >= pairs[0] and pairs[4] >= pairs[-1]  # widest in the middle


def test_inner_lips_move_as_the_rim_of_the_mesh(head):
    places = head.landmarks_on(head.vertices)
    distance = np.linalg.norm(places[list(mesh.UPPER_INNER_LIP)] - places[list(mesh.LOWER_INNER_LIP)], axis=1)
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
    def moved(name, point):
        return head.expression[head.index[name], point]

    assert moved("mouthSmileRight", 61)[0] < -0.3 and moved("mouthSmileRight", 61)[1] < -0.3  # out and up
    assert moved("mouthFrownLeft", 291)[1] > 0.2
    assert moved("browInnerUp", 55)[1] < -0.2 and moved("browInnerUp", 107)[1] < -0.2  # both rows
    assert moved("browDownLeft", 282)[1] > 0.2 and moved("browDownLeft", 334)[1] > 0.2
    assert moved("eyeSquintRight", 145)[1] < -0.1 and moved("eyeWideRight", 159)[1] < -0.1
    assert moved("mouthPucker", 61)[0] > 0.1 and moved("mouthPucker", 0)[2] < -0.1
    assert abs(moved("jawLeft", 152)[0]) > 0.3 and moved("jawLeft", 152)[0] > 0  # the person's left


def test_left_is_the_mirror_image_of_right(head):
    flip = np.array([-1, 1, 1], np.float32)
    assert (head.mirror[head.mirror] == np.arange(468)).all()
    assert head.mirror[33] == 263 and head.mirror[61] == 291 and head.mirror[159] == 386
    midline = [
        10,
        151,
        9,
        8,
        168,
        6,
        197,
        195,
        5,
        4,
        1,
        19,
        94,
        2,
        164,
        0,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
        200,
        199,
        175,
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


def test_face_mesh_finds_the_portrait_where_the_head_is(head):
    identity = 0.5 * np.random.default_rng(1).normal(size=len(head.identity))
    cases = [
        (units(head), None, 0),
        (units(head, jawOpen=0.4), identity, 15),
        (units(head, mouthSmileLeft=0.7), None, -15),
    ]
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True) as net:
        for coefficients, who, yaw in cases:
            view = PortraitCamera.facing(yaw, 0, 384)
            picture = render(head, coefficients, who, view)
            assert picture.shape == (384, 384, 3) and picture.dtype == np.uint8
            faces = net.process(picture).multi_face_landmarks
            assert faces, f"no face found at yaw {yaw}"
            seen = np.array([(p.x, p.y) for p in faces[0].landmark]) * 384 - 0.5
            true = view.project(head.landmarks_on(head.deform(coefficients, who)))[0]
            error = np.linalg.norm(seen - true, axis=1).mean() / (view.scale * 9)
            assert error < 0.04, f"{100 * error:.1f} % of the inter-ocular distance at yaw {yaw}"


def test_the_nearer_triangle_hides_the_other():
    points = np.array([[0, 0], [9, 0], [0, 9], [0, 0], [9, 0], [0, 9]], float)
    depth = np.array([2, 2, 2, 1, 1, 1], float)
    triangles = np.array([[0, 1, 2], [3, 5, 4]])
    image, barycentric = rasterize(points, depth, triangles, (10, 12))
    assert image.shape == (10, 12) and set(np.unique(image)) == {-1, 1}
    assert (image >= 0).sum() == 55
    y, x = np.nonzero(image >= 0)
    np.testing.assert_allclose(
        interpolate(points, triangles, image, barycentric)[y, x], np.stack([x, y], -1), atol=1e-5
    )
    assert rasterize(points, depth[::-1], triangles, (10, 12))[0].max() == 0
    assert (rasterize(points + 100, depth, triangles, (10, 12))[0] == -1).all()


def test_normals_point_out_of_the_head(head):
    normals = vertex_normals(head.vertices.astype(float), head.triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    skin = head.triangles[head.landmark_triangle[[mesh.NOSE_TIP, 9, 152]]]
    assert (normals[skin][..., 2] < 0.3).all() and normals[skin[0, 0], 2] < -0.5


@pytest.fixture(scope="module")
def tensors():
    path = load_path()
    return load_file(path), path


def load_path() -> Path:
    return Path(__file__).parents[2] / "checkpoints" / WEIGHTS_FILE


def test_a_missing_file_names_itself_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(hub, "BUNDLED_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=r"head-anny\.safetensors is not in .*bake_head"):
        load_anny_head()
    with pytest.raises(WeightsError, match=r"other\.safetensors is missing.*bake_head"):
        load_anny_head(tmp_path / "other.safetensors")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / WEIGHTS_FILE
    data = load_path().read_bytes()
    for length in (0, 5, 1000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError, match="damaged"):
            load_anny_head(path)


@pytest.mark.parametrize("fault", ["recipe", "lacking", "extra", "shape", "kind", "nan", "outside"])
def test_another_file_is_refused(tmp_path, tensors, fault):
    values, source = dict(tensors[0]), tensors[1]
    with safe_open(source, framework="np") as file:
        metadata = dict(file.metadata())
    if fault == "recipe":
        metadata = {}
    elif fault == "lacking":
        del values["mirror"]
    elif fault == "extra":
        values["more"] = values["mirror"]
    elif fault == "shape":
        values["landmark_identity"] = values["landmark_identity"][:-1].copy()
    elif fault == "kind":
        values["region"] = values["region"].astype(np.float32)
    elif fault == "nan":
        values["landmark_neutral"] = np.full_like(values["landmark_neutral"], np.nan)
    elif fault == "outside":
        values["landmark_mesh"] = values["landmark_mesh"] + 1
    path = tmp_path / WEIGHTS_FILE
    save_file(values, path, metadata)
    with pytest.raises(WeightsError):
        load_anny_head(path)


def test_the_layout_lists_what_the_file_holds(tensors):
    assert set(tensors[0]) == set(TENSOR_LAYOUT)
