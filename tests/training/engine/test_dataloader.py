from __future__ import annotations

import os

import pytest
from torch.utils.data import Dataset

from asccl.errors import AscclError, InputError
from training.engine.dataloader import LoaderError, create_loader, next_batch


class FailingData(Dataset):
    """Every item raises an error; without one it kills its process."""

    def __init__(self, error: AscclError | None = None):
        self.error = error

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if self.error is None:
            os._exit(9)
        raise self.error


def test_a_loading_process_that_dies_is_reported_as_such():
    with pytest.raises(LoaderError, match=r"a process that loads data died \(.*: give it more memory or lower"):
        next_batch(iter(create_loader(FailingData(), 2, 1)))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_data_crosses_processes_unchanged(workers):
    data = FailingData(InputError("clip 7 is damaged", "prepare it again"))
    with pytest.raises(InputError, match=r"^clip 7 is damaged: prepare it again$"):
        next_batch(iter(create_loader(data, 2, workers)))
