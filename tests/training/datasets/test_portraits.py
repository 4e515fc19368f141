"""Windows of one small synthetic person."""

import numpy as np
import pytest
import torch

from asccl.errors import InputError
from asccl.face.mesh import LIPS
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.face_surface import FaceSurface
from training.datasets.portraits import ArrayPortrait, PortraitSlice, RendererWindows, mouth_side
from training.datasets.synthetic_portraits import synthetic_portrait
from training.renderer_step import crop_mouths

SIZE = 48


@pytest.fixture(scope="module")
def portrait() -> ArrayPortrait:
    return synthetic_portrait(5, 0, 50, SIZE, FaceSurface(load_anny_head()))


def test_a_window_has_consecutive_frames_with_their_conditions(portrait):
    window = RendererWindows([portrait], window_frames=2)[30]
    assert window.conditions.shape == (4, 10, SIZE, SIZE)
    assert window.frames.shape == (4, 3, SIZE, SIZE)
    assert torch.equal(window.frames, torch.from_numpy(portrait.frames[30:34]).float() / 127.5 - 1)


def test_every_window_of_every_portrait_is_an_item(portrait):
    assert len(RendererWindows([portrait, portrait], 2)) == 2 * 47


def test_conditions_are_zero_outside_the_mask(portrait):
    conditions = portrait.window(30, 34).conditions
    mask = conditions[:, 9]
    assert set(mask.unique().tolist()) == {0, 1}
    assert 0.2 < mask.mean() < 0.6
    assert (conditions[:, :9] * (1 - mask[:, None])).abs().max() == 0


def test_conditions_fit_the_frames(portrait):
    window = portrait.window()
    grey, (white, iris) = window.frames.mean(1), window.conditions[:, 7:9].unbind(1)
    assert grey[iris > 0.7].mean() < grey[white > 0.7].mean() - 0.3


def test_the_square_around_the_mouth_holds_the_lips(portrait):
    window = portrait.window()
    lips = portrait.landmarks[:, list(LIPS)] - window.mouth_corner.numpy()[:, None, ::-1]
    assert lips.min() >= 0
    assert lips.max() < mouth_side(SIZE)
    assert crop_mouths(window.frames, window.mouth_corner).shape[2:] == (mouth_side(SIZE),) * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: (p.frames, p.conditions[:, :9], p.landmarks), "10 condition channels"),
        (lambda p: (p.frames[:, :, 1:], p.conditions, p.landmarks), "square RGB frames"),
        (lambda p: (p.frames[1:], p.conditions, p.landmarks), "prepare it again"),
        (lambda p: (p.frames, p.conditions, p.landmarks * np.nan), "not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(portrait, change, message):
    with pytest.raises(InputError, match=message):
        ArrayPortrait(*change(portrait), "one")


def test_portraits_that_are_too_short_are_refused(portrait):
    with pytest.raises(InputError, match="has 9 consecutive frames"):
        RendererWindows([PortraitSlice(portrait, 0, 8)], 7)


def test_portraits_of_two_sizes_are_refused(portrait):
    half = ArrayPortrait(portrait.frames[..., ::2, ::2], portrait.conditions[..., ::2, ::2], portrait.landmarks / 2)
    with pytest.raises(InputError, match=r"have \[24, 48\] pixels"):
        RendererWindows([portrait, half], 2)
