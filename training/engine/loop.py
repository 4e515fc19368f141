"""A training loop that knows no model: batches, turns, named losses, checkpoints, logs. Hugging Face Accelerate runs it
on one device or many.

A step takes one batch through every turn. A turn has an optimiser and a function from the batch to named losses; their
weighted sum is what goes backward. A GAN has two turns, everything else has one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, ClassVar

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, DistributedDataParallelKwargs, set_seed
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from asccl.errors import AscclError, OutputError, SettingError, WeightsError
from training.engine.dataloader import loader_of, next_batch

KEEP = 2  # checkpoints
SETTINGS = "settings.json"  # in the output folder
Losses = Callable[[Any, torch.Generator], Mapping[str, torch.Tensor]]
Evaluate = Callable[[], Mapping[str, float]]


class DivergedError(AscclError):
    """A loss is no longer a number."""


@dataclass(frozen=True)
class LoopSettings:
    """output: folder of checkpoints and logs. steps: in all, counted from the first start. batch: pictures or sequences
    on each device. seed: of weights, order and draws. precision: "no", "bf16" or "fp16". workers: processes that load.
    log_every, evaluate_every, save_every: steps. tracker: "tensorboard", "trackio" or "none"; the JSON lines in
    `output` are always written. clip: largest norm of a gradient, 0 for any."""

    # what may differ when a training goes on
    changeable: ClassVar[frozenset[str]] = frozenset(
        {"output", "weights", "workers", "log_every", "evaluate_every", "save_every", "tracker"}
    )

    output: Path = Path("build/training")
    steps: int = 1000
    batch_size: int = 8
    seed: int = 0
    precision: str = "no"
    workers: int = 0
    log_every: int = 20
    evaluate_every: int = 200
    save_every: int = 200
    tracker: str = "none"
    max_grad_norm: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One update. losses(batch, rng) -> named scalars; weights: of each name, 1 where none is given. schedule: of the
    learning rate, one move a step; it must be registered for checkpoints. after: called once the update is made."""

    name: str
    optimizer: torch.optim.Optimizer
    losses: Losses
    weights: Mapping[str, float] = field(default_factory=dict)
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    after: Callable[[], None] | None = None


