"""Batches of a data set, with readable errors also from loading processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset, default_collate

from asccl.errors import AscclError


class LoaderError(AscclError):
    """A process that loads data has died."""


def create_loader(data: Dataset, batch_size: int, workers: int) -> DataLoader:
    """Create a loader of full batches in a new random order every epoch.

    Args:
        data: the data set.
        batch_size: items in a batch.
        workers: processes that load; 0 loads in this process.
    """
    return DataLoader(
        ErrorAsItem(data),
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collate_or_error,
    )


class ErrorAsItem(Dataset):
    """The same data set, with an `AscclError` in place of an item that cannot be loaded.

    An exception raised in a loading process would reach the training with another type and text.
    """

    def __init__(self, data: Dataset):
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Any:
        """Return item `index`, or the error that it raises."""
        try:
            return self.data[index]
        except AscclError as error:
            return error


def collate_or_error(items: list[Any]) -> Any:
    """Collate items to a batch, or return the first error among them."""
    errors = [item for item in items if isinstance(item, AscclError)]
    return errors[0] if errors else default_collate(items)


def next_batch(batches: Iterator[Any]) -> Any:
    """Return the next batch. Raises LoaderError, and every error of the data set."""
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
