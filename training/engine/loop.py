"""A training loop for any model: batches, phases, named losses, checkpoints and logs, run by Accelerate.

One step takes one batch through every phase. A phase has an optimizer and a function from the batch to named losses,
whose weighted sum is minimized. A GAN has a phase for each network that it trains, every other training has one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from time import monotonic
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DataLoaderConfiguration,
    DistributedDataParallelKwargs,
    broadcast_object_list,
    set_seed,
)
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from asccl.errors import AscclError, OutputError, SettingError
from training.engine import checkpoint
from training.engine.dataloader import create_loader, next_batch
from training.engine.settings import LoopSettings, check_ranges

EvaluateFunction = Callable[[], Mapping[str, float]]


class DivergedError(AscclError):
    """A loss is not finite any more."""


class PhaseResult(NamedTuple):
    """Result of a phase.

    Attributes:
        losses: named scalars.
        output: value for the next phase of the same step.
    """

    losses: Mapping[str, torch.Tensor]
    output: Any = None


@dataclass(frozen=True)
class Phase:
    """One update of a training step.

    Attributes:
        name: of the phase in logs.
        optimizer: of the weights that the phase updates.
        compute: (batch, output of the phase before it in this step or None, random numbers) -> losses and output.
        weights: weight of every loss; empty for weight 1 of all losses.
        schedule: of the learning rate, one move a step; the caller registers it for checkpoints.
        after: called after the update.
    """

    name: str
    optimizer: torch.optim.Optimizer
    compute: Callable[[Any, Any, torch.Generator], PhaseResult]
    weights: Mapping[str, float] = field(default_factory=dict)
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    after: Callable[[], None] | None = None

    def weighted_sum(self, losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Sum the losses with their weights. Raises ValueError if there are weights, but none for one of the losses."""
        weights = self.weights or dict.fromkeys(losses, 1.0)
        if missing := sorted(losses.keys() - weights.keys()):
            names = ", ".join(missing)
            raise ValueError(f"expected a weight for every loss of the phase {self.name}, got none for {names}")
        return torch.stack([weights[name] * value for name, value in losses.items()]).sum()


