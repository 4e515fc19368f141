"""The warp renderer changes the face and nothing else, on the astronaut of scikit-image (NASA, public domain)."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.field import Box, FaceField, face_size, upsample
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer, relight, warp
from asccl.renderers.warp.shading import SkinModel
from asccl.renderers.warp.wrinkles import WrinkleModel
from asccl.types import EMOTIONS, as_image
from asccl.video.colour import BT709, ColourTags, to_yuv420_frame, view_planes
from asccl.video.lazy_image import DecodedImage, to_video_frame

HEAD = load_anny_head()


def edit(head, face, emotion: str, intensity: float = 1.0):
    image, landmarks, _motion = face
    observer = WarpObserver(head)
    observer.add(as_image(image), landmarks)
    return render(WarpRenderer(head, observer.appearance()), face, Target(emotion, intensity=intensity))


def render(renderer: WarpRenderer, face, target: Target):
    """The edited frame of a face (image, landmarks, motion)."""
    image, landmarks, motion = face
    return renderer.start(renderer.plan(motion, PresetDirector(HEAD)(motion, target))).render(image, landmarks, 0)


def unobserved_renderer() -> WarpRenderer:
    return WarpRenderer(HEAD, WarpObserver(HEAD).appearance())


def test_no_change_is_the_very_same_array(head, face):
    assert edit(head, face, "happy", 0.0) is face[0]


def test_a_decoded_image_is_edited_as_the_array_and_encoded_outside_the_face_as_it_came(head, face):
    image, landmarks, motion = face
    source = DecodedImage(to_yuv420_frame(image, ColourTags()), BT709)
    as_array, as_decoded = (edit(head, (p, landmarks, motion), "surprised") for p in (as_image(source), source))
    np.testing.assert_array_equal(as_image(as_decoded), as_array)
    assert not np.array_equal(as_array, as_image(source))
    luma, before = view_planes(to_video_frame(as_decoded, ColourTags()))[0], source.planes[0]
    oval = landmarks[list(mesh.FACE_OVAL), :2]
    low, high = (oval.mean(0) + 1.3 * (edge - oval.mean(0)) for edge in (oval.min(0), oval.max(0)))
    outside = np.ones(luma.shape, bool)
    outside[max(int(low[1]), 0) : int(high[1]) + 1, max(int(low[0]), 0) : int(high[0]) + 1] = False
    np.testing.assert_array_equal(luma[outside], before[outside])


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_nothing_outside_the_face_changes(head, face, emotion):
    image, landmarks, _ = face
    out = edit(head, face, emotion)
    oval = landmarks[list(mesh.FACE_OVAL), :2]
    ring = oval.mean(0) + 1.3 * (oval - oval.mean(0))
    inside = cv2.fillConvexPoly(np.zeros(image.shape[:2], np.uint8), cv2.convexHull(ring.astype(np.int32)), 1)
    assert (out[inside == 0] == image[inside == 0]).all()
    assert np.abs(out.astype(int) - image)[inside == 1].max() > 20


def test_the_source_is_left_alone_and_the_result_can_be_repeated(head, face):
    before = face[0].copy()
    first, second = edit(head, face, "angry"), edit(head, face, "angry")
    assert (face[0] == before).all()
    assert (first == second).all()


def test_more_intensity_moves_more(head, face):
    change = [np.abs(edit(head, face, "sad", k).astype(int) - face[0]).mean() for k in (0.25, 0.5, 1.0)]
    assert 0 < change[0] < change[1] < change[2]


def test_skin_stays_as_sharp_as_the_source_beside_the_folds_of_a_smile_that_goes(head, face):
    image, landmarks, _ = face
    skin = np.zeros(image.shape[:2], np.uint8)
    for part, value in ((mesh.FACE_OVAL, 1), (mesh.RIGHT_EYE, 0), (mesh.LEFT_EYE, 0), (mesh.OUTER_LIPS, 0)):
        cv2.fillConvexPoly(skin, cv2.convexHull(landmarks[list(part), :2].astype(np.int32)), value)
    for fold in ((129, 203, 206, 216), (358, 423, 426, 436)):
        width = round(0.15 * float(np.linalg.norm(landmarks[33] - landmarks[263])))
        cv2.polylines(skin, [landmarks[list(fold), :2].astype(np.int32)], False, 0, width)
    inside = skin > 0

    def sharpness(image: np.ndarray) -> float:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return cv2.Laplacian(gray, cv2.CV_32F)[inside].var()

    assert 0.82 < sharpness(edit(head, face, "sad", 0.6)) / sharpness(image) < 1.2


def test_a_grey_photo_stays_grey(head, face):
    image, landmarks, motion = face
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    for emotion in ("angry", "happy"):
        out = edit(head, (grey, landmarks, motion), emotion, 2.0)
        assert (np.ptp(out, axis=2) == 0).all()


def test_shadows_on_skin_keep_the_colour_that_the_skin_reflects_most(head, face):
    image, landmarks, _ = face
    for skin, order in (((200, 150, 130), [0, 1, 2]), ((140, 150, 190), [2, 1, 0])):
        model = SkinModel(head)
        model.observe(np.full_like(image, skin), landmarks)
        assert np.argsort(model.shadow_slopes).tolist() == order


def test_a_fold_on_fair_skin_is_a_reddish_shadow(head, face):
    """Fair skin is nearly white in a photo: in its own hue a shadow would look grey."""
    image, landmarks, _ = face
    skin, model = (250, 228, 214), SkinModel(head)
    model.observe(np.full_like(image, skin), landmarks)
    patch, flat = np.full((4, 4, 3), skin, np.uint8), np.zeros((4, 4), np.float32)
    red, _, blue = relight(patch, flat + 0.75, flat, 100.0, model.shadow_slopes)[0, 0].astype(float)
    assert red / blue > 1.05 * skin[0] / skin[2]


@pytest.mark.parametrize(("creases", "deeper"), [(1.0, True), (-1.0, False)])
def test_a_dark_line_deepens_with_its_crease_and_fades_without_it(creases, deeper):
    image, ones = np.full((60, 60, 3), 180, np.uint8), np.ones((60, 60), np.float32)
    image[28:31] = 160
    out = relight(image, ones, creases * ones, 100.0, np.ones(3))
    contrast = float(out[20, 30, 0]) - float(out[29, 30, 0])
    assert (contrast > 24) is deeper


def test_a_fold_does_not_deepen_the_grain_of_a_photo():
    noise = np.random.default_rng(0).normal(180, 6, (60, 60)).round().astype(np.uint8)
    flat = np.ones((60, 60), np.float32)
    folded = relight(np.repeat(noise[..., None], 3, 2), flat, flat, 100.0, np.ones(3))
    assert folded.std() < 1.35 * noise.std()


def test_a_field_gives_back_the_values_at_its_points(head, face):
    _, landmarks, _ = face
    field = FaceField(head)
    values = np.stack([landmarks[:468, 0] * 0.1, landmarks[:468, 1] * 0 + 2], 1).astype(np.float32)
    box = field.edit_box(landmarks, landmarks[:468], (320, 320))
    dense = upsample(field.interpolate(landmarks, landmarks[:468], values, box), box)
    for point in (5, 50, 280, 151, 199):  # nose, cheeks, forehead, chin: far from the rim
        x, y = np.round(landmarks[point, :2]).astype(int) - (box.x0, box.y0)
        assert dense[y, x] == pytest.approx(values[point], rel=0.06)
    assert np.abs(dense[0]).max() < 0.2  # and fades to nothing at the edge


def test_a_warp_by_whole_pixels_is_a_shift():
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    field = np.zeros((20, 20, 2), np.float32)
    field[..., 0] = 3
    before, out = warp(image, field, Box(10, 10, 30, 30, 1.0))
    assert (before == image[10:30, 10:30]).all()
    assert (out == image[10:30, 7:27]).all()


def test_light_of_one_changes_nothing():
    image = np.random.default_rng(0).integers(0, 255, (30, 30, 3), np.uint8)
    assert (
        relight(image, np.ones((30, 30), np.float32), np.zeros((30, 30), np.float32), 50.0, np.ones(3)) == image
    ).all()


def test_hair_over_the_forehead_is_held_still_and_gets_no_lines(head, face):
    image, landmarks, _ = face
    bare, hairy = SkinModel(head), SkinModel(head)
    covered = image.copy()
    covered[: int(landmarks[list(mesh.RIGHT_BROW_TOP), 1].min()) - 2] = (25, 18, 12)
    plain = image.copy()
    plain[: int(landmarks[list(mesh.RIGHT_BROW_TOP), 1].min()) - 2] = image[
        int(landmarks[151, 1]), int(landmarks[151, 0])
    ]
    hairy.observe(covered, landmarks)
    bare.observe(plain, landmarks)
    assert hairy.skin_confidence[10] < 0.2 < 0.6 < bare.skin_confidence[10]
    assert hairy.skin_confidence[50] == 1  # cheeks always move


def test_the_noise_of_a_dark_image_does_not_make_skin_rough(head, face):
    image, landmarks, _ = face
    noise = np.random.default_rng(0).normal(50, 0.9, image.shape[:2]).round().astype(np.uint8)
    dark = np.repeat(noise[..., None], 3, axis=2)
    smooth = SkinModel(head)
    smooth.observe(dark, landmarks)
    assert smooth.roughness < 0.5


def test_a_fold_grows_with_the_face_without_a_jump(head, face):
    _, landmarks, _ = face
    change = np.zeros(52)
    change[[head.index[name] for name in ("browOuterUpLeft", "browOuterUpRight", "browInnerUp")]] = 1
    folds, deep = WrinkleModel(head), []
    for scale in np.linspace(0.8, 3.2, 60):
        xy = scale * (landmarks[:468, :2] - landmarks[:468, :2].min(0))
        shape = tuple(int(x) + 4 for x in xy.max(0)[::-1])
        deep.append(folds.depth_map(xy, change, shape, scale * face_size(landmarks), 1.0, 1.0).sum() / scale**2)
    assert np.abs(np.diff(np.log(deep))).max() < 0.1


def test_lines_of_the_forehead_stay_while_its_landmarks_tremble(head, face):
    _, landmarks, motion = face
    image = np.full((320, 320, 3), (200, 150, 130), np.uint8)
    renderer, target = unobserved_renderer(), Target("surprised")
    shaken = landmarks.copy()
    shaken[[69, 104, 108, 151, 299, 333, 337, 67, 103, 109, 10, 297, 332, 338], 1] += 1.2
    y0, y1, x = landmarks[10, 1], landmarks[9, 1], landmarks[151, 0]
    still, moved = (
        render(renderer, (image, points, motion), target)[int(y0) : int(y1), int(x), 0]
        for points in (landmarks, shaken)
    )
    assert np.ptp(still.astype(int)) > 8
    assert np.abs(still.astype(int) - moved).max() < 0.4 * np.ptp(still.astype(int))


def test_a_turned_head_is_edited_too(head, face):
    image, landmarks, motion = face
    y = np.deg2rad(35)
    about = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]], np.float32)
    centre = landmarks.mean(0)
    turned = ((landmarks - centre) @ about.T + centre).astype(np.float32)
    turned_motion = replace(motion, rotation=motion.rotation @ about.T)
    out = render(unobserved_renderer(), (image, turned, turned_motion), Target("happy"))
    assert out.shape == image.shape
    assert np.abs(out.astype(int) - image).max() > 10
