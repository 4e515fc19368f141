"""Networks load from the Hub and are pushed to it by the conventions of its mixin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_account import HubAccount, serve_account, use_account
from huggingface_hub import constants

import asccl
from asccl import tensor_files, zoo
from asccl.errors import WeightsError
from asccl.metric.scc import SCCMetric
from asccl.nets.icface import Icface, IcfaceSettings
from asccl.nets.iresnet import MAP_CHANNELS, IResNet
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.nets.ned_renderer import NedGenerator, RendererSizes

SIZES = ManipulatorSizes(width=8)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubAccount]:
    with serve_account() as server:
        use_account(monkeypatch, server, tmp_path / "cache")
        yield server


def test_a_metric_is_pushed_and_loaded_from_the_hub(account: HubAccount) -> None:
    address = SCCMetric.from_pretrained("scc-mobilefacenet").push_to_hub("someone/metric")
    assert address.endswith(account.repositories["models/someone/metric"].head)
    loaded, bundled = asccl.load_metric("someone/metric"), asccl.load_metric()
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), bundled.parameters(), strict=True))


def test_a_pushed_repository_is_private_and_has_a_configuration_and_a_card(account: HubAccount) -> None:
    Manipulator(SIZES).push_to_hub("someone/ned")
    repository = account.repositories["models/someone/ned"]
    assert repository.private
    assert json.loads(repository.files["config.json"])["width"] == "8"
    assert b"Manipulator.from_pretrained('someone/ned')" in repository.files["README.md"]


def test_a_card_that_exists_is_not_replaced(account: HubAccount) -> None:
    account.add("models/someone/ned", {"README.md": b"Mine."})
    Manipulator(SIZES).push_to_hub("someone/ned")
    assert account.repositories["models/someone/ned"].files["README.md"] == b"Mine."


def test_a_revision_names_an_older_commit(account: HubAccount) -> None:
    first, second = Manipulator(SIZES), Manipulator(SIZES)
    first.push_to_hub("someone/ned")
    revision = account.repositories["models/someone/ned"].head
    second.push_to_hub("someone/ned")
    loaded = Manipulator.from_pretrained("someone/ned", revision=revision)
    assert torch.equal(loaded.generator.seq1[0].weight, first.generator.seq1[0].weight)


def test_a_loaded_network_can_be_trained_and_saved_again(tmp_path: Path) -> None:
    net = Manipulator.from_pretrained("ned-manipulator")
    assert not net.training
    assert net.train().training
    assert all(parameter.requires_grad for parameter in net.parameters())
    folder = net.save_pretrained(tmp_path / "mine")
    assert torch.equal(zoo.load_manipulator(folder / "model.safetensors").mean_style, net.mean_style)
    assert Manipulator.from_pretrained(folder).sizes == net.sizes


def test_a_renderer_is_pushed_only_with_a_note_of_consent(account: HubAccount) -> None:
    renderer = NedGenerator(RendererSizes(ngf=4, downsamplings=2, blocks=2, running=False))
    with pytest.raises(ValueError, match="expected a note of consent"):
        renderer.push_to_hub("someone/renderer")
    assert account.repositories == {}
    renderer.push_to_hub("someone/renderer", config={"person": "x"}, consent="A. Person agreed in writing.")
    loaded = NedGenerator.from_pretrained("someone/renderer")
    assert loaded.metadata["person"] == "x"
    assert b"A. Person agreed" in account.repositories["models/someone/renderer"].files["README.md"]


def test_icface_is_pushed_and_loaded(account: HubAccount) -> None:
    net = Icface(IcfaceSettings(width=4, blocks=1, size=32))
    net.push_to_hub("someone/icface")
    assert Icface.from_pretrained("someone/icface").settings == net.settings


def test_loading_is_strict(account: HubAccount, tmp_path: Path) -> None:
    from asccl.nets.blocks import saved_tensors
    from asccl.nets.serialize import serialize

    net = Manipulator(SIZES)
    tensors = saved_tensors(net)
    del tensors["mean_style"]
    account.add("models/someone/ned", {"model.safetensors": serialize(tensors, net.to_metadata())})
    with pytest.raises(WeightsError, match="missing mean_style"):
        Manipulator.from_pretrained("someone/ned")
    with pytest.raises(WeightsError, match="is of the kind ned-manipulator, not scc"):
        SCCMetric.from_pretrained("someone/ned")


def test_a_folded_metric_is_not_saved(tmp_path: Path) -> None:
    metric = SCCMetric(IResNet(18), MAP_CHANNELS).freeze()
    metric.save_pretrained(tmp_path / "whole")
    assert tensor_files.read_metadata(tmp_path / "whole" / "model.safetensors")["backbone"] == "iresnet18"
    with pytest.raises(ValueError, match="is not folded"):
        asccl.load_metric(tmp_path / "whole" / "model.safetensors").save_pretrained(tmp_path / "folded")


def test_a_cached_file_loads_offline(account: HubAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    Manipulator(SIZES).push_to_hub("someone/ned")
    Manipulator.from_pretrained("someone/ned")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert Manipulator.from_pretrained("someone/ned").sizes == SIZES
    with pytest.raises(WeightsError, match="is not on this machine and the Hub cannot be reached"):
        Manipulator.from_pretrained("someone/other")
