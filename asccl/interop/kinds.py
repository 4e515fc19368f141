"""The kinds of checkpoints that can be imported: a table with one entry for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from asccl.errors import InputError, SettingError
from asccl.interop.base import ConvertedWeights, StateDict, WeightsMismatchError

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class CheckpointKind:
    """One kind of checkpoint.

    Attributes:
        name: name on the command line.
        description: one line for the help.
        marker_tensors: names of tensors that only this kind has, all of them.
        convert: converts a state dict; raises `WeightsMismatchError`.
        readers: suffix -> reader, for files that PyTorch does not read.
        find_files: completes and checks the files of a kind that has one for each of several networks; returns them by
            the names that their tensors begin with. None for a kind with one file.
    """

    name: str
    description: str
    marker_tensors: tuple[str, ...]
    convert: Callable[[StateDict], ConvertedWeights]
    readers: Mapping[str, Callable[[Path], StateDict]] = field(default_factory=dict)
    find_files: Callable[[Sequence[Path]], Mapping[str, Path]] | None = None


# Each converter imports torch, which takes seconds, so the help must not import them.
def _scc(state: StateDict) -> ConvertedWeights:
    from asccl.interop.faces import convert_scc

    return convert_scc(state)


def _arcface(state: StateDict) -> ConvertedWeights:
    from asccl.interop.faces import convert_arcface

    return convert_arcface(state)


def _arcface_onnx(path: Path) -> StateDict:
    from asccl.interop.onnx_file import read_iresnet

    return read_iresnet(path)


def _ned_manipulator(state: StateDict) -> ConvertedWeights:
    from asccl.interop.ned import convert_manipulator

    return convert_manipulator(state)


def _ned_renderer(state: StateDict) -> ConvertedWeights:
    from asccl.interop.ned import convert_renderer

    return convert_renderer(state)


def _ned_discriminator(state: StateDict) -> ConvertedWeights:
    from asccl.interop.ned import convert_discriminator

    return convert_discriminator(state)


def _icface(state: StateDict) -> ConvertedWeights:
    from asccl.interop.icface import convert_icface

    return convert_icface(state)


def _icface_files(sources: Sequence[Path]) -> Mapping[str, Path]:
    from asccl.interop.icface import complete_files

    return complete_files(sources)


def _vgg(state: StateDict) -> ConvertedWeights:
    from asccl.interop.vgg import convert_vgg

    return convert_vgg(state)


def _syncnet(state: StateDict) -> ConvertedWeights:
    from asccl.interop.evaluation import convert_syncnet

    return convert_syncnet(state)


def _efficientface(state: StateDict) -> ConvertedWeights:
    from asccl.interop.evaluation import convert_efficientface

    return convert_efficientface(state)


def _arcface_resnet18(state: StateDict) -> ConvertedWeights:
    from asccl.interop.evaluation import convert_arcface_resnet18

    return convert_arcface_resnet18(state)


_TABLE = (
    CheckpointKind(
        name="scc",
        description="the metric of the paper's authors: the .pth with the state dict of its backbone and mapping",
        marker_tensors=("resnet50.conv1.weight", "mlp.0.weight"),
        convert=_scc,
    ),
    CheckpointKind(
        name="arcface",
        description="ArcFace's IResNet-50 or -18: .pth with insightface's names, or insightface's w600k_r50.onnx",
        marker_tensors=("conv1.weight", "prelu.weight", "layer1.0.bn1.weight"),
        convert=_arcface,
        readers={".onnx": _arcface_onnx},
    ),
    CheckpointKind(
        name="ned-manipulator",
        description="NED's and SCMCL's NN_nets.pth: the four networks that change the emotion of 3DMM coefficients",
        marker_tensors=("generator.seq1.0.weight", "mapping_network.shared.0.weight"),
        convert=_ned_manipulator,
    ),
    CheckpointKind(
        name="ned-renderer",
        description="NED's and SCMCL's NN_net_G.pth or latest_net_G.pth: renders the face from condition images",
        marker_tensors=("model_down_seg.1.weight", "model_res_img.0.conv_block.1.weight"),
        convert=_ned_renderer,
    ),
    CheckpointKind(
        name="ned-discriminator",
        description="NED's and SCMCL's NN_net_D.pth or NN_net_Dm.pth, to continue the training of a renderer",
        marker_tensors=("scale0_layer0.0.weight", "scale1_layer0.0.weight"),
        convert=_ned_discriminator,
    ),
    CheckpointKind(
        name="icface",
        description="ICface's latest_net_G.pth and latest_net_GN.pth, two files; one finds the other beside it",
        marker_tensors=("model.1.weight", "model.10.conv_block.1.weight"),
        convert=_icface,
        find_files=_icface_files,
    ),
    CheckpointKind(
        name="syncnet",
        description="SyncNet's syncnet_v2.model, for LSE-D and LSE-C",
        marker_tensors=("netcnnaud.0.weight", "netcnnlip.0.weight"),
        convert=_syncnet,
    ),
    CheckpointKind(
        name="efficientface",
        description="EfficientFace_Trained_on_AffectNet7.pth.tar, for the CSIM of the paper's group",
        marker_tensors=("local.conv1_1.weight", "modulator.channel_att.gate_c.gate_c_fc_0.weight"),
        convert=_efficientface,
    ),
    CheckpointKind(
        name="arcface-resnet18",
        description="resnet18_110.pth of arcface-pytorch, grey-scale, for the FAD of the paper's group",
        marker_tensors=("fc5.weight", "layer1.0.bn0.weight"),
        convert=_arcface_resnet18,
    ),
    CheckpointKind(
        name="vgg19",
        description="torchvision's vgg19-dcbb9e9d.pth, for the perceptual loss of a renderer's training",
        marker_tensors=("features.0.weight", "features.28.weight"),
        convert=_vgg,
    ),
)
KINDS: Mapping[str, CheckpointKind] = MappingProxyType({kind.name: kind for kind in _TABLE})


def import_weights(kind: str, sources: Path | Sequence[Path], output: Path) -> list[str]:
    """Convert a checkpoint into a safetensors file. The same sources give the same bytes.

    Args:
        kind: a name of `KINDS`.
        sources: the file or files of the checkpoint.
        output: the new file, which ends in .safetensors; it is written completely or not at all.

    Returns:
        What was changed, for the user.

    Raises:
        SettingError: unknown kind, or unsuitable output.
        InputError: the sources are not a checkpoint of this kind.
        OutputError: the output cannot be written.
        AscclError: a package is missing.
    """
    if kind not in KINDS:
        raise SettingError(f"there is no kind {kind!r}", f"choose one of {', '.join(KINDS)}")
    if output.suffix != SUFFIX:
        raise SettingError(f"{output.name} does not end in {SUFFIX}", f"name it {output.stem}{SUFFIX}")
    files = _find_files(KINDS[kind], [sources] if isinstance(sources, Path) else list(sources))
    if output.resolve() in [path.resolve() for path in files.values()]:
        raise SettingError(f"{output.name} is also the input", "choose another name after -o")
    from asccl import hub
    from asccl.files import AtomicFile
    from asccl.nets.serialize import serialize

    state, notes = _read_files(KINDS[kind], files)
    try:
        converted = KINDS[kind].convert(state)
    except WeightsMismatchError as reason:
        raise _mismatch_error(kind, files, state, reason) from reason
    origin = {
        "origin": ", ".join(path.name for path in files.values()),
        "origin_sha256": ", ".join(hub.sha256(path) for path in files.values()),
    }
    with AtomicFile(output) as file:
        file.temporary_path.write_bytes(serialize(converted.tensors, {"kind": kind, **converted.metadata, **origin}))
    return [*notes, *converted.notes]


def _find_files(kind: CheckpointKind, sources: Sequence[Path]) -> Mapping[str, Path]:
    """Return the files by the names that their tensors begin with; "" for a kind with one file."""
    if kind.find_files is not None:
        return kind.find_files(sources)
    if len(sources) > 1:
        raise SettingError(f"the kind {kind.name} has one file, not {len(sources)}", "import one after the other")
    return {"": sources[0]}


def _read_files(kind: CheckpointKind, files: Mapping[str, Path]) -> tuple[StateDict, list[str]]:
    """Return the tensors of all files, and notes on changes of their names."""
    from asccl.interop.files import read_state

    state: StateDict = {}
    notes: list[str] = []
    for network, path in files.items():
        tensors, file_notes = read_state(path, kind.readers)
        state |= {f"{network}.{name}" if network else name: value for name, value in tensors.items()}
        notes += [f"{path.name}: {note}" if network else note for note in file_notes]
    return state, notes


def _mismatch_error(kind: str, files: Mapping[str, Path], state: StateDict, reason: WeightsMismatchError) -> InputError:
    """Name the kind that a file has instead, if there is one."""
    source = " and ".join(map(str, files.values()))
    networks = [network for network in files if network]
    stripped = {name.removeprefix(f"{network}.") for network in networks for name in state} | state.keys()
    for other in KINDS.values():
        if other.name != kind and all(name in stripped for name in other.marker_tensors):
            return InputError(
                f"{source} looks like the kind {other.name}, not {kind}", f"run `import-weights {other.name}` instead"
            )
    return InputError(f"{source} is not of the kind {kind}: {reason}", "give the file that its authors published")
