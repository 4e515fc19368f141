"""ICface's two files through `import-weights`: stand-ins with the published names, a sixteenth as wide."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from official import names, save_checkpoint

from asccl import hub, tensor_files, zoo
from asccl.nets.icface import IcfaceGenerator
from asccl.nets.icface_settings import IcfaceSettings

SETTINGS = IcfaceSettings(width=8)


def published_state(seed: int, **changes: int) -> dict[str, torch.Tensor]:
    """Tensors of one network as DataParallel names them."""
    torch.manual_seed(seed)
    state = IcfaceGenerator(IcfaceSettings(width=8, **changes)).state_dict()
    return {f"module.{name}": value for name, value in state.items()}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The files G and GN of the new release: state dicts beside the state of their optimizers."""
    states = [{"state_dict": published_state(seed), "optimizer": {"state": {0: torch.ones(3)}}} for seed in (1, 2)]
    return tuple(
        save_checkpoint(state, tmp_path / f"latest_net_{network}.pth")
        for state, network in zip(states, ("G", "GN"), strict=True)
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "icface.safetensors"


def assert_imported(output: Path) -> None:
    """The animator is G, the neutralizer GN."""
    net = zoo.load_icface(output)
    assert net.settings == SETTINGS
    for part, seed in ((net.animator, 1), (net.neutralizer, 2)):
        assert torch.equal(part.model[1].weight, published_state(seed)["module.model.1.weight"])


def test_the_stand_ins_have_the_published_names():
    assert {name.removeprefix("module.") for name in published_state(1)} == set(names("icface", "G"))


def test_both_files_of_the_new_release_become_one(files, output, run_import):
    status, text = run_import("icface", *files, "-o", output)
    assert status == 0, text
    assert "8 channels, 2 downsamplings, 6 blocks" in text
    assert "assumed images of 128 pixels and rotations up to 0.7 radians" in text
    metadata = tensor_files.read_metadata(output)
    assert metadata["origin"] == "latest_net_G.pth, latest_net_GN.pth"
    assert metadata["origin_sha256"] == ", ".join(hub.sha256(path) for path in files)
    assert_imported(output)


@pytest.mark.parametrize("network", [0, 1])
def test_one_file_finds_the_other_beside_it(files, output, run_import, network):
    status, text = run_import("icface", files[network], "-o", output)
    assert status == 0, text
    assert_imported(output)


def test_the_files_may_come_in_any_order(files, output, run_import):
    assert run_import("icface", *files[::-1], "-o", output)[0] == 0
    assert_imported(output)


def test_bare_legacy_pickles_of_the_old_release_with_any_names(tmp_path, output, run_import):
    paths = tmp_path / "animator.pth", tmp_path / "neutralizer.pth"
    for seed, path in enumerate(paths, 1):
        torch.save(published_state(seed), path, _use_new_zipfile_serialization=False)
    status, text = run_import("icface", *paths, "-o", output)
    assert status == 0, text
    assert_imported(output)


class Malicious:
    def __reduce__(self):
        return print, ("this ran",)


def assert_refused(run_import, output: Path, words: str, *sources: Path, status: int = 3) -> None:
    actual, text = run_import("icface", *sources, "-o", output)
    assert actual == status, text
    assert words in text
    assert text.count("\n") == 1, text
    assert not output.exists()


def test_files_of_different_epochs_are_refused(files, tmp_path, output, run_import):
    other = files[1].rename(tmp_path / "40_net_GN.pth")
    assert_refused(run_import, output, "of different epochs, 40 and latest", files[0], other)
    assert_refused(run_import, output, "latest_net_GN.pth does not lie beside latest_net_G.pth", files[0])


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (("latest_net_DA.pth",), "is named as a file of DA, not of G or GN"),
        (("latest_net_G.pth", "latest_net_G.pth"), "latest_net_G.pth is named twice"),
        (("mine.pth",), "two networks, G and GN, and 1 files do not name both"),
        (("latest_net_G.pth", "mine.pth"), "2 files do not name both"),
        (("a.pth", "b.pth", "c.pth"), "3 files do not name both"),
    ],
)
def test_files_that_do_not_name_both_networks_are_refused(tmp_path, output, run_import, sources, words):
    assert_refused(run_import, output, words, *(tmp_path / name for name in sources))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "animator.model.1.weight is missing"),
        ({"module.model.1.weight": torch.zeros(8, 20, 7, 7)}, "takes 20 channels, not 23"),
        (published_state(1, blocks=5), "two networks have different sizes"),
        (published_state(1) | {"module.model.1.weight": torch.full((8, 23, 7, 7), torch.nan)}, "not finite"),
        (published_state(1) | {"module.model.30.bias": torch.zeros(1)}, "unexpected animator.model.30.bias"),
        ({"conv1.weight": Malicious()}, "contains more than tensors"),
    ],
)
def test_other_tensors_are_refused_in_one_line(files, output, run_import, state: Mapping[str, Any], words: str):
    save_checkpoint(state, files[0])
    assert_refused(run_import, output, words, *files)


def test_a_file_of_another_kind_is_recognized(authors_file, tmp_path, output, run_import):
    other = tmp_path / "other.pth"
    other.write_bytes(authors_file.read_bytes())
    assert_refused(run_import, output, "looks like the kind scc, not icface", authors_file, other)


def test_a_file_of_icface_is_recognized_as_another_kind(files, output, run_import):
    status, text = run_import("arcface", files[0], "-o", output)
    assert status == 3
    assert "looks like the kind icface, not arcface" in text


def test_another_kind_has_one_file(files, output, run_import):
    status, text = run_import("arcface", *files, "-o", output)
    assert status == 2
    assert "the kind arcface has one file, not 2" in text
