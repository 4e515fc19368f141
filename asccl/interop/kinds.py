"""What can be imported: a table with one entry for each kind of checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from asccl.errors import InputError, SettingError

if TYPE_CHECKING:  # torch takes seconds to import: not for the help
    import torch

    State = dict[str, torch.Tensor]

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class ConvertedWeights:
    """Tensors under our names. metadata: what the file will say of itself. notes: what was done to them, in words."""

    tensors: State
    metadata: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of checkpoint.

    about: one line for the help. marks: names of tensors that only this kind has, all of them. convert: a state dict ->
    what we make of it; raises `WeightsMismatchError`. read: for files that are no state dict, suffix -> reader.
    """

    name: str
    about: str
    marks: tuple[str, ...]
    convert: Callable[[State], ConvertedWeights]
    read: Mapping[str, Callable[[Path], State]] = field(default_factory=dict)


class WeightsMismatchError(Exception):
    """These tensors are not those of the network. Its text says why and follows the file's name."""


def _scc(state: State) -> ConvertedWeights:
    from asccl.interop.faces import convert_scc

    return convert_scc(state)


def _arcface(state: State) -> ConvertedWeights:
    from asccl.interop.faces import convert_arcface

    return convert_arcface(state)


def _arcface_onnx(path: Path) -> State:
    from asccl.interop.onnx_file import read_iresnet

    return read_iresnet(path)


def _ned_manipulator(state: State) -> ConvertedWeights:
    from asccl.interop.ned import convert_manipulator

    return convert_manipulator(state)


def _ned_renderer(state: State) -> ConvertedWeights:
    from asccl.interop.ned import convert_renderer

    return convert_renderer(state)


def _ned_discriminator(state: State) -> ConvertedWeights:
    from asccl.interop.ned import convert_discriminator

    return convert_discriminator(state)


def _vgg(state: State) -> ConvertedWeights:
    from asccl.interop.vgg import convert_vgg

    return convert_vgg(state)


_TABLE = (
    Kind(
        "scc",
        "the metric of the paper's authors: the .pth with the state dict of its backbone and heads",
        ("resnet50.conv1.weight", "mlp.0.weight"),
        _scc,
    ),
    Kind(
        "arcface",
        "IResNet-50 or -18 trained with ArcFace: .pth with insightface's names, or insightface's w600k_r50.onnx",
        ("conv1.weight", "prelu.weight", "layer1.0.bn1.weight"),
        _arcface,
        {".onnx": _arcface_onnx},
    ),
    Kind(
        "ned-manipulator",
        "NED's and SCMCL's NN_nets.pth: the four networks that change the emotion of 3DMM coefficients",
        ("generator.seq1.0.weight", "mapping_network.shared.0.weight"),
        _ned_manipulator,
    ),
    Kind(
        "ned-renderer",
        "NED's and SCMCL's NN_net_G.pth or latest_net_G.pth: draws the face from condition images",
        ("model_down_seg.1.weight", "model_res_img.0.conv_block.1.weight"),
        _ned_renderer,
    ),
    Kind(
        "ned-discriminator",
        "NED's and SCMCL's NN_net_D.pth or NN_net_Dm.pth, to train a renderer further",
        ("scale0_layer0.0.weight", "scale1_layer0.0.weight"),
        _ned_discriminator,
    ),
    Kind(
        "vgg19",
        "torchvision's vgg19-dcbb9e9d.pth, for the perceptual loss of a renderer's training",
        ("features.0.weight", "features.28.weight"),
        _vgg,
    ),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _TABLE})


def import_weights(kind: str, source: Path, output: Path) -> list[str]:
    """Convert a checkpoint into a safetensors file, which appears whole or not at all. Returns what was done, in words.

    kind: a name of `KINDS`. output: ends in .safetensors. The same source gives the same bytes. Raises SettingError,
    InputError (the source), OutputError, and AscclError where a package is missing.
    """
    if kind not in KINDS:
        raise SettingError(f"there is no kind {kind!r}", f"choose one of {', '.join(KINDS)}")
    if output.suffix != SUFFIX:
        raise SettingError(f"{output.name} does not end in {SUFFIX}", f"name it {output.stem}{SUFFIX}")
    if output.resolve() == source.resolve():
        raise SettingError(f"{output.name} is the input as well", "choose another name after -o")
    from asccl import hub
    from asccl.files import AtomicFile
    from asccl.interop.files import read_state, serialize

    state, notes = read_state(source, KINDS[kind].read)
    try:
        made = KINDS[kind].convert(state)
    except WeightsMismatchError as reason:
        raise _refusal(kind, source, state, reason) from reason
    origin = {"origin": source.name, "origin_sha256": hub.sha256(source)}
    with AtomicFile(output) as file:
        file.temporary_path.write_bytes(serialize(made.tensors, {"kind": kind, **made.metadata, **origin}))
    return [*notes, *made.notes]


def _refusal(kind: str, source: Path, state: State, reason: WeightsMismatchError) -> InputError:
    for other in KINDS.values():
        if other.name != kind and all(mark in state for mark in other.marks):
            return InputError(
                f"{source} looks like the kind {other.name}, not {kind}", f"run `import-weights {other.name}` instead"
            )
    return InputError(f"{source} is not of the kind {kind}: {reason}", "give the file that its authors published")
