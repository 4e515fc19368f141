"""A job for `training.preprocess.workers`, in a module that its processes import quickly."""

from __future__ import annotations

import os

from asccl.errors import InputError


def square(number: int) -> int:
    """Square a number; 3 kills its process, 5 raises an error."""
    if number == 3:
        os._exit(9)
    if number == 5:
        raise InputError("job 5 is no good", "leave it out")
    return number**2
