"""Files of ICface's networks: what a training writes, an edit and a next training read."""

import pytest
import torch

from asccl import zoo
from asccl.errors import WeightsError
from asccl.nets.blocks import saved_tensors
from asccl.nets.icface import Icface
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DiscriminatorSettings, IcfaceSettings
from training.engine.weights import write_weights
from training.icface_files import discriminator_file, load_initial_icface, write_icface

SETTINGS = IcfaceSettings(width=4, blocks=1, size=32)
DISCRIMINATOR = DiscriminatorSettings(width=4, size=32, identities=3)


@pytest.fixture
def file(tmp_path):
    """A file of random networks with their discriminator beside it."""
    path = tmp_path / "small.safetensors"
    write_icface(path, Icface(SETTINGS), IcfaceDiscriminator(DISCRIMINATOR))
    return path


def test_an_edit_loads_what_a_training_writes(file):
    net = zoo.load_icface(file)
    assert net.settings == SETTINGS
    assert not net.training
    assert zoo.load_icface(str(file)) is net


def test_a_training_continues_from_the_files_of_another(file):
    net, discriminator = Icface(SETTINGS), IcfaceDiscriminator(DISCRIMINATOR)
    assert load_initial_icface(str(file), net, discriminator) == [file, discriminator_file(file)]
    assert torch.equal(net.animator.model[1].weight, zoo.load_icface(file).animator.model[1].weight)


def test_a_discriminator_of_other_people_is_left_out(file):
    discriminator = IcfaceDiscriminator(DiscriminatorSettings(width=4, size=32, identities=9))
    assert load_initial_icface(str(file), Icface(SETTINGS), discriminator) == [file]


def test_weights_in_float16_are_those_of_the_networks_to_three_digits(tmp_path):
    path, net = tmp_path / "half.safetensors", Icface(SETTINGS)
    write_icface(path, net, half=True)
    weight = zoo.load_icface(path).animator.model[1].weight
    assert weight.dtype == torch.float32
    assert torch.allclose(weight, net.animator.model[1].weight, rtol=1e-3, atol=1e-6)
    assert path.stat().st_size < 0.6 * sum(4 * x.numel() for x in saved_tensors(net).values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "ned-renderer"}, r"other\.safetensors is no file of ICface's networks: its kind is ned-renderer"),
        ({"controls": "openface-9"}, "its controls are openface-9"),
        ({"width": "8"}, "not "),
        ({"width": "1024", "blocks": "64"}, "has other tensors"),
        ({"blocks": "many"}, "is no file of ICface's networks"),
    ],
)
def test_a_file_of_another_network_is_refused_in_one_line(tmp_path, change, words):
    path = tmp_path / "other.safetensors"
    write_weights(path, saved_tensors(Icface(SETTINGS)), SETTINGS.to_metadata() | change)
    with pytest.raises(WeightsError, match=words):
        zoo.load_icface(path)


def test_a_training_with_another_pose_limit_is_refused(file):
    with pytest.raises(WeightsError, match=r"has the pose limit 0\.7, not 0\.5"):
        load_initial_icface(str(file), Icface(IcfaceSettings(width=4, blocks=1, size=32, pose_limit=0.5)))
