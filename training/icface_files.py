"""Weight files of ICface's networks and, beside them, of their discriminator."""

from __future__ import annotations

from pathlib import Path

from asccl import hub, tensor_files
from asccl.errors import WeightsError
from asccl.nets.blocks import saved_tensors, tensor_shapes
from asccl.nets.icface import Icface
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DISCRIMINATOR_KIND, DiscriminatorSettings
from asccl.renderers.icface.checkpoint import read_icface_settings
from training.engine.weights import write_weights

SNAPSHOTS = "networks"  # folder of networks that a training keeps
DISCRIMINATOR_SUFFIX = "-D"  # of its file, after the name of the file of neutralizer and animator


def write_icface(
    path: Path, net: Icface, discriminator: IcfaceDiscriminator | None = None, *, half: bool = False
) -> None:
    """Write the file of neutralizer and animator and, beside it, that of the discriminator.

    Args:
        path: file of neutralizer and animator, for `asccl.zoo.load_icface`.
        net: the averaged networks.
        discriminator: None writes neutralizer and animator alone.
        half: write neutralizer and animator in float16.

    Raises:
        OutputError: a file cannot be written.
    """
    tensors = {name: value.half() if half else value for name, value in saved_tensors(net).items()}
    write_weights(path, tensors, net.settings.to_metadata())
    if discriminator is not None:
        metadata = discriminator.settings.to_metadata()
        write_weights(discriminator_file(path), saved_tensors(discriminator), metadata)


def load_initial_icface(source: str, net: Icface, discriminator: IcfaceDiscriminator | None = None) -> list[Path]:
    """Fill the networks from a file of `write_icface` or `import-weights icface`.

    Args:
        source: as for `hub.resolve`.
        net: networks to fill.
        discriminator: network to fill where its file lies beside the other and has as many identities; None reads
            neutralizer and animator alone.

    Returns:
        The files that were read.

    Raises:
        WeightsError: a file is of another kind or size, or its controls have another pose limit.
    """
    path = hub.resolve(source)
    settings = read_icface_settings(path)
    if settings.pose_limit != net.settings.pose_limit:
        raise WeightsError(
            f"{path} has the pose limit {settings.pose_limit}, not {net.settings.pose_limit}",
            f"train with a pose limit of {settings.pose_limit}",
        )
    # the batch-norm counters are not in the file
    net.load_state_dict(tensor_files.load_tensors(path, tensor_shapes(net)), strict=False)
    file = discriminator_file(path)
    if discriminator is None or not file.is_file() or not _fits(file, discriminator.settings):
        return [path]
    discriminator.load_state_dict(tensor_files.load_tensors(file, tensor_shapes(discriminator)))
    return [path, file]


def discriminator_file(path: Path) -> Path:
    """Return the path of the discriminator's file beside that of neutralizer and animator."""
    return path.with_name(f"{path.stem}{DISCRIMINATOR_SUFFIX}{path.suffix}")


def snapshot_file(folder: Path, step: int) -> Path:
    """Return the path of the averaged networks after a number of steps, below the output folder of a training."""
    return folder / SNAPSHOTS / f"step-{step:08d}.safetensors"


def list_snapshots(folder: Path) -> dict[int, Path]:
    """List the snapshots in the output folder of a training by their step."""
    return {int(path.stem.partition("-")[2]): path for path in sorted((folder / SNAPSHOTS).glob("step-*.safetensors"))}


def _fits(file: Path, settings: DiscriminatorSettings) -> bool:
    """Whether a discriminator's file has these settings. Raises WeightsError for a file of another kind."""
    metadata = tensor_files.read_metadata(file)
    if metadata.get("kind") != DISCRIMINATOR_KIND:
        raise WeightsError(f"{file} is of the kind {metadata.get('kind')}, not {DISCRIMINATOR_KIND}", "remove it")
    return DiscriminatorSettings.from_metadata(metadata) == settings
