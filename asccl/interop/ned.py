"""NED's networks."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from asccl.interop.fitting import match_tensors
from asccl.interop.kinds import ConvertedWeights, WeightsMismatchError
from asccl.nets import ned_renderer
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes, mean_styles
from asccl.types import EMOTIONS

SPACES = {51: "flame", 52: "arkit"}  # which coefficients, by their number


def convert_manipulator(state: dict[str, torch.Tensor]) -> ConvertedWeights:
    """NED's names are ours. The published file knows no mean styles: they are those of its mapping network.

    Raises Unfit.
    """
    sizes = _sizes(state)
    net = Manipulator(sizes)
    tensors = match_tensors(state, net, without=("mean_style",))
    net.load_state_dict({**tensors, "mean_style": net.mean_style})
    tensors["mean_style"] = mean_styles(net.mapping_network, sizes.latent)
    space = SPACES.get(sizes.coefficients, "unknown")
    return ConvertedWeights(
        tensors,
        {"space": space, "emotions": ",".join(EMOTIONS), **sizes.to_metadata()},
        (
            f"{sizes.coefficients} coefficients ({space}), style of {sizes.style}, width {sizes.width}",
            f"took its emotions to be in the order {', '.join(EMOTIONS)}: a file does not say",
            "added the mean style of each emotion, from its mapping network",
        ),
    )


def _sizes(state: dict[str, torch.Tensor]) -> ManipulatorSizes:
    try:
        width, _ = state["generator.seq1.0.weight"].shape
        hidden, latent = state["mapping_network.shared.0.weight"].shape
        coefficients, _ = state["generator.seq2.4.weight"].shape
        style, _ = state["style_encoder.seq2.4.weight"].shape
        emotions, _ = state["discriminator.seq2.4.weight"].shape
    except (KeyError, ValueError) as error:
        raise WeightsMismatchError(
            f"it has no {error}" if isinstance(error, KeyError) else "its layers have other shapes"
        ) from error
    if emotions != len(EMOTIONS):
        raise WeightsMismatchError(f"it knows {emotions} emotions, not {len(EMOTIONS)}")
    if width % 8:
        raise WeightsMismatchError(f"its generator is {width} wide, no multiple of 8")
    return ManipulatorSizes(coefficients, width, style, latent, hidden)


def convert_renderer(state: dict[str, torch.Tensor]) -> ConvertedWeights:
    """The generator of NED's second stage; its names are ours but for twins. Raises Unfit."""
    sizes = _generator_sizes(state)
    own = {name: value for name, value in state.items() if not ned_renderer.DUPLICATE_TENSOR.search(name)}
    with torch.device("meta"):
        net = ned_renderer.Generator(sizes)
    return ConvertedWeights(
        match_tensors(own, net),
        {"conditions": "flame", **sizes.to_metadata()},
        (
            f"{sizes.ngf} channels, {sizes.downsamplings} downsamplings, {sizes.blocks} blocks",
            f"dropped {len(state) - len(own)} tensors that the file holds twice (resnetblock_sequential)",
            "it draws from images of FLAME's head as NED makes them, not from the open head's",
        ),
    )


def convert_discriminator(state: dict[str, torch.Tensor]) -> ConvertedWeights:
    """One discriminator of NED's second stage, of the picture or of the mouth: both have the same layers. Raises
    Unfit."""
    try:
        ndf, inputs = state["scale0_layer0.0.weight"].shape[:2]
    except (KeyError, ValueError) as error:
        raise WeightsMismatchError("it has no scale0_layer0.0.weight of a convolution") from error
    if inputs != ned_renderer.CONDITION_CHANNELS + 3:
        raise WeightsMismatchError(
            f"its first layer takes {inputs} channels, not {ned_renderer.CONDITION_CHANNELS + 3}"
        )
    scales = sum(1 for _ in _counted(state, "scale{}_layer0.0.weight"))
    layers = sum(1 for _ in _counted(state, "scale0_layer{}.0.weight")) - 2
    sizes = ned_renderer.RendererSizes(ndf=ndf, scales=scales, layers=layers)
    with torch.device("meta"):
        net = ned_renderer.Discriminator(sizes)
    told = f"{ndf} channels, {scales} scales, {layers + 2} layers each"
    return ConvertedWeights(match_tensors(state, net), {"conditions": "flame", **sizes.to_metadata()}, (told,))


def _generator_sizes(state: dict[str, torch.Tensor]) -> ned_renderer.RendererSizes:
    """Of a generator that normalises by running statistics, as NED's do. Raises Unfit."""
    try:
        ngf, conditions = state["model_down_seg.1.weight"].shape[:2]
        previous = state["model_down_img.1.weight"].shape[1]
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsMismatchError(
            f"it has no {error}" if isinstance(error, KeyError) else "its layers have other shapes"
        ) from error
    wanted = (ned_renderer.INPUT_FRAMES * ned_renderer.CONDITION_CHANNELS, 3 * ned_renderer.PREVIOUS_FRAMES)
    if (conditions, previous) != wanted:
        raise WeightsMismatchError(
            f"it takes {conditions} channels of conditions and {previous} of frames, not {wanted}"
        )
    downs = sum(1 for _ in _counted(state, "model_up_img.{}.weight", 0, 3))
    before = sum(1 for _ in _counted(state, "model_down_seg.{}.conv_block.1.weight", 4 + 3 * downs))
    after = sum(1 for _ in _counted(state, "model_res_img.{}.conv_block.1.weight"))
    if before - after not in (0, 1):
        raise WeightsMismatchError(f"it has {before} residual blocks before its encoders meet and {after} after")
    return ned_renderer.RendererSizes(ngf, downs, before + after)


def _counted(state: dict[str, torch.Tensor], name: str, start: int = 0, step: int = 1) -> Iterator[str]:
    """The names with start, start + step, ... in them, as far as they are there."""
    while name.format(start) in state:
        yield name.format(start)
        start += step
