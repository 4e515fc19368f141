"""NED's checkpoints through `import-weights`: stand-ins with synthetic weights."""

from collections.abc import Callable

import pytest
import torch
from official import names, save_checkpoint, synthetic_weights
from safetensors.torch import load_file

from asccl import tensor_files
from asccl.errors import WeightsError
from asccl.interop import ned
from asccl.nets import ned_renderer
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from asccl.zoo import load_manipulator
from training.engine.weights import write_weights

NETS = ("generator", "mapping_network", "style_encoder", "discriminator")


def manipulator_state(prefix: str = "module.") -> dict:
    return {
        net: {prefix + name: value for name, value in synthetic_weights(names("ned_manipulator", net)).items()}
        for net in NETS
    }


def renderer_state(net: str = "G", prefix: str = "module.") -> dict:
    """A quarter as wide as the published one; its residual blocks are contained twice, as there."""
    sizes = ned_renderer.RendererSizes(ngf=16, ndf=16)
    state = (ned_renderer.NedGenerator if net == "G" else ned_renderer.NedDiscriminator)(sizes).state_dict()
    blocks = {name: value for name, value in state.items() if ".conv_block." in name}
    state |= {name.replace(".conv_block.", ".resnetblock_sequential."): value for name, value in blocks.items()}
    assert state.keys() == names("ned_renderer", net).keys()
    return {prefix + name: value for name, value in state.items()}


@pytest.fixture
def import_ned(run_import, tmp_path) -> Callable[..., tuple[int, str]]:
    """Import a state dict into ned.safetensors -> exit status, and all output."""

    def run(state: dict, kind: str = "ned-manipulator") -> tuple[int, str]:
        path = save_checkpoint(state, tmp_path / "NN_nets.pth")
        return run_import(kind, path, "-o", tmp_path / "ned.safetensors")

    return run


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_published_manipulator(tmp_path, import_ned, prefix):
    status, output = import_ned(manipulator_state(prefix))
    assert status == 0, output
    assert "51 coefficients (flame)" in output
    assert "order of emotions neutral, angry" in output
    path = tmp_path / "ned.safetensors"
    metadata = tensor_files.read_metadata(path)
    assert metadata["kind"] == "ned-manipulator"
    assert metadata["space"] == "flame"
    net = Manipulator(ManipulatorSizes.from_metadata(metadata))
    net.load_state_dict(load_file(path))
    assert torch.equal(net.generator.LSTM.weight_hh_l1, manipulator_state()["generator"]["module.LSTM.weight_hh_l1"])
    assert net.mean_style.abs().sum() > 1


def test_loading_a_manipulator_explains_why_a_file_does_not_fit(tmp_path, import_ned):
    import_ned(manipulator_state())
    with pytest.raises(WeightsError, match=r"changes flame coefficients, not the ARKit units.*docs/ned\.md"):
        load_manipulator(tmp_path / "ned.safetensors")
    net, other = Manipulator(ManipulatorSizes(width=16)), tmp_path / "other.safetensors"
    metadata = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS), **net.sizes.to_metadata()}
    write_weights(other, net.state_dict(), metadata)
    assert load_manipulator(other).frozen
    assert load_manipulator(other) is load_manipulator(str(other))
    for change, words in (
        ({"kind": "scc"}, "is not a manipulator"),
        ({"emotions": ",".join(EMOTIONS[::-1])}, "has the emotions surprised,sad"),
        ({"width": "much"}, "lack the sizes of its networks"),
        ({"width": "24"}, "not "),
    ):
        write_weights(other, net.state_dict(), metadata | change)
        with pytest.raises(WeightsError, match=words):
            load_manipulator(other)


def test_other_manipulators_are_refused(tmp_path, import_ned):
    state = manipulator_state()
    status, output = import_ned({k: v for k, v in state.items() if k != "discriminator"})
    assert status == 3
    assert "'discriminator.seq2.4.weight' is missing" in output
    status, output = import_ned(state, "arcface")
    assert status == 3
    assert "looks like the kind ned-manipulator, not arcface" in output
    del state["generator"]["module.seq2.2.bias"]
    status, output = import_ned(state)
    assert status == 3
    assert "missing generator.seq2.2.bias" in output
    state = manipulator_state()
    state["discriminator"]["module.seq2.4.weight"] = torch.zeros(8, 64)
    status, output = import_ned(state)
    assert status == 3
    assert "it has 8 emotions, not 7" in output
    assert not (tmp_path / "ned.safetensors").exists()


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_published_renderer(tmp_path, import_ned, prefix):
    state = renderer_state("G", prefix)
    status, output = import_ned(state, "ned-renderer")
    assert status == 0, output
    assert "16 channels, 3 downsamplings, 9 blocks" in output
    assert "FLAME" in output
    path = tmp_path / "ned.safetensors"
    metadata = tensor_files.read_metadata(path)
    assert metadata["kind"] == "ned-renderer"
    assert metadata["conditions"] == "flame"
    net = ned_renderer.NedGenerator(ned_renderer.RendererSizes.from_metadata(metadata))
    net.load_state_dict(load_file(path))
    name = "model_res_img.3.conv_block.5.weight"
    assert torch.equal(net.get_parameter(name), state[prefix + name])


def test_the_published_sizes_are_read_from_the_shapes():
    state = synthetic_weights(names("ned_renderer", "G"))
    assert ned._generator_sizes(state) == ned_renderer.RendererSizes()
    metadata = ned.convert_discriminator(synthetic_weights(names("ned_renderer", "D"))).metadata
    assert ned_renderer.RendererSizes.from_metadata(metadata) == ned_renderer.RendererSizes()


def test_the_published_discriminators(tmp_path, import_ned):
    status, output = import_ned(renderer_state("D"), "ned-discriminator")
    assert status == 0
    assert "16 channels, 2 scales, 5 layers each" in output
    path = tmp_path / "ned.safetensors"
    net = ned_renderer.NedDiscriminator(ned_renderer.RendererSizes.from_metadata(tensor_files.read_metadata(path)))
    net.load_state_dict(load_file(path))


def test_other_renderers_are_refused(tmp_path, import_ned):
    status, output = import_ned(renderer_state("D"), "ned-renderer")
    assert status == 3
    assert "looks like the kind ned-discriminator, not ned-renderer" in output
    status, output = import_ned(renderer_state(), "ned-manipulator")
    assert status == 3
    assert "looks like the kind ned-renderer" in output
    state = renderer_state()
    del state["module.model_final_img.1.bias"]
    status, output = import_ned(state, "ned-renderer")
    assert status == 3
    assert "missing model_final_img.1.bias" in output
    state = renderer_state() | {"module.model_down_seg.1.weight": torch.zeros(16, 30, 7, 7)}
    status, output = import_ned(state, "ned-renderer")
    assert status == 3
    assert "30 channels of conditions" in output
    state = renderer_state()
    state["module.model_down_seg.1.weight"][0, 0, 0, 0] = float("nan")
    status, output = import_ned(state, "ned-renderer")
    assert status == 3
    assert "not finite" in output
    state = {name: value for name, value in renderer_state().items() if ".model_res_img.3." not in name}
    status, output = import_ned(state, "ned-renderer")
    assert status == 3
    assert "5 residual blocks" in output
    assert not (tmp_path / "ned.safetensors").exists()
