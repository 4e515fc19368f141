"""NED's checkpoints through `python -m asccl import-weights`: stand-ins with made-up weights, nothing of theirs."""

import official
import pytest
import torch
from safetensors.torch import load_file

from asccl import hub
from asccl.__main__ import main
from asccl.errors import WeightsError
from asccl.interop import ned
from asccl.nets import ned_renderer
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from asccl.zoo import load_manipulator
from training.engine.weights import write_weights

NETS = ("generator", "mapping_network", "style_encoder", "discriminator")


def stand_in(prefix: str = "module.") -> dict:
    return {
        net: {
            prefix + name: value
            for name, value in official.synthetic_weights(official.names("ned_manipulator", net)).items()
        }
        for net in NETS
    }


def small_renderer(net: str = "G", prefix: str = "module.") -> dict:
    """A quarter as wide as the published one; its residual blocks twice, as there."""
    sizes = ned_renderer.RendererSizes(ngf=16, ndf=16)
    made = (ned_renderer.Generator if net == "G" else ned_renderer.Discriminator)(sizes).state_dict()
    twins = {k.replace(".conv_block.", ".resnetblock_sequential."): v for k, v in made.items() if ".conv_block." in k}
    assert (made | twins).keys() == official.names("ned_renderer", net).keys()
    return {prefix + name: value for name, value in (made | twins).items()}


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
    told = hub.read_metadata(path)
    assert told["kind"] == "ned-manipulator" and told["space"] == "flame"
    net = Manipulator(ManipulatorSizes.from_metadata(told))
    net.load_state_dict(load_file(path))
    assert torch.equal(net.generator.LSTM.weight_hh_l1, stand_in()["generator"]["module.LSTM.weight_hh_l1"])
    assert net.mean_style.abs().sum() > 1


def test_the_editor_says_why_a_file_does_not_fit(tmp_path, capsys):
    imported(capsys, stand_in(), tmp_path)
    with pytest.raises(WeightsError, match=r"moves flame coefficients, not the open head's ARKit units.*docs/ned\.md"):
        load_manipulator(tmp_path / "ned.safetensors")
    net, other = Manipulator(ManipulatorSizes(width=16)), tmp_path / "other.safetensors"
    told = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS), **net.sizes.to_metadata()}
    write_weights(other, net.state_dict(), told)
    assert load_manipulator(other).frozen and load_manipulator(other) is load_manipulator(str(other))
    for change, words in (
        ({"kind": "scc"}, "is no manipulator"),
        ({"emotions": ",".join(EMOTIONS[::-1])}, "has the emotions surprised,sad"),
        ({"width": "much"}, "how large its networks are"),
        ({"width": "24"}, "not "),
    ):
        write_weights(other, net.state_dict(), told | change)
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


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_published_renderer(tmp_path, capsys, prefix):
    state = small_renderer("G", prefix)
    status, said = imported(capsys, state, tmp_path, "ned-renderer")
    assert status == 0, said
    assert "16 channels, 3 downsamplings, 9 blocks" in said and "FLAME" in said
    path = tmp_path / "ned.safetensors"
    told = hub.read_metadata(path)
    assert told["kind"] == "ned-renderer" and told["conditions"] == "flame"
    net = ned_renderer.Generator(ned_renderer.RendererSizes.from_metadata(told))
    net.load_state_dict(load_file(path))
    name = "model_res_img.3.conv_block.5.weight"
    assert torch.equal(net.get_parameter(name), state[prefix + name])


def test_the_published_sizes_are_read_from_the_shapes():
    state = official.synthetic_weights(official.names("ned_renderer", "G"))
    assert ned._generator_sizes(state) == ned_renderer.RendererSizes()
    told = ned.convert_discriminator(official.synthetic_weights(official.names("ned_renderer", "D"))).metadata
    assert ned_renderer.RendererSizes.from_metadata(told) == ned_renderer.RendererSizes()


def test_the_published_discriminators(tmp_path, capsys):
    status, said = imported(capsys, small_renderer("D"), tmp_path, "ned-discriminator")
    assert status == 0 and "16 channels, 2 scales, 5 layers each" in said
    path = tmp_path / "ned.safetensors"
    net = ned_renderer.Discriminator(ned_renderer.RendererSizes.from_metadata(hub.read_metadata(path)))
    net.load_state_dict(load_file(path))


def test_which_renderers_are_refused(tmp_path, capsys):
    status, said = imported(capsys, small_renderer("D"), tmp_path, "ned-renderer")
    assert status == 3 and "looks like the kind ned-discriminator, not ned-renderer" in said
    status, said = imported(capsys, small_renderer(), tmp_path, "ned-manipulator")
    assert status == 3 and "looks like the kind ned-renderer" in said
    state = small_renderer()
    del state["module.model_final_img.1.bias"]
    status, said = imported(capsys, state, tmp_path, "ned-renderer")
    assert status == 3 and "it lacks model_final_img.1.bias" in said
    state = small_renderer() | {"module.model_down_seg.1.weight": torch.zeros(16, 30, 7, 7)}
    status, said = imported(capsys, state, tmp_path, "ned-renderer")
    assert status == 3 and "30 channels of conditions" in said
    state = small_renderer()
    state["module.model_down_seg.1.weight"][0, 0, 0, 0] = float("nan")
    status, said = imported(capsys, state, tmp_path, "ned-renderer")
    assert status == 3 and "not finite" in said
    state = {name: value for name, value in small_renderer().items() if ".model_res_img.3." not in name}
    status, said = imported(capsys, state, tmp_path, "ned-renderer")
    assert status == 3 and "5 residual blocks" in said
    assert not (tmp_path / "ned.safetensors").exists()
