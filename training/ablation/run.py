"""The paper's ablations (Tables 4 to 6): train NED with and without ASCCL, make edits whose truth is known, measure.

    python -m training.ablate --preset cpu       # under two hours on two cores
    python -m training.ablate --preset smoke     # a minute or two; its numbers mean nothing
    python -m training.ablate --preset paper --data build/mead --person M003

Kill it at any moment: the same command goes on. Every network and every measured row is kept in --output, a training
that was cut off goes on from its checkpoint. At the end --output holds scores.jsonl, table.md and chart.png.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from asccl.errors import AscclError, SettingError
from training import train_manipulator, train_renderer
from training.ablation import report, score
from training.ablation.design import SUPERVISIONS, Stage, trainings
from training.ablation.score import ScoreSettings, network, scored
from training.engine.settings import PRESETS, load_preset
from training.preprocess.workers import Done, here, in_processes
from training.train_manipulator import ManipulatorSettings
from training.train_renderer import RendererSettings


class PartError(AscclError):
    """A training or a scoring of the ablation has failed."""


@dataclass(frozen=True)
class AblateSettings:
    """recipe: presets/ablation/RECIPE.toml says how each network is trained. seeds: how often everything is done; a
    seed is of data, networks and speaker. jobs: processes of one thread each; 0 does all in this one, with as many
    threads as there are. weight_3dmm, weight_image: of ASCCL at either level, before the pull of `ablation/design.py`.
    emotions, frames, each: see `ScoreSettings`. device: that the edits are made on. data: folder of `training.prepare`;
    without one everybody is made up. person: of its labels, whom the renderers are taught and the edits are made of."""

    output: Path = Path("build/ablation")
    recipe: str = "cpu"
    seeds: int = 3
    jobs: int = 2
    weight_3dmm: float = 0.3
    weight_image: float = 1.0
    emotions: int = 7
    frames: int = 16
    cases_per_emotion: int = 2
    device: str = "cpu"
    data: Path | None = None
    person: str = ""


@dataclass(frozen=True)
class AblationJob:
    """A training, or the scoring of a seed where `stage` is None. target: the file that a training leaves."""

    name: str
    seed: int
    stage: Stage | None = None
    supervision: str = ""
    target: Path | None = None


def jobs_of(settings: AblateSettings) -> tuple[list[AblationJob], list[AblationJob]]:
    """The trainings that are not finished, and the scorings."""
    folder, seeds = settings.output / "networks", range(settings.seeds)
    wanted = [(*which, seed, network(folder, *which, seed)) for which in trainings() for seed in seeds]
    left = [AblationJob(file.stem, seed, stage, name, file) for stage, name, seed, file in wanted if not file.exists()]
    return left, [AblationJob(f"scores-{seed}", seed) for seed in seeds]


def trained(settings: AblateSettings, job: AblationJob) -> ManipulatorSettings | RendererSettings:
    """How a network of the ablation is trained. Raises SettingError."""
    kind = ManipulatorSettings if job.stage == "manipulator" else RendererSettings
    table: dict[str, Any] = load_preset(kind, str(PRESETS / "ablation" / f"{settings.recipe}.toml"))
    table |= {"seed": job.seed, "weights": job.target, "output": settings.output / "trainings" / job.name}
    if settings.data is not None:
        table |= {"data": settings.data, "people": settings.person if job.stage == "renderer" else "", "verify": False}
    asccl = SUPERVISIONS[job.supervision]
    if asccl is not None and job.stage is not None:
        weight = settings.weight_3dmm if job.stage == "manipulator" else settings.weight_image
        table |= {"asccl_weight": weight * asccl.weight_scale[job.stage], "heads": asccl.heads, "daas": asccl.daas}
    return kind(**table)


def judged(settings: AblateSettings, seed: int) -> ScoreSettings:
    return ScoreSettings(
        settings.output / "networks", settings.output / f"scores-{seed}.jsonl", seed, settings.emotions,
        settings.frames, settings.cases_per_emotion, settings.device, settings.data, settings.person,
    )  # fmt: skip


def do(settings: AblateSettings, job: AblationJob) -> float:
    """Seconds that a job took; what it prints goes to a log. Raises PartError."""
    began = monotonic()
    log = settings.output / "logs" / f"{job.name}.log"
    with log.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        try:
            if job.stage is None:
                score.main(judged(settings, job.seed))
            else:
                main = train_manipulator.main if job.stage == "manipulator" else train_renderer.main
                main(trained(settings, job))  # type: ignore[arg-type]
        except Exception as error:
            traceback.print_exc(file=file)
            raise PartError(f"{job.name} failed ({error})", f"see {log}; the same command goes on") from error
    return monotonic() - began


def run(settings: AblateSettings, jobs: Sequence[AblationJob]) -> None:
    """All of them, whichever fail. Raises PartError."""
    work = partial(do, settings)
    ends = in_processes(work, jobs, settings.jobs) if settings.jobs else here(work, jobs)
    failed: list[Done] = []
    for number, done in enumerate(ends):
        told = f"{done.value:.0f} s" if done.error is None else str(done.error)
        print(f"{number + 1}/{len(jobs)} {done.job.name}: {told}", flush=True)
        failed += [done] if done.error is not None else []
    if failed:
        raise PartError(f"{len(failed)} of {len(jobs)} parts failed, first {failed[0].job.name}",
                        f"see {settings.output / 'logs'}, then give the same command again")  # fmt: skip


def main(settings: AblateSettings) -> None:
    if settings.data is not None and not settings.person:
        raise SettingError("nobody is named in --person", "name the one whom the renderers are to be taught")
    (settings.output / "logs").mkdir(parents=True, exist_ok=True)
    left, scorings = jobs_of(settings)
    run(settings, left)
    run(settings, scorings)
    report.write([told for job in scorings for told in scored(judged(settings, job.seed).scores)], settings.output)
