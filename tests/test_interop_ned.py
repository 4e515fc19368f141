"""NED's checkpoints through `python -m asccl import-weights`: stand-ins with made-up weights, nothing of theirs."""

import pytest
import torch
from safetensors.torch import load_file

from asccl import hub
from asccl.__main__ import main
from asccl.errors import WeightsError
from asccl.nets.ned_manipulator import Manipulator, Sizes
from asccl.types import EMOTIONS
from asccl.zoo import load_manipulator
from tests import official
from training.weights_file import write

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


def test_the_editor_says_why_a_file_does_not_fit(tmp_path, capsys):
    imported(capsys, stand_in(), tmp_path)
    with pytest.raises(WeightsError, match=r"moves flame coefficients, not the open head's ARKit units.*docs/ned\.md"):
        load_manipulator(tmp_path / "ned.safetensors")
    net, other = Manipulator(Sizes(width=16)), tmp_path / "other.safetensors"
    told = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS), **net.sizes.told()}
    write(other, net.state_dict(), told)
    assert load_manipulator(other).frozen and load_manipulator(other) is load_manipulator(str(other))
    for change, words in (
        ({"kind": "scc"}, "is no manipulator"),
        ({"emotions": ",".join(EMOTIONS[::-1])}, "has the emotions surprised,sad"),
        ({"width": "much"}, "how large its networks are"),
        ({"width": "24"}, "not "),
    ):
        write(other, net.state_dict(), told | change)
        with pytest.raises(WeightsError, match=words):
            load_manipulator(other)


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
