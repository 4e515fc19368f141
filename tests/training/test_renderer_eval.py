import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from asccl.errors import InputError
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.neural.face_surface import FaceSurface
from training.datasets.portraits import RendererWindow
from training.datasets.synthetic_portraits import synthetic_portrait
from training.renderer_eval import FeatureDistance, ValidationCallback, first_window, measure_faces, render_window


@pytest.fixture(scope="module")
def batch() -> RendererWindow:
    portrait = synthetic_portrait(5, 0, 4, 48, FaceSurface(load_anny_head()))
    return first_window(portrait, 3, torch.device("cpu"))


@pytest.fixture(scope="module")
def distance() -> FeatureDistance:
    return FeatureDistance(torch.device("cpu"))


def test_the_first_frame_is_repeated_before_itself(batch):
    assert batch.frames.shape[1] == 5
    assert torch.equal(batch.conditions[0, 0], batch.conditions[0, 2])


def test_a_window_is_rendered_without_the_repeated_frames(batch):
    assert render_window(NedGenerator(RendererSizes(4, 2, 2)), batch).shape == (3, 3, 48, 48)


def test_a_known_error_has_a_known_psnr(batch, distance):
    metrics = measure_faces(batch.frames[0, 2:] + 0.02, batch, distance)
    assert metrics["psnr"] == pytest.approx(40, abs=0.1)
    assert metrics["mouth_psnr"] == pytest.approx(40, abs=0.1)


def test_only_the_face_inside_the_mask_counts(batch, distance):
    face, mask = batch.frames[0, 2:] + 0.02, batch.conditions[0, 2:, 9:]
    white_outside = mask * face + (1 - mask)
    expected = measure_faces(face, batch, distance)
    assert measure_faces(white_outside, batch, distance) == pytest.approx(expected, rel=1e-4)


def test_a_grey_face_is_far_from_the_truth(batch, distance):
    truth = batch.frames[0, 2:]
    near = measure_faces(truth + 0.02, batch, distance)["distance"]
    assert measure_faces(truth * 0, batch, distance)["distance"] > 5 * near


def test_held_out_portraits_of_one_frame_are_refused(tmp_path):
    portrait = synthetic_portrait(5, 0, 1, 48, FaceSurface(load_anny_head()))
    averaged = AveragedModel(NedGenerator(RendererSizes(4, 2, 2)))
    with pytest.raises(InputError, match="no portrait has two held-out frames: give longer clips"):
        ValidationCallback(averaged, [portrait], tmp_path, 4)
