"""Measures of ICface's images against a known truth."""

import numpy as np
import pytest
import torch
from PIL import Image

from asccl.face.facemesh import FaceMesh
from asccl.nets.icface import Icface
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DiscriminatorSettings, IcfaceSettings
from training.datasets.driven_clips import EDIT, REENACTMENT, DrivenClip
from training.datasets.synthetic_controlled import synthetic_driven_clips
from training.icface_eval import drive, measure_clip, reader, save_grid


@pytest.fixture(scope="module")
def clips() -> dict[str, DrivenClip]:
    return {clip.setting: clip for clip in synthetic_driven_clips(5, 1, 10, 64, 0.7)}


@pytest.fixture(scope="module")
def measure(clips):
    face_mesh = FaceMesh()

    def true_controls(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(clips[EDIT].truth.controls)

    yield lambda images, setting: measure_clip(images, clips[setting], true_controls, face_mesh)
    face_mesh.close()


def test_true_images_have_no_error(clips, measure):
    metrics = measure(clips[EDIT].truth.images, EDIT)
    assert metrics["psnr"] > 70
    assert metrics["attributes"] == 0
    assert metrics["eyes"] == 100
    assert metrics["mouth"] > 0.85
    assert metrics["lips"] < 8


def test_a_known_error_has_a_known_psnr(clips, measure):
    truth = clips[EDIT].truth.images
    darker = np.where(truth >= 5, truth - 5, truth + 5).astype(np.uint8)
    assert measure(darker, EDIT)["psnr"] == pytest.approx(20 * np.log10(255 / 5), abs=0.01)


def test_a_haze_takes_detail_off_the_eyes(clips, measure):
    hazy = (0.8 * clips[EDIT].truth.images.astype(float) + 0.2 * 150).round().astype(np.uint8)
    assert measure(hazy, EDIT)["eyes"] == pytest.approx(80, abs=1)


def test_a_copied_still_has_no_mouth_movement(clips, measure):
    metrics = measure(clips[REENACTMENT].source.images, REENACTMENT)
    assert metrics["mouth"] == 0
    assert metrics["psnr"] < 40


def test_an_image_without_a_face_has_undefined_lips(clips, measure):
    metrics = measure(np.zeros_like(clips[EDIT].truth.images), EDIT)
    assert np.isnan(metrics["lips"])
    assert np.isnan(metrics["mouth"])


def test_the_networks_drive_in_evaluation_mode(clips):
    net = Icface(IcfaceSettings(width=4, blocks=1, downsamplings=1, size=64)).eval()
    source, controls = clips[EDIT].source, clips[EDIT].truth.controls
    neutral, generated = drive(net, source, controls)
    assert neutral.shape == generated.shape == source.images.shape
    assert np.array_equal(generated, drive(net, source, controls)[1])


def test_a_discriminator_reads_controls(clips):
    net = IcfaceDiscriminator(DiscriminatorSettings(4, 64, 1))
    controls = reader(net)(torch.zeros(40, 3, 64, 64))
    assert controls.shape == (40, 20)
    assert not controls.requires_grad


def test_a_grid_has_four_images_in_a_row(clips, tmp_path):
    images = [(clip.source.images, clip.truth.images) for clip in clips.values()]
    save_grid(tmp_path / "grid.png", list(clips.values()), images)
    assert Image.open(tmp_path / "grid.png").size == (4 * 128, 4 * 128)
