"""Batches out of a data set, with errors that a person can read wherever they happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset, default_collate

from asccl.errors import AscclError


class LoaderError(AscclError):
    """A process that loads data is gone."""


def loader_of(data: Dataset, batch: int, workers: int) -> DataLoader:
    """Whole batches in an order that is drawn anew every epoch. workers: processes that load."""
    return DataLoader(
        ErrorAsItem(data), batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0,
        collate_fn=collate,
    )  # fmt: skip


class ErrorAsItem(Dataset):
    """The same items; one that cannot be had is its error, which otherwise would not leave a loading process whole."""

    def __init__(self, data: Dataset):
        self.data = data

    def __len__(self) -> int:
        return len(self.data)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Any:
        try:
            return self.data[index]
        except AscclError as error:
            return error


def collate(items: list[Any]) -> Any:
    """A batch, or the first error among the items."""
    errors = [item for item in items if isinstance(item, AscclError)]
    return errors[0] if errors else default_collate(items)


def next_batch(batches: Iterator[Any]) -> Any:
    """The next batch. Raises LoaderError, and what the data raise."""
    try:
        batch = next(batches)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise LoaderError(
            f"a process that loads data died ({str(error).splitlines()[0]})",
            "give it more memory or lower --workers, then start again from the last checkpoint, which is intact",
        ) from error
    if isinstance(batch, AscclError):
        raise batch
    return batch
