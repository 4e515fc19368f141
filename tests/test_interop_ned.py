"""NED's checkpoints through `python -m asccl import-weights`: stand-ins with made-up weights, nothing of theirs."""

import pytest
import torch
from safetensors.torch import load_file

from asccl import hub
from asccl.__main__ import main
from asccl.nets.ned_manipulator import Manipulator, Sizes
from tests import official

NETS = ("generator", "mapping_network", "style_encoder", "discriminator")


def stand_in(prefix: str = "module.") -> dict:
    return {
        net: {prefix + name: value for name, value in official.made_up(official.names("ned_manipulator", net)).items()}
        for net in NETS
    }


def imported(capsys, state: dict, tmp_path, kind: str = "ned-manipulator") -> tuple[int, str]:
    torch.save(state, tmp_path / "NN_nets.pth")
    status = main(["import-weights", kind, str(tmp_path / "NN_nets.pth"), "-o", str(tmp_path / "ned.safetensors")])
    said = capsys.readouterr()
    return status, said.out + said.err


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_published_manipulator(tmp_path, capsys, prefix):
    status, said = imported(capsys, stand_in(prefix), tmp_path)
    assert status == 0, said
    assert "51 coefficients (flame)" in said and "in the order neutral, angry" in said
    path = tmp_path / "ned.safetensors"
    told = hub.metadata(path)
    assert told["kind"] == "ned-manipulator" and told["space"] == "flame"
    net = Manipulator(Sizes.read(told))
    net.load_state_dict(load_file(path))
    assert torch.equal(net.generator.LSTM.weight_hh_l1, stand_in()["generator"]["module.LSTM.weight_hh_l1"])
    assert net.mean_style.abs().sum() > 1


def test_what_is_refused(tmp_path, capsys):
    state = stand_in()
    status, said = imported(capsys, {k: v for k, v in state.items() if k != "discriminator"}, tmp_path)
    assert status == 3 and "it has no 'discriminator.seq2.4.weight'" in said
    status, said = imported(capsys, state, tmp_path, "arcface")
    assert status == 3 and "looks like the kind ned-manipulator, not arcface" in said
    del state["generator"]["module.seq2.2.bias"]
    status, said = imported(capsys, state, tmp_path)
    assert status == 3 and "it lacks generator.seq2.2.bias" in said
    few = stand_in()
    few["discriminator"]["module.seq2.4.weight"] = torch.zeros(8, 64)
    status, said = imported(capsys, few, tmp_path)
    assert status == 3 and "it knows 8 emotions, not 7" in said
    assert not (tmp_path / "ned.safetensors").exists()