def accelerator(settings: LoopSettings) -> Accelerator:
    """One for the whole process. Seeds everything. Raises SettingError."""
    if settings.steps < 1 or settings.batch_size < 1:
        raise SettingError(f"{settings.steps} steps with batches of {settings.batch_size}", "give 1 or more of both")
    set_seed(settings.seed)
    made = Accelerator(
        mixed_precision=settings.precision,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
        log_with=None if settings.tracker == "none" else settings.tracker,
        project_dir=settings.output,
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    if settings.tracker != "none":
        made.init_trackers(settings.output.name)
    return made


def train(
    run: Accelerator,
    modules: Sequence[nn.Module],
    turns: Sequence[Phase],
    data: Dataset,
    settings: LoopSettings,
    evaluate: Evaluate | None = None,
) -> None:
    """Until `settings.steps` are done, from the newest checkpoint in `settings.output` if there is one.

    modules: everything that trains, already prepared by `run`, like the optimisers of the turns. evaluate: called on
    the main process alone, now and then and at the end; its numbers are logged. Every process must have one, or none.
    Raises DivergedError; the last checkpoint is intact then.
    """
    loader = run.prepare(loader_of(data, settings.batch_size, settings.workers))
    if not len(loader):
        raise SettingError(
            f"{len(data)} items do not fill one batch of {settings.batch_size} on {run.num_processes} devices",
            "give more data, or a smaller batch",
        )
    first = resume(run, settings)
    batches = _batches(run, loader, first)
    if evaluate is not None and first == 0 and run.is_main_process:
        _log(run, settings, 0, evaluate(), None)
    bar = tqdm(range(first, settings.steps), initial=first, total=settings.steps, disable=not run.is_main_process)
    for step in bar:
        logged = {}
        rng = _generator(run, settings.seed, step)
        batch = next_batch(batches)
        for turn in turns:
            logged |= _update(run, modules, turn, batch, rng, settings, step)
        done = step + 1
        if done % settings.log_every == 0 or done == settings.steps:
            _log(run, settings, done, {name: float(value) for name, value in logged.items()}, bar)
        if done % settings.save_every == 0 or done == settings.steps:
            save(run, settings.output, done)
        if evaluate is not None and (done % settings.evaluate_every == 0 or done == settings.steps):
            if run.is_main_process:
                _log(run, settings, done, evaluate(), None)
            run.wait_for_everyone()
    run.end_training()


def _update(
    run: Accelerator, modules: Sequence[nn.Module], turn: Phase, batch: Any, rng: torch.Generator,
    settings: LoopSettings, step: int,
) -> dict[str, torch.Tensor]:  # fmt: skip
    with run.autocast():
        losses = turn.losses(batch, rng)
    total = torch.stack([turn.weights.get(name, 1.0) * value for name, value in losses.items()]).sum()
    if not math.isfinite(total.item()):
        parts = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
        raise DivergedError(
            f"step {step + 1}: {turn.name} is {total.item():g} ({parts})",
            f"lower the learning rate and give another --output; the last checkpoint in {settings.output} is intact",
        )
    for module in modules:  # those of other turns, too, which a resumed run would not have
        module.zero_grad(set_to_none=True)
    run.backward(total)
    if settings.max_grad_norm:
        run.clip_grad_norm_(
            [p for group in turn.optimizer.param_groups for p in group["params"]], settings.max_grad_norm
        )
    turn.optimizer.step()
    if turn.schedule is not None:
        turn.schedule.step()
    if turn.after is not None:
        turn.after()
    return {f"{turn.name}/{name}": value.detach() for name, value in losses.items()}


def _batches(run: Accelerator, loader: DataLoader, step: int) -> Iterator[Any]:
    """From the batch that step number `step` sees on, for ever; every epoch in an order of its own."""
    epoch, skip = divmod(step, len(loader))
    while True:
        loader.set_epoch(epoch)
        yield from run.skip_first_batches(loader, skip) if skip else loader
        epoch, skip = epoch + 1, 0


def _generator(run: Accelerator, seed: int, step: int) -> torch.Generator:
    """Draws that depend on seed and step alone, so that a resumed run draws the same, and so do all devices: what they
    draw for their items must be theirs out of all, see `devices.drawn`."""
    return torch.Generator(run.device).manual_seed((seed * 1_000_003 + step) * 1009)


def _log(run: Accelerator, settings: LoopSettings, step: int, values: Mapping[str, float], bar: Any) -> None:
    if not run.is_main_process:
        return
    run.log(dict(values), step=step)
    try:
        with (settings.output / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
    except OSError as error:
        raise OutputError(f"{settings.output} cannot be written to ({error})", "free some space, then go on") from error
    if bar is not None:
        bar.set_postfix({name.split("/")[-1]: f"{value:.4g}" for name, value in values.items()})


def save(run: Accelerator, folder: Path, step: int) -> None:
    """A checkpoint of everything; there under its name only once it is whole. Keeps the newest `KEEP`.

    Raises OutputError where there is no space; older checkpoints are intact then.
    """
    name = folder / f"step-{step:08d}"
    part = folder / f".{name.name}.part"
    if run.is_main_process and part.exists():
        shutil.rmtree(part)
    run.wait_for_everyone()
    try:
        run.save_state(str(part))
    except (OSError, RuntimeError, SafetensorError) as error:  # torch tells a full disk as a RuntimeError
        shutil.rmtree(part, ignore_errors=True)
        last = saved(folder)[-1].name if saved(folder) else "none"
        raise OutputError(
            f"the checkpoint of step {step} cannot be written ({_short(error)})",
            f"free some space in {folder}, then start again; the last one ({last}) is intact",
        ) from error
    run.wait_for_everyone()
    if run.is_main_process:
        if name.exists():
            shutil.rmtree(name)
        os.replace(part, name)
        for old in saved(folder)[:-KEEP]:
            shutil.rmtree(old)
    run.wait_for_everyone()


def saved(folder: Path) -> list[Path]:
    """Whole checkpoints, the newest last."""
    return sorted(folder.glob("step-*"))


def resume(run: Accelerator, settings: LoopSettings) -> int:
    """Load the newest checkpoint; the number of steps done, 0 without one. Raises SettingError where it belongs to a
    training with other settings, WeightsError where it is damaged."""
    folder = settings.output
    folder.mkdir(parents=True, exist_ok=True)
    done = saved(folder)
    if done:
        _compare(folder / SETTINGS, settings)
        try:
            run.load_state(str(done[-1]))
        except (OSError, EOFError, KeyError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
            raise WeightsError(
                f"the checkpoint {done[-1]} is damaged, or of other networks ({_short(error)})",
                "delete it, then start again: the one before it is taken" if len(done) > 1 else "delete it, then start",
            ) from error
    step = int(done[-1].name.split("-")[1]) if done else 0
    if run.is_main_process:
        told = {"training": _training(settings)} | {name: str(value) for name, value in asdict(settings).items()}
        (folder / SETTINGS).write_text(json.dumps(told, indent=1), encoding="utf-8")
        _forget_log(folder / "log.jsonl", step)
    return step


def _compare(path: Path, settings: LoopSettings) -> None:
    before = json.loads(path.read_text(encoding="utf-8"))
    if before.get("training", _training(settings)) != _training(settings):
        raise SettingError(
            f"{path.parent} holds a training of the {before['training']}, not of the {_training(settings)}",
            "give another --output",
        )
    for name, value in asdict(settings).items():
        if name not in settings.changeable and before.get(name) != str(value):
            raise SettingError(
                f"{path.parent} holds a training with {name} {before.get(name)}, not {value}",
                "give that value, or another --output, or delete the folder",
            )


def _short(error: Exception) -> str:
    """Its first line; its name where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _training(settings: LoopSettings) -> str:
    return type(settings).__name__.removesuffix("Settings").lower()


def _forget_log(path: Path, step: int) -> None:
    """Drop lines of steps that will be done again."""
    if path.exists():
        whole = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        lines = [line for line in whole if json.loads(line)["step"] <= step]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
