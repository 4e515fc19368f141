"""The renderer of ICface: batches, control values of an edit, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from asccl.morphable.anny_head import load_anny_head
from asccl.nets.icface import Icface
from asccl.nets.icface_settings import IcfaceSettings
from asccl.nets.icface_synthesis import ImageChange
from asccl.renderers.base import BatchSession, FrameToRender, batch_size, render_batch
from asccl.renderers.icface.controls import MeasuredControls, control_index
from asccl.renderers.icface.renderer import IcfaceRenderer, IcfaceSession
from asccl.types import Motion

HEAD = load_anny_head()
SETTINGS = IcfaceSettings(width=4, blocks=1, size=32)
FRAMES = 10
CENTRE = np.array([120.0, 100.0, 0.0])


def talking_motion(**changes) -> Motion:
    """A frontal head of 8 pixels per cm whose jaw opens and closes."""
    coefficients = np.zeros((FRAMES, 52), np.float32)
    coefficients[:, HEAD.index["jawOpen"]] = np.linspace(0, 0.8, FRAMES)
    motion = Motion(
        coefficients=coefficients,
        scale=np.full(FRAMES, 8.0),
        rotation=np.tile(np.eye(3), (FRAMES, 1, 1)),
        translation=np.tile(CENTRE, (FRAMES, 1)),
        identity=HEAD.neutral,
        weight=np.ones(FRAMES, np.float32),
    )
    return replace(motion, **changes)


def with_units(motion: Motion, **units: float) -> Motion:
    """The motion with these changes of its units."""
    coefficients = motion.coefficients.copy()
    for name, change in units.items():
        coefficients[:, HEAD.index[name]] += change
    return replace(motion, coefficients=coefficients)


def smile(motion: Motion) -> Motion:
    return with_units(motion, mouthSmileLeft=0.6, mouthSmileRight=0.6, browInnerUp=0.5)


def frames_of(motion: Motion) -> list[FrameToRender]:
    """Frames of noise with the landmarks of the motion."""
    rng = np.random.default_rng(0)
    landmarks = np.zeros((FRAMES, 478, 3), np.float32)
    landmarks[:, :468] = 8 * HEAD.landmarks(motion.coefficients) + CENTRE
    return [
        FrameToRender(rng.integers(0, 255, (200, 240, 3), dtype=np.uint8), points, t)
        for t, points in enumerate(landmarks)
    ]


class RecordingNetwork(nn.Module):
    """Keeps the control values that it reads, and generates grey."""

    settings = SETTINGS

    def __init__(self):
        super().__init__()
        self.device = nn.Parameter(torch.zeros(1))
        self.source, self.driving = [], []

    def predict_change(self, image, controls, driving):
        self.source += controls.tolist()
        self.driving += driving.tolist()
        return ImageChange(torch.zeros_like(image))


def render_all(session: IcfaceSession, frames: list[FrameToRender]) -> list[np.ndarray]:
    size = batch_size(session)
    return [image for first in range(0, FRAMES, size) for image in render_batch(session, frames[first : first + size])]


def recorded_controls(motion: Motion, edited: Motion, measured: MeasuredControls | None = None) -> np.ndarray:
    """Control values of the source and of the edit that the network reads, (2, T, 20)."""
    net = RecordingNetwork()
    renderer = IcfaceRenderer(net, HEAD.names, measured)
    render_all(renderer.start(renderer.plan(motion, edited)), frames_of(motion))
    return np.array([net.source, net.driving])


def test_a_batch_gives_the_pixels_of_single_frames():
    torch.manual_seed(0)
    renderer = IcfaceRenderer(Icface(SETTINGS).freeze(), HEAD.names)
    motion = talking_motion()
    plan, frames = renderer.plan(motion, smile(motion)), frames_of(motion)
    session = renderer.start(plan)
    assert isinstance(session, BatchSession)
    batched = render_all(session, frames)
    for frame, image in zip(frames[::-1], batched[::-1], strict=True):  # in any order
        single = renderer.start(plan).render(*frame)
        assert np.abs(single.astype(int) - image).max() <= 1
        assert np.abs(single.astype(int) - frame.image).max() > 20


def test_an_edit_changes_brows_and_the_mean_of_the_mouth_corners():
    motion = talking_motion()
    source, driving = recorded_controls(motion, smile(motion))
    change = driving - source
    assert change[:, control_index((12,))] == pytest.approx(0.6, abs=1e-6)
    assert change[:, control_index((1,))] == pytest.approx(0.5, abs=1e-6)
    others = [i for i in range(20) if i not in control_index((1, 12))]
    assert np.abs(change[:, others]).max() < 1e-6


def test_jaw_and_lips_follow_the_source_in_every_frame():
    motion = talking_motion()
    _, driving = recorded_controls(motion, with_units(smile(motion), jawOpen=0.5))
    assert driving[:, control_index((26,))[0]] == pytest.approx(np.linspace(0, 0.8, FRAMES))
    lips = driving[:, control_index((25,))[0]]
    assert lips[0] == 0
    assert (np.diff(lips[2:]) > 0).all()


def test_the_lips_open_by_the_gain_of_the_edit():
    motion = talking_motion()
    lips = control_index((25,))[0]
    plain = recorded_controls(motion, smile(motion))[1, :, lips]
    wider = replace(smile(motion), lip_gain=np.full(FRAMES, 1.5, np.float32))
    assert recorded_controls(motion, wider)[1, :, lips] == pytest.approx(np.clip(1.5 * plain, 0, 1), abs=1e-6)
    closed = replace(smile(motion), lip_closing=np.full(FRAMES, 9.0, np.float32))
    assert recorded_controls(motion, closed)[1, :, lips].max() == 0


def test_measured_controls_replace_those_of_the_head_model():
    values = np.full((FRAMES, 20), 0.3, np.float32)
    measured = MeasuredControls(values, np.full(20, 0.1, np.float32))
    motion = talking_motion()
    source, driving = recorded_controls(motion, smile(motion), measured)
    assert source == pytest.approx(values)
    assert driving[:, control_index((12,))] == pytest.approx(0.8)
    assert driving[:, control_index((26, 25, 4))] == pytest.approx(0.2)


def test_frames_without_a_face_or_an_edit_stay_the_same_object():
    renderer = IcfaceRenderer(RecordingNetwork(), HEAD.names)
    weight = np.ones(FRAMES, np.float32)
    weight[3] = 0
    motion = talking_motion(weight=weight)
    frames = frames_of(motion)
    frames[5] = frames[5]._replace(landmarks=np.full((478, 3), np.nan, np.float32))
    rendered = render_all(renderer.start(renderer.plan(motion, smile(motion))), frames)
    assert [t for t in range(FRAMES) if rendered[t] is frames[t].image] == [3, 5]


def test_an_edit_that_changes_nothing_renders_nothing():
    renderer = IcfaceRenderer(RecordingNetwork(), HEAD.names)
    motion = talking_motion()
    frames = frames_of(motion)
    rendered = render_all(renderer.start(renderer.plan(motion, motion)), frames)
    assert all(image is frame.image for image, frame in zip(rendered, frames, strict=True))


@pytest.mark.parametrize(
    ("synthesis", "pixels_per_cm", "side"), [("colours", 30, 32), ("warp", 30, 512), ("warp", 1, 32)]
)
def test_networks_that_change_their_image_read_one_as_large_as_in_the_frame(synthesis, pixels_per_cm, side):
    renderer = IcfaceRenderer(Icface(replace(SETTINGS, synthesis=synthesis)).freeze(), HEAD.names)
    motion = talking_motion(scale=np.full(FRAMES, float(pixels_per_cm)))
    assert renderer.plan(motion, smile(motion)).side == side


def test_an_edit_by_networks_that_change_nothing_keeps_every_pixel():
    net = Icface(replace(SETTINGS, synthesis="warp")).freeze()
    for generator in (net.neutralizer, net.animator):
        nn.init.constant_(generator.model[-1].bias[3], -1000.0)  # no opacity
    renderer = IcfaceRenderer(net, HEAD.names)
    motion = talking_motion(scale=np.full(FRAMES, 8.3))
    frame = frames_of(motion)[0]
    edited = renderer.start(renderer.plan(motion, smile(motion))).render(*frame)
    assert np.abs(np.asarray(edited).astype(int) - np.asarray(frame.image)).max() <= 1


@pytest.mark.parametrize("shift", [-120.0, -80.0, 150.0, 1000.0])
def test_a_face_at_or_beyond_the_border_of_the_frame_changes_no_other_pixel(shift):
    renderer = IcfaceRenderer(RecordingNetwork(), HEAD.names)
    motion = talking_motion(translation=np.tile(CENTRE + np.array([shift, 0, 0]), (FRAMES, 1)))
    frame = frames_of(talking_motion())[0]
    frame = frame._replace(landmarks=frame.landmarks + np.float32([shift, 0, 0]))
    edited = renderer.start(renderer.plan(motion, smile(motion))).render(*frame)
    changed = np.flatnonzero((edited != frame.image).any((0, 2)))
    points = frame.landmarks[:468, 0]
    assert all(points.min() - 2 <= x <= points.max() + 2 for x in changed)
