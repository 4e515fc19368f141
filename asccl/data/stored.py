"""Pairs rendered beforehand: shards of encoded pictures in a folder, written and read one by one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from asccl.errors import InputError, OutputError, UnreadableError
from asccl.synthetic.datasets import SyntheticPair
from asccl.types import Image

SHARD = 256  # pairs
QUALITY = 95  # of WebP
INDEX = "pairs.json"
PICTURES = ("source", "target")


def write_shard(pairs: Sequence[SyntheticPair], folder: Path, number: int) -> Path:
    """shard-00000.npz, ...; appears whole or not at all. Raises OutputError."""
    columns: dict[str, np.ndarray] = {}
    for name in SyntheticPair._fields:
        values = [getattr(pair, name) for pair in pairs]
        if name in PICTURES:
            files = [_encoded(value) for value in values]
            columns[name] = np.concatenate(files)
            columns[name + "_end"] = np.cumsum([len(file) for file in files])
        else:
            columns[name] = np.array(values)
    path = folder / f"shard-{number:05d}.npz"
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **columns)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({error})", "free some space or give another folder") from error
    return path


class StoredPairs:
    """A map-style data set of the `SyntheticPair`s in a folder. A shard is read when first needed and then kept, encoded.

    Raises InputError where the folder has none or a shard is damaged.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self.about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            self.count, self.shard = int(self.about["count"]), int(self.about["shard"])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{folder} holds no finished set of pairs", "make one: python -m training.prepare_synthetic"
            ) from error
        self._shards: dict[int, dict[str, np.ndarray]] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> SyntheticPair:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        number, row = divmod(index, self.shard)
        columns = self._read(number)
        values: dict[str, Any] = {
            name: _decoded(columns, name, row) if name in PICTURES else _plain(columns[name][row])
            for name in SyntheticPair._fields
        }
        return SyntheticPair(**values)

    def _read(self, number: int) -> dict[str, np.ndarray]:
        if number not in self._shards:
            path = self.folder / f"shard-{number:05d}.npz"
            try:
                with np.load(path, allow_pickle=False) as file:
                    self._shards[number] = {name: file[name] for name in file.files}
            except (OSError, EOFError, ValueError, BadZipFile) as error:
                raise UnreadableError(f"{path} is missing or damaged", "delete it and make it again") from error
        return self._shards[number]


def _encoded(image: Image) -> np.ndarray:
    return cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1]


def _decoded(columns: dict[str, np.ndarray], name: str, row: int) -> Image:
    end = columns[name + "_end"]
    data = columns[name][end[row - 1] if row else 0 : end[row]]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def _plain(value: np.ndarray) -> np.ndarray | int:
    return int(value) if value.ndim == 0 else value
