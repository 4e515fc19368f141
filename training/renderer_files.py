"""Weight files of a renderer and, beside it, of its discriminators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import nn

from asccl import hub, tensor_files
from asccl.errors import WeightsError
from asccl.face.crop import CROP_SIZE, warp_crop
from asccl.nets.blocks import saved_tensors, tensor_shapes
from asccl.nets.ned_renderer import NedGenerator, RendererSizes
from asccl.renderers.neural.checkpoint import DISCRIMINATOR_KIND, RENDERER_KIND, RendererMetadata
from asccl.zoo import load_embedder
from training.datasets.portraits import Portrait
from training.engine.weights import write_weights
from training.renderer_eval import spread_indices
from training.renderer_step import Discriminators

DISCRIMINATOR_SUFFIXES = {"image": "-D", "mouth": "-Dm"}  # of their files, after the name of the renderer's file
EMBEDDED_FRAMES = 64  # whose mean embedding identifies the person


def load_initial_weights(source: str, generator: NedGenerator, discriminators: Discriminators | None) -> list[Path]:
    """Fill the networks from the file of a renderer and, where they exist, the files of its discriminators beside it.

    Args:
        source: as for `hub.resolve`.
        generator: network to fill.
        discriminators: networks to fill; None reads the renderer's file alone.

    Returns:
        The files that were read.

    Raises:
        WeightsError: a file is of another kind or size.
    """
    path = hub.resolve(source)
    networks: dict[Path, tuple[str, nn.Module]] = {path: (RENDERER_KIND, generator)}
    if discriminators is not None:
        for name, file in _discriminator_files(path):
            if file.is_file():
                networks[file] = (DISCRIMINATOR_KIND, discriminators.get_submodule(name))
    for file, (kind, net) in networks.items():
        file_kind = tensor_files.read_metadata(file).get("kind")
        if file_kind != kind:
            raise WeightsError(f"{file} is of the kind {file_kind}, not {kind}", "give --start-from a renderer's file")
        net.load_state_dict(tensor_files.load_tensors(file, tensor_shapes(net)), strict=False)
    return list(networks)


def _discriminator_files(renderer: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each discriminator and its file beside that of the renderer."""
    for name, suffix in DISCRIMINATOR_SUFFIXES.items():
        yield name, renderer.with_name(f"{renderer.stem}{suffix}{renderer.suffix}")


def build_metadata(sizes: RendererSizes, portraits: Sequence[Portrait]) -> RendererMetadata:
    """Build the metadata of the renderer's file; the person's embedding is the mean over sampled frames."""
    crops = []
    for portrait in portraits:
        for t in spread_indices(len(portrait), -(-EMBEDDED_FRAMES // len(portraits))):
            window = portrait.window(t, t + 1)
            frame = ((window.frames[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            crops.append(warp_crop(frame, window.crop_matrix[0].double().numpy(), CROP_SIZE))
    return RendererMetadata.from_embeddings(sizes, portraits[0].size, load_embedder().embed(np.stack(crops)))


def write_renderer(
    path: Path, generator: NedGenerator, discriminators: Discriminators | None, portraits: Sequence[Portrait]
) -> None:
    """Write the renderer's file and, beside it, those of its discriminators.

    Args:
        path: file of the renderer.
        generator: the averaged generator.
        discriminators: None writes the renderer alone.
        portraits: training data, which identify the person.

    Raises:
        OutputError: a file cannot be written.
    """
    metadata = build_metadata(generator.sizes, portraits).to_metadata()
    write_weights(path, saved_tensors(generator), metadata)
    if discriminators is not None:
        metadata = {
            "kind": DISCRIMINATOR_KIND,
            "conditions": metadata["conditions"],
            **generator.sizes.to_metadata(),
        }
        for name, file in _discriminator_files(path):
            write_weights(file, saved_tensors(discriminators.get_submodule(name)), metadata)