def create_accelerator(settings: LoopSettings) -> Accelerator:
    """Create the accelerator of this process and seed all random number generators. Raises SettingError."""
    check_ranges(settings)
    if settings.tracker != "none" and not find_spec(settings.tracker):
        raise SettingError(f"{settings.tracker} is not installed", f"pip install {settings.tracker}, or --tracker none")
    set_seed(settings.seed)
    accelerator = Accelerator(
        mixed_precision=settings.precision,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
        log_with=None if settings.tracker == "none" else settings.tracker,
        project_dir=settings.output,
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    if settings.tracker != "none":
        accelerator.init_trackers(settings.output.name)
    return accelerator


def train(
    accelerator: Accelerator,
    modules: Sequence[nn.Module],
    phases: Sequence[Phase],
    data: Dataset,
    settings: LoopSettings,
    evaluate: EvaluateFunction | None = None,
) -> None:
    """Train until `settings.steps` are done, from the newest checkpoint in `settings.output` if there is one.

    With `settings.max_seconds`, the training may end earlier, after an evaluation.

    Args:
        accelerator: from `create_accelerator`.
        modules: all modules that train, already prepared by `accelerator`, like the optimizers of the phases.
        phases: updates of a step, in order.
        data: map-style data set.
        settings: of the loop.
        evaluate: called on the main process at the start, every `evaluate_every` steps and at the end; its values are
            logged. Give it on every process, or on none.

    Raises:
        SettingError: the data do not fill one batch, or the folder holds a training with other settings.
        DivergedError: a loss is not finite; the last checkpoint is intact.
    """
    end = monotonic() + settings.max_seconds if settings.max_seconds else math.inf
    loader = _prepare_loader(accelerator, data, settings)
    first_step = checkpoint.resume(accelerator, settings)
    batches = _iterate_batches(accelerator, loader, first_step)
    if first_step == 0:
        _evaluate(accelerator, settings, 0, evaluate)
    steps = range(first_step, settings.steps)
    bar = tqdm(steps, initial=first_step, total=settings.steps, disable=not accelerator.is_main_process)
    for step in bar:
        losses = _run_step(accelerator, modules, phases, next_batch(batches), settings, step)
        done = step + 1
        is_evaluated = done % settings.evaluate_every == 0
        last = done == settings.steps or (is_evaluated and _is_over(end))
        if done % settings.log_every == 0 or last:
            values = {name: float(value) for name, value in losses.items()}
            _log(accelerator, settings, done, values)
            bar.set_postfix({name.split("/")[-1]: f"{value:.4g}" for name, value in values.items()})
        if done % settings.save_every == 0 or last:
            checkpoint.save(accelerator, settings.output, done)
        if is_evaluated or last:
            _evaluate(accelerator, settings, done, evaluate)
        if last:
            break
    accelerator.end_training()


def _prepare_loader(accelerator: Accelerator, data: Dataset, settings: LoopSettings) -> DataLoader:
    """Create the loader of this device. Raises SettingError if the data do not fill one batch."""
    loader = accelerator.prepare(create_loader(data, settings.batch_size, settings.workers))
    if not len(loader):
        raise SettingError(
            f"{len(data)} items do not fill one batch of {settings.batch_size} on {accelerator.num_processes} devices",
            "give more data, or a smaller batch",
        )
    return loader


def _evaluate(accelerator: Accelerator, settings: LoopSettings, step: int, evaluate: EvaluateFunction | None) -> None:
    """Evaluate on the main process and log the values, while the other processes wait."""
    if evaluate is not None and accelerator.is_main_process:
        _log(accelerator, settings, step, evaluate())
    accelerator.wait_for_everyone()


def _is_over(end: float) -> bool:
    """Whether the clock of the main process is past `end`, an answer that all processes share."""
    answer = [monotonic() >= end]
    if end < math.inf:
        broadcast_object_list(answer)
    return answer[0]


def _run_step(
    accelerator: Accelerator,
    modules: Sequence[nn.Module],
    phases: Sequence[Phase],
    batch: Any,
    settings: LoopSettings,
    step: int,
) -> dict[str, torch.Tensor]:
    """Run every phase on a batch; return all losses as "phase/loss"."""
    rng = _step_generator(accelerator, settings.seed, step)
    torch.manual_seed(rng.initial_seed() + accelerator.process_index)  # dropout, also of a resumed training
    losses: dict[str, torch.Tensor] = {}
    output = None
    for phase in phases:
        with accelerator.autocast():
            result = phase.compute(batch, output, rng)
        _update(accelerator, modules, phase, result.losses, settings, step)
        losses |= {f"{phase.name}/{name}": value.detach() for name, value in result.losses.items()}
        output = result.output
    return losses


def _update(
    accelerator: Accelerator,
    modules: Sequence[nn.Module],
    phase: Phase,
    losses: Mapping[str, torch.Tensor],
    settings: LoopSettings,
    step: int,
) -> None:
    """Minimize the weighted sum of the losses by one step of the optimizer."""
    total = phase.weighted_sum(losses)
    if not math.isfinite(total.item()):
        parts = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
        raise DivergedError(
            f"step {step + 1}: {phase.name} is {total.item():g} ({parts})",
            f"lower the learning rate and give another --output; the last checkpoint in {settings.output} is intact",
        )
    for module in modules:  # also the modules of other phases: a resumed training would not have their gradients
        module.zero_grad(set_to_none=True)
    accelerator.backward(total)
    if settings.max_grad_norm:
        parameters = [p for group in phase.optimizer.param_groups for p in group["params"]]
        accelerator.clip_grad_norm_(parameters, settings.max_grad_norm)
    phase.optimizer.step()
    if phase.schedule is not None:
        phase.schedule.step()
    if phase.after is not None:
        phase.after()


def _iterate_batches(accelerator: Accelerator, loader: DataLoader, step: int) -> Iterator[Any]:
    """Yield batches without end, from the batch of step `step` on; every epoch has its own order."""
    epoch, skip = divmod(step, len(loader))
    while True:
        loader.set_epoch(epoch)
        yield from accelerator.skip_first_batches(loader, skip) if skip else loader
        epoch, skip = epoch + 1, 0


def _step_generator(accelerator: Accelerator, seed: int, step: int) -> torch.Generator:
    """Return random numbers that depend on seed and step alone.

    A resumed training and all devices draw the same; `distributed.rank_slice` gives a device its share.
    """
    return torch.Generator(accelerator.device).manual_seed((seed * 1_000_003 + step) * 1009)


def _log(accelerator: Accelerator, settings: LoopSettings, step: int, values: Mapping[str, float]) -> None:
    """Log values on the main process, to the tracker and to the JSON lines in the output folder."""
    if not accelerator.is_main_process:
        return
    accelerator.log(dict(values), step=step)
    try:
        with (settings.output / checkpoint.LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
    except OSError as error:
        raise OutputError(
            f"{settings.output} cannot be written to ({error})", "free some space, then start again"
        ) from error
