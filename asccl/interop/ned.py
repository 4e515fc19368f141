"""The networks of NED."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from asccl.interop.base import ConvertedWeights, StateDict, WeightsMismatchError, match_tensors
from asccl.nets import ned_renderer
from asccl.nets.blocks import tensor_shapes
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes, sample_mean_styles
from asccl.types import EMOTIONS

COEFFICIENT_SPACES = {51: "flame", 52: "arkit"}  # by the number of coefficients


def convert_manipulator(state: StateDict) -> ConvertedWeights:
    """Convert NED's manipulator, whose names are ours, and add the mean styles of its mapping network.

    Raises WeightsMismatchError.
    """
    sizes = _manipulator_sizes(state)
    net = Manipulator(sizes)
    shapes = tensor_shapes(net)
    del shapes["mean_style"]  # published files have no mean styles
    tensors = match_tensors(state, shapes)
    net.load_state_dict({**tensors, "mean_style": net.mean_style})
    tensors["mean_style"] = sample_mean_styles(net.mapping_network, sizes.latent)
    space = COEFFICIENT_SPACES.get(sizes.coefficients, "unknown")
    return ConvertedWeights(
        tensors,
        {"space": space, "emotions": ",".join(EMOTIONS), **sizes.to_metadata()},
        (
            f"{sizes.coefficients} coefficients ({space}), style of {sizes.style}, width {sizes.width}",
            f"assumed the order of emotions {', '.join(EMOTIONS)}: the file does not state it",
            "added the mean style of each emotion, from its mapping network",
        ),
    )


def _manipulator_sizes(state: StateDict) -> ManipulatorSizes:
    try:
        width, _ = state["generator.seq1.0.weight"].shape
        hidden, latent = state["mapping_network.shared.0.weight"].shape
        coefficients, _ = state["generator.seq2.4.weight"].shape
        style, _ = state["style_encoder.seq2.4.weight"].shape
        emotions, _ = state["discriminator.seq2.4.weight"].shape
    except (KeyError, ValueError) as error:
        raise _shape_error(error) from error
    if emotions != len(EMOTIONS):
        raise WeightsMismatchError(f"it has {emotions} emotions, not {len(EMOTIONS)}")
    if width % 8:
        raise WeightsMismatchError(f"the width of its generator, {width}, is not a multiple of 8")
    return ManipulatorSizes(coefficients, width, style, latent, hidden)


def _shape_error(error: Exception) -> WeightsMismatchError:
    missing = isinstance(error, KeyError)
    return WeightsMismatchError(f"{error} is missing" if missing else "its layers have other shapes")


def convert_renderer(state: StateDict) -> ConvertedWeights:
    """Convert the generator of NED's second stage; its names are ours, except for duplicates.

    Raises WeightsMismatchError.
    """
    sizes = _generator_sizes(state)
    kept = {name: value for name, value in state.items() if not ned_renderer.DUPLICATE_TENSOR.search(name)}
    with torch.device("meta"):
        net = ned_renderer.NedGenerator(sizes)
    return ConvertedWeights(
        match_tensors(kept, tensor_shapes(net)),
        {"conditions": "flame", **sizes.to_metadata()},
        (
            f"{sizes.ngf} channels, {sizes.downsamplings} downsamplings, {sizes.blocks} blocks",
            f"dropped {len(state) - len(kept)} tensors that the file contains twice (resnetblock_sequential)",
            "it reads NED's condition images of FLAME's head model, not those of the open head model",
        ),
    )


def _generator_sizes(state: StateDict) -> ned_renderer.RendererSizes:
    """Read the sizes of a generator that normalizes by running statistics, as NED's do."""
    try:
        ngf, conditions = state["model_down_seg.1.weight"].shape[:2]
        previous = state["model_down_img.1.weight"].shape[1]
    except (KeyError, ValueError, IndexError) as error:
        raise _shape_error(error) from error
    expected = (ned_renderer.INPUT_FRAMES * ned_renderer.CONDITION_CHANNELS, 3 * ned_renderer.PREVIOUS_FRAMES)
    if (conditions, previous) != expected:
        raise WeightsMismatchError(
            f"it takes {conditions} channels of conditions and {previous} of frames, not {expected}"
        )
    downsamplings = sum(1 for _ in _numbered(state, "model_up_img.{}.weight", 0, 3))
    first_block = 4 + 3 * downsamplings
    encoder_blocks = sum(1 for _ in _numbered(state, "model_down_seg.{}.conv_block.1.weight", first_block))
    later_blocks = sum(1 for _ in _numbered(state, "model_res_img.{}.conv_block.1.weight"))
    if encoder_blocks - later_blocks not in (0, 1):
        raise WeightsMismatchError(
            f"it has {encoder_blocks} residual blocks in an encoder and {later_blocks} after the encoders"
        )
    return ned_renderer.RendererSizes(ngf, downsamplings, encoder_blocks + later_blocks)


def convert_discriminator(state: StateDict) -> ConvertedWeights:
    """Convert a discriminator of NED's second stage: that of the image and that of the mouth have the same layers.

    Raises WeightsMismatchError.
    """
    try:
        ndf, in_channels = state["scale0_layer0.0.weight"].shape[:2]
    except (KeyError, ValueError) as error:
        raise WeightsMismatchError("scale0_layer0.0.weight is missing, or not of a convolution") from error
    expected = ned_renderer.CONDITION_CHANNELS + 3
    if in_channels != expected:
        raise WeightsMismatchError(f"its first layer takes {in_channels} channels, not {expected}")
    scales = sum(1 for _ in _numbered(state, "scale{}_layer0.0.weight"))
    layers = sum(1 for _ in _numbered(state, "scale0_layer{}.0.weight")) - 2
    sizes = ned_renderer.RendererSizes(ndf=ndf, scales=scales, layers=layers)
    with torch.device("meta"):
        net = ned_renderer.NedDiscriminator(sizes)
    tensors = match_tensors(state, tensor_shapes(net))
    notes = (f"{ndf} channels, {scales} scales, {layers + 2} layers each",)
    return ConvertedWeights(tensors, {"conditions": "flame", **sizes.to_metadata()}, notes)


def _numbered(state: StateDict, name: str, start: int = 0, step: int = 1) -> Iterator[str]:
    """Yield the names with start, start + step, ... in them, up to the first that is missing."""
    while name.format(start) in state:
        yield name.format(start)
        start += step
