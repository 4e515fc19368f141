"""Checkpoints of a training in its output folder: save, list, resume."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

from accelerate import Accelerator
from safetensors import SafetensorError

from asccl.errors import OutputError, SettingError, WeightsError, first_line
from asccl.files import write_atomic
from training.engine.settings import LoopSettings

MAX_CHECKPOINTS = 2  # the newest ones are kept
SETTINGS_FILE = "settings.json"
LOG_FILE = "log.jsonl"


def save(accelerator: Accelerator, folder: Path, step: int) -> None:
    """Write a checkpoint atomically and delete all but the newest `MAX_CHECKPOINTS`.

    Args:
        accelerator: holds everything that is saved.
        folder: output folder of the training.
        step: number of steps done.

    Raises:
        OutputError: the checkpoint cannot be written, for example on a full disk; older checkpoints are intact.
    """
    path = folder / f"step-{step:08d}"
    part = folder / f".{path.name}.part"
    if accelerator.is_main_process and part.exists():
        shutil.rmtree(part)
    accelerator.wait_for_everyone()
    try:
        accelerator.save_state(str(part))
    except (OSError, RuntimeError, SafetensorError) as error:  # torch reports a full disk as a RuntimeError
        shutil.rmtree(part, ignore_errors=True)
        last = list_checkpoints(folder)[-1].name if list_checkpoints(folder) else "none"
        raise OutputError(
            f"the checkpoint of step {step} cannot be written ({first_line(error)})",
            f"free some space in {folder}, then start again; the last one ({last}) is intact",
        ) from error
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        if path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
        for old in list_checkpoints(folder)[:-MAX_CHECKPOINTS]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()


def list_checkpoints(folder: Path) -> list[Path]:
    """List the complete checkpoints in an output folder, the newest last."""
    return sorted(folder.glob("step-*"))


def resume(accelerator: Accelerator, settings: LoopSettings) -> int:
    """Load the newest checkpoint in the output folder and return the number of steps done, 0 without a checkpoint.

    Raises:
        SettingError: the checkpoint belongs to a training with other settings.
        WeightsError: the checkpoint or the file of its settings is damaged.
    """
    folder = settings.output
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = list_checkpoints(folder)
    if checkpoints:
        _check_settings(folder / SETTINGS_FILE, settings)
        _load(accelerator, checkpoints)
    step = int(checkpoints[-1].name.split("-")[1]) if checkpoints else 0
    if accelerator.is_main_process:
        values = {"training": _training_name(settings)} | {k: str(value) for k, value in asdict(settings).items()}
        write_atomic(folder / SETTINGS_FILE, json.dumps(values, indent=1).encode())
        _truncate_log(folder / LOG_FILE, step)
    return step


def _load(accelerator: Accelerator, checkpoints: list[Path]) -> None:
    newest = checkpoints[-1]
    try:
        accelerator.load_state(str(newest))
    except (OSError, EOFError, KeyError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        remedy = (
            "delete it, then start again: the one before it is used"
            if len(checkpoints) > 1
            else "delete it, then start"
        )
        raise WeightsError(
            f"the checkpoint {newest} is damaged, or of other networks ({first_line(error)})", remedy
        ) from error


def _check_settings(path: Path, settings: LoopSettings) -> None:
    """Compare settings with those that the folder was started with."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read ({first_line(error)}), which names the settings of the checkpoints beside it",
            "give another --output, or delete the folder",
        ) from error
    if before.get("training", _training_name(settings)) != _training_name(settings):
        raise SettingError(
            f"{path.parent} holds a training of the {before['training']}, not of the {_training_name(settings)}",
            "give another --output",
        )
    for name, value in asdict(settings).items():
        if name not in settings.changeable and before.get(name) != str(value):
            raise SettingError(
                f"{path.parent} holds a training with {name} {before.get(name)}, not {value}",
                "give that value, or another --output, or delete the folder",
            )


def _training_name(settings: LoopSettings) -> str:
    return type(settings).__name__.removesuffix("Settings").lower()


def _truncate_log(path: Path, step: int) -> None:
    """Drop the lines of steps that will be repeated, and a line that was cut off."""
    if path.exists():
        complete = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        lines = [line for line in complete if json.loads(line)["step"] <= step]
        write_atomic(path, "".join(line + "\n" for line in lines).encode())
